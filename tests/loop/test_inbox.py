"""Inbox: messages and time for the loop's thread, on the real clock and the scripted one."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from math import inf

import pytest

from portmap.loop.inbox import GatewayAlert, Inbox, Interrupted, Message, Register, Stop
from portmap.model import PortRequest, Protocol
from portmap.testing.clock import ScriptedInbox

LONG = 5.0  # seconds, that no test here waits out


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def later(do: Callable[[], object]) -> None:
    """Do it in another thread, in a moment."""
    threading.Timer(0.01, do).start()


def test_messages_come_out_in_the_order_they_went_in(inbox: Inbox) -> None:
    messages: list[Message] = [GatewayAlert("one"), Register(PortRequest(Protocol.TCP, 80)), GatewayAlert("two")]
    for message in messages:
        inbox.put(message)
    assert [inbox.next(inf) for _ in messages] == messages


def test_a_message_ends_the_sleep_at_once(inbox: Inbox) -> None:
    later(lambda: inbox.put(GatewayAlert("hello")))
    assert inbox.next(inbox.now() + LONG) == GatewayAlert("hello")


def test_a_sleep_ends_when_its_time_is_up(inbox: Inbox) -> None:
    assert inbox.next(inbox.now() + 0.01) is None


@pytest.mark.parametrize("until", [-inf, 0.0])
def test_a_time_that_is_past_means_look_and_do_not_wait(inbox: Inbox, until: float) -> None:
    assert inbox.next(until) is None


def test_a_waiting_message_is_given_even_when_the_time_is_past(inbox: Inbox) -> None:
    inbox.put(GatewayAlert("hello"))
    assert inbox.next(-inf) == GatewayAlert("hello")


def test_the_clock_is_the_monotonic_one(inbox: Inbox) -> None:
    assert inbox.now() == pytest.approx(time.monotonic(), abs=0.1)


def test_a_call_that_is_done_is_not_waited_for(inbox: Inbox) -> None:
    call: Future[int] = Future()
    call.set_result(1)
    inbox.wait(call, LONG)


def test_a_call_that_ends_ends_the_wait(inbox: Inbox) -> None:
    call: Future[int] = Future()
    later(lambda: call.set_result(1))
    inbox.wait(call, LONG)
    assert call.done()


def test_a_call_is_waited_for_no_longer_than_told(inbox: Inbox) -> None:
    call: Future[int] = Future()
    inbox.wait(call, 0.01)
    assert not call.done()


def test_a_stop_interrupts_a_wait_at_once(inbox: Inbox) -> None:
    later(lambda: inbox.put(Stop()))
    with pytest.raises(Interrupted):
        inbox.wait(Future(), LONG)


def test_a_stop_that_waits_behind_others_interrupts_too(inbox: Inbox) -> None:
    inbox.put(GatewayAlert("hello"))
    inbox.put(Stop())
    with pytest.raises(Interrupted):
        inbox.wait(Future(), LONG)


def test_other_messages_interrupt_nothing(inbox: Inbox) -> None:
    inbox.put(GatewayAlert("hello"))
    inbox.wait(Future(), 0.01)
    assert inbox.next(-inf) == GatewayAlert("hello")


def test_a_stop_does_not_take_back_what_is_done(inbox: Inbox) -> None:
    call: Future[int] = Future()
    call.set_result(1)
    inbox.put(Stop())
    inbox.wait(call, LONG)


# scripted time


def test_scripted_sleep_is_a_jump() -> None:
    inbox = ScriptedInbox(end=1e9)
    assert inbox.next(1e6) is None
    assert inbox.now() == 1e6


def test_a_scene_comes_when_its_time_has_come() -> None:
    inbox = ScriptedInbox([(5, GatewayAlert("five")), (3, GatewayAlert("three"))], end=9)
    assert [inbox.next(4), inbox.next(4), inbox.next(inf), inbox.next(inf)] == [
        GatewayAlert("three"),
        None,
        GatewayAlert("five"),
        Stop(),
    ]


def test_the_clock_never_goes_back() -> None:
    inbox = ScriptedInbox([(3, GatewayAlert("three"))], end=9)
    inbox.pass_time(7)
    assert inbox.next(inf) == GatewayAlert("three")
    assert inbox.now() == 7


def test_to_look_into_a_scripted_inbox_takes_no_time() -> None:
    inbox = ScriptedInbox([(3, GatewayAlert("three"))], end=9)
    assert inbox.next(-inf) is None
    assert inbox.now() == 0
