"""The loop on scripted time: how the external address and the mappings are checked, and what is told of a change."""

from dataclasses import replace

import pytest
from tests.loop.scripted_loop import DNS, FOREVER, TCP, UDP, WEB, Readable, calls, mapping_events, play, seconds, wanted

from portmap.errors import GatewayTimeout
from portmap.events import (
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayEvent,
    PortEvent,
)
from portmap.hookspecs import hookimpl
from portmap.loop.inbox import GatewayAlert, Message
from portmap.loop.policy import Policy
from portmap.model import Grant, PortRequest, Protocol, Scope
from portmap.testing import scripted
from portmap.testing.scripted import ScriptedBackend


def test_the_address_is_looked_at_once_a_minute() -> None:
    backend = ScriptedBackend()
    play(backend, [], end=200)
    assert calls(backend, "external_ip") == [0, 60, 120, 180]


def test_the_address_and_one_mapping_are_checked_in_turn() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB), end=310)
    assert (calls(backend, "external_ip"), calls(backend)) == ([0, 60, 180, 300], [0, 120, 240])


def test_the_mapping_that_was_asked_about_longest_ago_is_checked() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(WEB, DNS) + wanted(PortRequest(TCP, 22), at=30), end=650, policy=Policy(ip_interval=40))
    assert [call.arguments[2] for call in backend.calls if call.hook == "add_mapping"][3:7] == [8080, 53, 22, 8080]


def test_both_halves_of_a_pair_are_checked_at_once() -> None:
    backend = ScriptedBackend()
    play(backend, wanted(PortRequest(TCP, 80), PortRequest(UDP, 80)), end=250)
    assert calls(backend) == [0, 0, 120, 120, 240, 240]


def test_a_renewal_counts_as_the_check_of_a_mapping_and_the_address_is_not_forgotten() -> None:
    backend = ScriptedBackend(lifetime=60)
    play(backend, wanted(WEB), end=250)
    assert (calls(backend, "external_ip"), len(calls(backend))) == ([0, 120, 240], 9)


def test_a_restart_that_neither_announcement_nor_epoch_tells_is_mended_within_two_checks() -> None:
    backend = ScriptedBackend().reboots(130)
    story = wanted(WEB, PortRequest(UDP, 8080))
    play(backend, story, end=130 + 2 * 60 + 1)
    assert all(call.at <= 250 for call in backend.calls if call.hook == "add_mapping")
    assert calls(backend)[-2:] == [240, 240]


RESTARTS = range(1, 360, 13)  # seconds: three rounds of checks, and a renewal


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_a_pair_that_a_gateway_forgot_without_a_sign_is_asked_for_again_within_two_minutes(at: int) -> None:
    backend = ScriptedBackend().reboots(at)
    scripted.play(backend, wanted(WEB, PortRequest(UDP, 8080)), end=at + 121)
    asked = [call.arguments[0] for call in backend.calls if call.hook == "add_mapping" and call.at >= at]
    assert {TCP, UDP} <= set(asked)


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_all_that_a_readable_gateway_forgot_is_asked_for_again_within_two_minutes(at: int) -> None:
    backend = Readable().reboots(at)
    scripted.play(backend, wanted(WEB, DNS, PortRequest(TCP, 22)), end=at + 121)
    asked = [call.arguments[2] for call in backend.calls if call.hook == "add_mapping" and call.at >= at]
    assert {8080, 53, 22} <= set(asked)


@pytest.mark.parametrize("at", RESTARTS)
def test_by_default_the_gateway_is_asked_for_something_once_a_minute(at: int) -> None:
    backend = ScriptedBackend()
    scripted.play(backend, wanted(WEB, DNS), end=at + 61)
    assert any(at < call.at <= at + 60 for call in backend.calls)  # each answer of PCP and NAT-PMP has an epoch


