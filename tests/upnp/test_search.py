import time
from contextlib import closing
from ipaddress import IPv4Address
from threading import Event
from typing import TYPE_CHECKING, cast

import pytest

from portmap_upnp.discovery.search import IN_ALL, PER_HOST, DeviceSeen, Search
from portmap_upnp.discovery.ssdp import TARGETS, m_search

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.upnp.conftest import SearchAnswerer

HERE = "http://127.0.0.1:5000/root.xml"


@pytest.fixture
def stop() -> Event:
    return Event()


def first(sightings: "Iterator[DeviceSeen]") -> str:
    with closing(cast("Generator[DeviceSeen, None, None]", sightings)):
        return str(next(sightings).location)


def test_the_usual_target_is_asked_for_first(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert first(answerer.search().devices(stop)) == HERE
    assert answerer.heard[0] == m_search(TARGETS[0])


def test_a_moment_later_all_targets_are_asked_for(answerer: "SearchAnswerer", stop: Event) -> None:
    list(answerer.search(0.3).devices(stop))
    assert answerer.heard == [m_search(target) for target in TARGETS]


def test_a_lost_question_is_asked_again(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    answerer.lost = len(TARGETS)
    assert first(answerer.search().devices(stop)) == HERE


def test_the_same_answer_to_five_questions_is_one_sighting(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert [str(it.location) for it in answerer.search(0.2).devices(stop)] == [HERE]


def test_a_bad_answer_before_a_good_one_does_no_harm(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.answers += [b"", b"\xff" * 2000, b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 9000]
    answerer.points_to("http://192.0.2.1/evil", "http://10.1.2.3:80/other-host", "file:///etc/passwd", HERE)
    assert first(answerer.search().devices(stop)) == HERE


def test_a_flood_from_one_host_is_cut_off(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(*(f"http://127.0.0.1:{port}/" for port in range(1000, 1100)))
    assert len(list(answerer.search(0.2).devices(stop))) == PER_HOST < IN_ALL


def test_nobody_answers_and_the_search_ends_with_the_patience(answerer: "SearchAnswerer", stop: Event) -> None:
    began = time.monotonic()
    assert list(answerer.search(0.2).devices(stop)) == []
    assert 0.2 <= time.monotonic() - began < 0.5


def test_a_search_that_is_told_to_stop_stops(answerer: "SearchAnswerer", stop: Event) -> None:
    stop.set()
    assert list(answerer.search(60).devices(stop)) == []


def test_a_gateway_without_a_route_does_not_spoil_the_search(answerer: "SearchAnswerer", stop: Event) -> None:
    answerer.points_to(HERE)
    assert first(answerer.search(gateways=("255.255.255.255", "127.0.0.1")).devices(stop)) == HERE


def test_by_default_the_standard_group_and_port_are_asked() -> None:
    assert (Search().multicast, Search().port) == ("239.255.255.250", 1900)


def test_a_search_at_one_host_asks_nobody_else() -> None:
    here = Search().at(IPv4Address("192.168.1.1"))
    assert (list(here.gateways()), here.multicast) == ([IPv4Address("192.168.1.1")], None)
