"""The loop on scripted time: a gateway without an answer, one that refuses, one that answers with nonsense."""

import logging
from collections.abc import Callable
from itertools import count, pairwise

import pytest
from tests.loop.scripted_loop import DNS, FOREVER, HELD, RARELY, TCP, WEB, calls, mapping_events, play, seconds, wanted

from portmap.errors import Conflict, Garbled, NoGateway, NotAuthorized, OutOfResources, PluginError, Refused
from portmap.events import (
    GatewayEvent,
    GatewayLost,
)
from portmap.hookspecs import Alert as AlertHook
from portmap.hookspecs import Closer, hookimpl
from portmap.loop.policy import Policy
from portmap.model import Grant, PortRequest, Protocol
from portmap.testing.scripted import ScriptedBackend

# no answer


def test_a_gateway_that_is_not_found_at_first_is_looked_for_again() -> None:
    backend = ScriptedBackend().fails(0, 20, lambda: NoGateway("no answer"), "")
    told = play(backend, wanted(WEB), end=60)
    assert calls(backend, "external_ip")[:6] == [0, 1, 3, 7, 15, 31]
    assert told.names() == [
        "gateway.lost",
        "mapping.failed",
        "gateway.found",
        "external_ip.changed",
        "mapping.added",
        "mapping.removed",
    ]


def test_a_gateway_that_falls_silent_is_lost_once_with_the_reason() -> None:
    told = play(ScriptedBackend().silent(100, FOREVER), wanted(WEB), end=550)
    ((at, event),) = told.of("gateway.lost")
    assert isinstance(event, GatewayEvent)
    assert (at, event.reason, event.error) == (127.5, "the scripted gateway is silent", "GatewayTimeout")


def test_a_gateway_that_is_back_has_everything_added_again_at_once() -> None:
    told = play(ScriptedBackend().silent(100, 130).reboots(125), wanted(WEB, DNS), end=200)
    (found,) = seconds(told, "gateway.found")[1:]
    assert seconds(told, "mapping.renewed") == [found, found]


def test_silence_never_changes_the_address() -> None:
    told = play(ScriptedBackend().silent(100, 200), wanted(WEB), end=300)
    assert seconds(told, "external_ip.changed") == [0]


def test_one_silent_attempt_has_the_gateway_looked_at_but_not_given_up() -> None:
    backend = ScriptedBackend().silent(300, 303, hook="add_mapping")
    told = play(backend, wanted(WEB), end=320, policy=RARELY)
    assert "gateway.lost" not in told.names()
    assert 303.75 in calls(backend, "external_ip")


def test_a_lost_gateway_is_asked_for_one_port_at_a_time() -> None:
    requests = [PortRequest(TCP, port) for port in range(1000, 1010)]
    backend = ScriptedBackend().silent(0, 10)
    play(backend, wanted(*requests), end=9)
    assert calls(backend) == [3.75]


def test_while_a_gateway_is_lost_it_is_checked_between_two_ports_that_are_asked_for() -> None:
    backend = ScriptedBackend().silent(0, FOREVER)
    play(backend, wanted(*(PortRequest(TCP, port) for port in range(1000, 1010))), end=60)
    asked = [call.hook for call in backend.calls if call.at < 60]
    assert asked.count("add_mapping") > 3
    assert ("add_mapping", "add_mapping") not in pairwise(asked)


def test_a_gateway_that_maps_but_never_states_its_address_is_used() -> None:
    told = play(ScriptedBackend(lifetime=20).silent(0, FOREVER, hook="external_ip"), wanted(WEB, DNS), end=600)
    assert told.names().count("gateway.lost") == 1
    held = [at for at, event in told.events if isinstance(event, HELD) and event.key == WEB.key]
    assert all(later - earlier <= 20 for earlier, later in pairwise([*held, 600]))


