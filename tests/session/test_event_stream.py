"""EventStream: what a subscriber gets, early, late and after the end."""

from portmap.events import Event, GatewayFound, NetworkChanged
from portmap.session.event_stream import BACKLOG, EventStream

FOUND, CHANGED = GatewayFound(gateway="a gateway"), NetworkChanged(reason="a cable")


def test_a_subscriber_gets_what_was_published_before_and_after_it_came_and_the_end() -> None:
    stream, got = EventStream(), list[Event | None]()
    stream.publish(FOUND)
    stream.subscribe(got.append)
    stream.publish(CHANGED)
    stream.close()
    assert got == [FOUND, CHANGED, None]


def test_a_subscriber_that_comes_after_the_end_gets_the_end_too() -> None:
    stream, got = EventStream(), list[Event | None]()
    stream.publish(FOUND)
    stream.close()
    stream.subscribe(got.append)
    assert got == [FOUND, None]


def test_the_end_comes_once() -> None:
    stream, got = EventStream(), list[Event | None]()
    stream.subscribe(got.append)
    stream.close()
    stream.close()
    assert got == [None]


def test_an_ended_subscription_gets_nothing_more() -> None:
    stream, got = EventStream(), list[Event | None]()
    stream.subscribe(got.append)()
    stream.publish(FOUND)
    stream.close()
    assert got == []


def test_a_late_subscriber_gets_only_the_last_events() -> None:
    stream, got = EventStream(), list[Event | None]()
    for number in range(BACKLOG + 1):
        stream.publish(NetworkChanged(reason=str(number)))
    stream.subscribe(got.append)
    assert len(got) == BACKLOG
    assert got[0] == NetworkChanged(reason="1")
