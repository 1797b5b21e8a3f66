"""The loop on scripted time: ports that are no longer wanted or that forward nothing, and the end."""

import pytest
from tests.loop.scripted_loop import (
    DNS,
    FOREVER,
    TCP,
    WEB,
    calls,
    mapping_events,
    play,
    ports_asked_for,
    seconds,
    wanted,
)

from portmap.backends.nat import Nat
from portmap.hookspecs import Alert as AlertHook
from portmap.hookspecs import Closer, hookimpl
from portmap.loop.inbox import GatewayAlert, Interrupted, Repair, Unregister
from portmap.loop.loop import Loop
from portmap.loop.policy import Policy
from portmap.model import Grant, PortRequest
from portmap.reachability.repair_step import RepairStep
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

# letting go


def test_an_unregistered_port_is_deleted_and_told() -> None:
    backend = ScriptedBackend()
    told = play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert seconds(told, "mapping.removed") == [50, 100]
    assert calls(backend, "delete_mapping") == [50, 100]


def test_what_was_never_opened_is_not_deleted() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER)
    play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert calls(backend, "delete_mapping") == []


def test_what_has_lapsed_is_not_deleted() -> None:
    backend = ScriptedBackend().refuse(1, FOREVER)
    play(backend, wanted(WEB), end=700)
    assert calls(backend, "delete_mapping") == []


def test_a_mapping_whose_answer_was_lost_is_deleted_all_the_same() -> None:
    backend = ScriptedBackend().unheard(0, FOREVER)
    play(backend, [*wanted(WEB, DNS), (50, Unregister(WEB.key))], end=100)
    assert backend.table == {}


def test_a_port_can_be_registered_again() -> None:
    story = [*wanted(WEB), (50.0, Unregister(WEB.key)), *wanted(PortRequest(TCP, 8080, 80), at=50)]
    (_, again) = mapping_events(play(ScriptedBackend(), story, end=100), "mapping.added")
    assert again.external_port == 80


def test_to_unregister_an_unknown_port_is_harmless() -> None:
    assert play(ScriptedBackend(), [(1, Unregister(WEB.key))], end=2).names()[-1] == "external_ip.changed"


# what a proof from outside makes us try


def test_a_mapping_that_forwards_nothing_is_asked_for_again_at_once() -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB), (10, Repair(WEB.key, RepairStep.RENEW))], end=20)
    assert calls(backend) == [0, 10]
    assert calls(backend, "delete_mapping") == [20]


@pytest.mark.parametrize(("step", "moves"), [(RepairStep.REOPEN, False), (RepairStep.MOVE, True)])
def test_a_mapping_that_forwards_nothing_is_deleted_and_opened_again_there_or_elsewhere(
    step: RepairStep, moves: bool
) -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB), (10, Repair(WEB.key, step))], end=20, spread=0.5)
    assert calls(backend, "delete_mapping")[0] == 10
    assert (ports_asked_for(backend)[-1] != 8080) == moves


@pytest.mark.parametrize("step", RepairStep)
@pytest.mark.parametrize("request_", [WEB, DNS], ids=["refused", "unknown"])
def test_a_port_that_is_not_open_is_not_mended(step: RepairStep, request_: PortRequest) -> None:
    backend, unhurried = (ScriptedBackend().refuse(0, FOREVER) for _ in range(2))
    play(backend, [*wanted(WEB), (10, Repair(request_.key, step))], end=100)
    play(unhurried, wanted(WEB), end=100)
    assert backend.calls == unhurried.calls


# the way out


class Interrupting(Nat):
    """A Nat whose call to open a port is interrupted by a stop; what it still grants comes late."""

    def __init__(self, backend: ScriptedBackend, late: Grant | None) -> None:
        super().__init__(backend, "scripted")
        self._late = late
        self.waited: list[float] = []

    def add_mapping(self, *_: object, **__: object) -> Grant:
        raise Interrupted

    def late_grant(self, timeout: float) -> Grant | None:
        self.waited.append(timeout)
        return self._late