def test_what_a_check_finds_missing_is_asked_for_at_once_although_earlier_alerts_changed_nothing() -> None:
    backend = Readable().reboots(130)
    alerts: list[tuple[float, Message]] = [(at, GatewayAlert("spoofed")) for at in range(60, 124)]
    play(backend, wanted(WEB, DNS) + alerts, end=190, policy=Policy(ip_interval=20))
    missing = next(at for at in calls(backend, "has_mapping") if at >= 130)
    assert [at for at in calls(backend) if at >= 130][:2] == [missing, missing]


class OneMappingAHost(Readable):
    """A gateway that lets each new mapping of a host replace the one before, without a word (tinynatpmpd)."""

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        self.table.clear()
        return super().add_mapping(protocol, external_port, internal_port, lifetime)


@pytest.mark.parametrize("requests", [(WEB, DNS), (WEB, replace(WEB, protocol=UDP)), (WEB, DNS, PortRequest(TCP, 22))])
def test_where_one_mapping_replaces_the_other_the_one_that_is_shut_is_said_to_be_lost_and_why(
    requests: tuple[PortRequest, ...],
) -> None:
    told = play(OneMappingAHost(), wanted(*requests), end=700)
    lost = mapping_events(told, "mapping.lost")
    assert len({event.key for event in lost}) == len(requests) - 1
    assert all("replaced it: the scripted gateway seems to hold one mapping per host" in event.reason for event in lost)
    assert not told.of("gateway.rebooted")


def test_where_one_mapping_replaces_the_other_one_stays_open_and_the_other_is_not_tried_for_an_hour() -> None:
    backend = OneMappingAHost()
    told = play(backend, wanted(WEB, DNS), end=3000)
    assert [at for at in calls(backend, port=53) if at > 121] == []
    assert mapping_events(told, "mapping.failed")[0].error == "OutOfResources"
    assert backend.table.keys() <= {WEB.key}
    assert [event.key for event in mapping_events(told, "mapping.removed")] == [WEB.key]


class LosesOne(Readable):
    """A gateway that loses the first mapping, and no other, once."""

    lost = False

    def _hear(self, hook: str, *arguments: object) -> None:
        if self.inbox.seconds > 100 and not self.lost:
            self.lost = True
            del self.table[WEB.key]
        super()._hear(hook, *arguments)


def test_a_mapping_that_alone_is_missing_is_opened_again_and_no_other_is_said_to_be_lost() -> None:
    backend = LosesOne()
    told = play(backend, wanted(WEB, DNS), end=190)
    assert min(calls(backend, port=8080)[1:]) == 120
    assert backend.lost
    assert not told.of("mapping.lost")
    assert seconds(told, "mapping.removed") == [190, 190]


class FallsSilent(LosesOne):
    """A gateway that loses the first mapping, and answers no second look at that moment."""

    looks = 0

    @hookimpl
    def has_mapping(self, protocol: Protocol, external_port: int, internal_port: int) -> bool:
        there = super().has_mapping(protocol, external_port, internal_port)
        self.looks += 1
        if self.looks == 2:
            raise GatewayTimeout("no answer to the second look")
        return there


def test_a_mapping_that_is_missing_at_a_gateway_that_falls_silent_has_everything_asked_for_again() -> None:
    backend = FallsSilent()
    play(backend, wanted(WEB, DNS), end=121)
    assert calls(backend) == [0, 0, 120, 120]
    assert calls(backend, "external_ip") == [0, 60, 120]


def test_where_the_table_can_be_read_a_mapping_is_looked_up_and_not_asked_for() -> None:
    backend = Readable()
    play(backend, wanted(WEB), end=290)
    assert (calls(backend, "has_mapping"), calls(backend)) == ([120, 240], [0])


def test_a_mapping_that_is_no_longer_listed_has_everything_asked_for_again_and_told() -> None:
    backend = Readable().reboots(90)
    told = play(backend, wanted(WEB, DNS), end=130)
    assert calls(backend)[2:] == [120, 120]
    ((at, event),) = told.of("gateway.rebooted")
    assert isinstance(event, GatewayEvent)
    assert (at, event.reason) == (120, "the scripted gateway no longer lists TCP 8080")