def test_a_gateway_that_states_its_address_but_never_maps_is_not_lost_and_found_all_the_time() -> None:
    told = play(ScriptedBackend().silent(0, FOREVER, hook="add_mapping"), wanted(WEB, DNS), end=2000)
    assert told.names() == ["gateway.found", "external_ip.changed", "mapping.failed", "mapping.failed"]


def test_a_gateway_that_refuses_everything_is_there() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER, hook="")
    assert play(backend, wanted(WEB), end=100).names() == ["gateway.found", "external_ip.failed", "mapping.failed"]


def test_an_attempt_that_works_has_a_lost_gateway_looked_at_again() -> None:
    backend = ScriptedBackend().silent(0, 300)
    told = play(backend, wanted(WEB), end=400)
    (added,) = seconds(told, "mapping.added")
    assert seconds(told, "gateway.found") == [added]


# a gateway that says no


def test_an_unmapped_port_is_retried_from_1_s_up_to_once_a_minute() -> None:
    backend = ScriptedBackend().refuse(0, FOREVER)
    play(backend, wanted(WEB), end=250)
    assert calls(backend) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_a_failure_is_announced_once_for_each_kind_of_error() -> None:
    full, forbidden = (lambda: OutOfResources("full")), (lambda: NotAuthorized("forbidden"))
    backend = ScriptedBackend().fails(0, 100, full, "add_mapping").fails(100, 200, forbidden, "add_mapping")
    told = play(backend, wanted(WEB), end=300)
    assert [event.reason for event in mapping_events(told, "mapping.failed")] == ["full", "forbidden"]


def test_a_failure_is_told_with_its_error_for_programs() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: OutOfResources("the table is full"), "add_mapping")
    (event,) = mapping_events(play(backend, wanted(WEB), end=5), "mapping.failed")
    assert (event.error, event.external_port, event.key) == ("OutOfResources", None, WEB.key)


def test_a_failure_is_warned_of_once_and_repeated_for_debugging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "portmap.loop"):
        play(ScriptedBackend().refuse(0, 10, "full"), wanted(WEB), end=8)
    told = [(record.levelname, record.getMessage()) for record in caplog.records if "full" in record.getMessage()]
    assert [line for line in told if line[0] == "WARNING"] == [("WARNING", "TCP 8080 is not mapped: full")]
    assert told.count(("DEBUG", "TCP 8080 is still not mapped: full")) == 3


def test_a_lost_gateway_is_warned_of_once_too(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "portmap.loop"):
        play(ScriptedBackend().silent(0, FOREVER), [], end=500)
    assert [record.getMessage() for record in caplog.records] == [
        "the scripted gateway is lost: the scripted gateway is silent"
    ]


def test_a_failed_renewal_is_not_called_an_unmapped_port(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "portmap.loop"):
        play(ScriptedBackend().refuse(300, 301, "busy"), wanted(WEB), end=310, policy=RARELY)
    assert [record.getMessage() for record in caplog.records] == ["TCP 8080 is not renewed: busy"]


def test_one_refused_port_does_not_hinder_another() -> None:
    class Picky(ScriptedBackend):
        @hookimpl
        def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
            if protocol is TCP:
                raise Conflict("taken")
            return super().add_mapping(protocol, external_port, internal_port, lifetime)

    told = play(Picky(), wanted(WEB, DNS), end=1000)
    assert seconds(told, "mapping.renewed") == [300, 600, 900]


# a gateway, or a plugin, that talks nonsense


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_is_none_is_an_error_and_never_announced(port: int) -> None:
    told = play(ScriptedBackend(ports=lambda _: port), wanted(WEB), end=10)
    assert told.names() == ["gateway.found", "external_ip.changed", "mapping.failed"]
    assert [event.error for event in mapping_events(told, "mapping.failed")] == ["Garbled"]


@pytest.mark.parametrize("lifetime", [-1, 2**32])
def test_a_lifetime_that_is_none_is_an_error(lifetime: int) -> None:
    told = play(ScriptedBackend(lifetime=lifetime), wanted(WEB), end=10)
    assert told.names()[2:] == ["mapping.failed"]