@pytest.mark.parametrize(("late", "deleted"), [(Grant(443, 600), 443), (None, 8080)], ids=["granted", "no answer"])
def test_a_stop_during_a_call_ends_the_loop_and_what_the_call_may_have_opened_is_deleted(
    late: Grant | None, deleted: int
) -> None:
    backend = ScriptedBackend()
    inbox = backend.inbox = ScriptedInbox(wanted(WEB), end=50)
    nat = Interrupting(backend, late)
    Loop(nat, inbox, Recording(inbox), Policy(clean_up=2.0)).run()
    assert nat.waited == [1.0]  # half of the time for cleaning up: the other half is for deleting
    (deletion,) = (call for call in backend.calls if call.hook == "delete_mapping")
    assert deletion.arguments == (TCP, deleted, 8080)


def test_a_mapping_whose_answer_made_no_sense_is_deleted_all_the_same() -> None:
    backend = ScriptedBackend(ports=lambda _: 0)
    play(backend, wanted(WEB), end=100)
    assert backend.table == {}


def test_a_mapping_refused_after_an_alert_may_be_there_still_and_is_deleted() -> None:
    backend = ScriptedBackend().refuse(50, 60)
    told = play(backend, [*wanted(WEB), (50, GatewayAlert("rebooted"))], end=50.5)
    assert "mapping.lost" in told.names()
    assert backend.table == {}


def test_on_the_way_out_everything_that_is_held_is_deleted_and_told() -> None:
    backend = ScriptedBackend()
    told = play(backend, wanted(WEB, DNS), end=100)
    assert backend.table == {}
    assert [(event.key, event.reason) for event in mapping_events(told, "mapping.removed")] == [
        (WEB.key, ""),
        (DNS.key, ""),
    ]


def test_deletion_names_the_external_port() -> None:
    backend = ScriptedBackend(ports=lambda port: 9999)
    play(backend, wanted(WEB), end=1)
    assert backend.calls[-1].arguments == (TCP, 9999, 8080)


def test_a_silent_gateway_is_asked_once_for_all_that_is_held() -> None:
    requests = [PortRequest(TCP, port) for port in range(1000, 1010)]
    backend = ScriptedBackend().silent(99, FOREVER)
    told = play(backend, wanted(*requests), end=100)
    assert len(calls(backend, "delete_mapping")) == 1
    assert told.inbox.seconds == 103.75


def test_what_could_not_be_deleted_is_told_with_the_reason() -> None:
    told = play(ScriptedBackend().silent(99, FOREVER), wanted(WEB), end=100)
    (event,) = mapping_events(told, "mapping.removed")
    assert (event.error, "left to run out" in event.reason) == ("GatewayTimeout", True)


def test_a_refused_deletion_does_not_hinder_the_next() -> None:
    backend = ScriptedBackend().refuse(99, FOREVER, hook="delete_mapping")
    play(backend, wanted(WEB, DNS), end=100)
    assert len(calls(backend, "delete_mapping")) == 2


def test_a_gateway_that_was_never_found_is_not_asked_to_delete() -> None:
    backend = ScriptedBackend().silent(0, FOREVER)
    play(backend, wanted(WEB), end=100)
    assert calls(backend, "delete_mapping") == []


def test_what_a_gateway_that_tells_no_address_may_hold_is_deleted() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER, hook="external_ip").unheard(0, FOREVER)
    play(backend, wanted(WEB), end=10)
    assert backend.table == {}


def test_a_request_that_comes_with_the_stop_is_not_opened() -> None:
    backend = ScriptedBackend()
    play(backend, [*wanted(WEB, at=100)], end=100)
    assert backend.table == {}


def test_the_watch_ends_with_the_loop() -> None:
    closed = []

    class Watching(ScriptedBackend):
        @hookimpl
        def watch(self, alert: AlertHook) -> Closer:
            return lambda: closed.append(True)

    play(Watching(), [], end=1)
    assert closed == [True]