def test_a_table_that_cannot_be_read_now_has_the_mapping_asked_for() -> None:
    backend = Readable().refuse(0, FOREVER, hook="has_mapping")
    play(backend, wanted(WEB), end=130)
    assert calls(backend) == [0, 120]


def test_a_silent_look_up_has_the_gateway_checked_at_once() -> None:
    backend = Readable().silent(115, 125, hook="has_mapping")
    told = play(backend, wanted(WEB), end=130)
    assert 123.75 in calls(backend, "external_ip")
    assert "gateway.lost" not in told.names()


def test_how_often_is_a_matter_of_policy() -> None:
    backend = ScriptedBackend()
    play(backend, [], end=100, policy=Policy(ip_interval=40))
    assert calls(backend, "external_ip") == [0, 40, 80]


def test_an_unchanged_address_is_told_once_and_ends_nothing() -> None:
    told = play(ScriptedBackend(), wanted(WEB), end=700)
    assert seconds(told, "external_ip.changed") == [0]
    assert seconds(told, "mapping.removed") == [700]


def test_a_changed_address_is_told_with_the_one_before() -> None:
    (_, (_, event)) = play(ScriptedBackend().moves(100, "5.6.7.8"), [], end=200).of("external_ip.changed")
    assert isinstance(event, ExternalIPChanged)
    assert (str(event.external_ip), str(event.previous_ip)) == ("5.6.7.8", "1.2.3.4")


def test_a_changed_address_has_every_mapping_added_again_at_once() -> None:
    told = play(ScriptedBackend().moves(100, "5.6.7.8"), wanted(WEB, DNS), end=200)
    assert [
        (at, str(event.external_ip)) for at, event in told.of("mapping.changed") if isinstance(event, PortEvent)
    ] == [
        (180, "5.6.7.8"),
        (180, "5.6.7.8"),
    ]


def test_an_address_that_is_not_stated_changes_nothing_but_an_event() -> None:
    backend = ScriptedBackend().refuse(30, 400, hook="external_ip")
    told = play(backend, wanted(WEB), end=500)
    assert calls(backend) == [0, 120, 240, 360, 480]
    assert seconds(told, "external_ip.changed") == [0]


def test_an_address_that_is_not_stated_is_told_once_a_reason_with_the_last_known_one() -> None:
    told = play(ScriptedBackend().refuse(30, 400, "no uplink", hook="external_ip"), [], end=500)
    ((at, event),) = told.of("external_ip.failed")
    assert isinstance(event, ExternalIPFailed)
    assert (at, event.reason, event.error, str(event.external_ip)) == (60, "no uplink", "Refused", "1.2.3.4")


def test_an_address_that_comes_late_completes_the_mappings_at_once() -> None:
    told = play(ScriptedBackend().refuse(0, 50, hook="external_ip"), wanted(WEB), end=100)
    (event,) = mapping_events(told, "mapping.changed")
    assert (str(event.external_ip), event.scope) == ("1.2.3.4", Scope.PUBLIC)


def test_the_unspecified_address_is_an_error() -> None:
    told = play(ScriptedBackend().moves(0, "0.0.0.0"), wanted(WEB), end=10)  # noqa: S104  # nothing is bound
    assert told.names() == ["gateway.found", "external_ip.failed", "mapping.added", "mapping.removed"]


@pytest.mark.parametrize(
    ("address", "scope"), [("192.168.0.5", "private"), ("100.64.3.4", "cgnat"), ("192.0.0.2", "reserved")]
)
def test_an_unreachable_address_is_classified(address: str, scope: str) -> None:
    told = play(ScriptedBackend().moves(0, address), wanted(WEB), end=10)
    assert [event.scope for _, event in told.events if isinstance(event, ExternalIPChanged | PortEvent)][:2] == [
        scope,
        scope,
    ]