def test_nonsense_in_a_renewal_keeps_the_lease() -> None:
    backend = ScriptedBackend(ports=lambda _: 0 if 300 <= backend.inbox.seconds < 400 else 8080)
    told = play(backend, wanted(WEB), end=700)
    assert "mapping.lost" not in told.names()
    assert all(event.external_port for event in mapping_events(told, "mapping.renewed"))


@pytest.mark.parametrize("error", [ValueError("oops"), PluginError("oops"), Garbled("oops"), KeyError("oops")])
def test_a_plugin_that_raises_is_retried_and_loses_nothing(error: Exception) -> None:
    backend = ScriptedBackend().fails(290, 400, lambda: error, "")
    told = play(backend, wanted(WEB), end=1000)
    assert seconds(told, "mapping.removed") == [1000]
    assert "mapping.lost" not in told.names()


def test_a_plugins_own_error_is_told_with_its_name() -> None:
    backend = ScriptedBackend().fails(0, 10, lambda: ValueError("oops"), "add_mapping")
    (event,) = mapping_events(play(backend, wanted(WEB), end=5), "mapping.failed")
    assert (event.reason, event.error) == ("scripted raised ValueError: oops", "PluginError")


def test_a_broken_plugin_is_no_gateway_found() -> None:
    backend = ScriptedBackend().fails(0, FOREVER, lambda: ValueError("oops"), "")
    assert play(backend, wanted(WEB), end=100).names() == ["external_ip.failed", "mapping.failed"]


def test_a_watch_that_cannot_be_started_stops_nothing() -> None:
    class Blind(ScriptedBackend):
        @hookimpl
        def watch(self, alert: AlertHook) -> Closer:
            raise OSError("no netlink here")

    assert "mapping.added" in play(Blind(), wanted(WEB), end=1).names()


# Words of the gateway


def in_new_words(code: int = 0) -> Callable[[], Exception]:
    """Refusals of one kind, each worded anew."""
    numbers = count()
    return lambda: Refused(f"refusal number {next(numbers)}", code=code)


def test_a_refusal_in_new_words_each_time_is_told_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    backend = ScriptedBackend().fails(0, 300, in_new_words(), "add_mapping")
    with caplog.at_level(logging.INFO, "portmap"):
        told = play(backend, wanted(WEB), end=290)
    assert len(calls(backend)) > 5
    assert len(seconds(told, "mapping.failed")) == 1
    assert len([record for record in caplog.records if "refusal number" in record.getMessage()]) == 1


def test_a_refusal_with_another_code_is_told() -> None:
    backend = (
        ScriptedBackend().fails(0, 20, in_new_words(1), "add_mapping").fails(20, 60, in_new_words(2), "add_mapping")
    )
    assert len(seconds(play(backend, wanted(WEB), end=59), "mapping.failed")) == 2


def test_an_address_refused_in_new_words_each_time_is_told_once() -> None:
    backend = ScriptedBackend().fails(0, 900, in_new_words(), "external_ip")
    assert len(seconds(play(backend, [], end=890), "external_ip.failed")) == 1


def test_the_failures_of_an_optional_path_are_logged_for_debugging_only(caplog: pytest.LogCaptureFixture) -> None:
    backend = ScriptedBackend().silent(0, 300)
    with caplog.at_level(logging.INFO, "portmap"):
        play(backend, wanted(WEB), end=290, policy=Policy(optional=True))
    assert not caplog.records


def test_a_lost_gateway_is_told_with_the_time_until_the_next_try() -> None:
    told = play(ScriptedBackend().silent(0, 300), wanted(WEB), end=60)
    ((at, event),) = told.of("gateway.lost")
    assert isinstance(event, GatewayLost)
    assert (at, event.retry_in) == (3.75, 1.0)
