"""Nat: what is passed on, a backend that hangs, a stop, and how a backend is made."""

import gc
import threading
import time
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from tests.backends.hanging_backends import LONG, TCP, Hung, Raises, add
from tests.stopwatch import Stopwatch

from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, PluginError, Refused, SpecError
from portmap.hookspecs import hookimpl
from portmap.loading.construct import construct
from portmap.loop.inbox import Inbox, Interrupted, Stop
from portmap.model import Address, Grant
from portmap.syntax.plugin_specs import Spec
from portmap.testing.scripted import ScriptedBackend

SOON = 0.02  # seconds: a deadline that a hung call overruns
Eventually = Callable[[Callable[[], object]], None]


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


# what goes through


def test_the_hooks_are_asked_and_their_answers_returned() -> None:
    nat = Nat(ScriptedBackend(), "fake")
    assert (nat.external_ip(), add(nat)) == (IPv4Address("1.2.3.4"), Grant(80, 600))
    nat.delete_mapping(TCP, 80, 80)


class MapsForOthers(ScriptedBackend):
    """Takes the client of a mapping, but not of a look-up."""

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[Address | None] = []

    @hookimpl
    def add_mapping(self, internal_port: int, client: Address | None) -> Grant:  # type: ignore[override]  # a hook takes what it needs
        self.clients.append(client)
        return Grant(internal_port, 600)

    @hookimpl
    def delete_mapping(self, client: Address | None) -> None:  # type: ignore[override]  # as above
        self.clients.append(client)

    @hookimpl
    def has_mapping(self) -> bool:
        return True


NEIGHBOUR = IPv4Address("192.168.1.50")


def test_a_backend_that_takes_the_client_is_given_it_and_none_for_this_host() -> None:
    backend = MapsForOthers()
    nat = Nat(backend, "fake")
    nat.add_mapping(TCP, 0, 80, "web", 600, client=NEIGHBOUR)
    nat.delete_mapping(TCP, 80, 80, client=NEIGHBOUR)
    add(nat)
    assert backend.clients == [NEIGHBOUR, NEIGHBOUR, None]


def test_a_backend_that_does_not_take_the_client_is_not_asked_to_map_for_one() -> None:
    backend = ScriptedBackend()
    nat = Nat(backend, "fake")
    with pytest.raises(Refused, match=r"the scripted gateway opens ports for this host only, not for 192\.168\.1\.50"):
        nat.add_mapping(TCP, 0, 80, "web", 600, client=NEIGHBOUR)
    with pytest.raises(Refused):
        nat.delete_mapping(TCP, 80, 80, client=NEIGHBOUR)
    assert not backend.calls


def test_a_look_up_that_does_not_take_the_client_cannot_tell_of_another_host() -> None:
    nat = Nat(MapsForOthers(), "fake")
    assert nat.has_mapping(TCP, 80, 80) is True
    assert nat.has_mapping(TCP, 80, 80, client=NEIGHBOUR) is None


def test_a_backend_is_called_from_one_thread_of_its_own() -> None:
    class Telltale(ScriptedBackend):
        def _hear(self, hook: str, *arguments: object) -> None:
            seen.add(threading.current_thread().name)

    seen: set[str] = set()
    nat = Nat(Telltale(), "telltale")
    nat.external_ip()
    add(nat)
    assert seen == {"telltale"}


def test_nothing_is_started_before_the_first_call() -> None:
    Nat(ScriptedBackend(), "unasked")
    assert "unasked" not in threads()


def test_the_thread_is_a_daemon_so_that_a_hung_backend_holds_up_no_exit(hung: Hung) -> None:
    nat = Nat(hung, "hanging")
    nat.start_external_ip()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "hanging"]
    assert thread.daemon


@pytest.mark.parametrize("used", [False, True])
def test_the_thread_ends_when_the_backend_is_released(eventually: Eventually, used: bool) -> None:
    nat = Nat(ScriptedBackend(), "ending")
    if used:
        nat.external_ip()
    del nat
    gc.collect()
    eventually(lambda: "ending" not in threads())


def test_the_thread_ends_even_after_an_error(eventually: Eventually) -> None:
    nat = Nat(Raises(Refused("no")), "ending badly")
    with pytest.raises(Refused):
        nat.external_ip()
    del nat
    gc.collect()
    eventually(lambda: "ending badly" not in threads())


# who hangs


def test_a_hung_backend_is_a_timeout_that_names_it_and_the_time(hung: Hung) -> None:
    with pytest.raises(GatewayTimeout, match=r"the scripted gateway did not come back within 0.02 s"):
        Nat(hung, "hung").external_ip(timeout=SOON)


def test_while_a_call_hangs_no_other_is_made(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    for _ in range(2):
        with pytest.raises(GatewayTimeout):
            nat.external_ip(timeout=SOON)
    hung.released.set()
    nat.external_ip(timeout=LONG)
    assert len(hung.calls) == 2


def test_a_call_that_waits_for_an_earlier_one_says_so(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    nat.start_external_ip()
    with pytest.raises(GatewayTimeout, match="has not come back from an earlier call"):
        add(nat, timeout=SOON)


def test_a_call_waits_for_an_earlier_one_and_is_then_made(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    nat.start_external_ip()
    threading.Timer(SOON, hung.released.set).start()
    assert add(nat) == Grant(80, 600)


def test_waiting_for_an_earlier_call_is_part_of_the_deadline() -> None:
    class Slow(ScriptedBackend):
        def _hear(self, hook: str, *arguments: object) -> None:
            time.sleep(0.2)

    nat = Nat(Slow(), "slow")
    nat.start_external_ip()
    with pytest.raises(GatewayTimeout):
        add(nat, timeout=0.3)


def test_busy_until_the_call_comes_back(hung: Hung, eventually: Eventually) -> None:
    nat = Nat(hung, "hung")
    busy = [nat.busy]
    nat.start_external_ip()
    assert [*busy, nat.busy] == [False, True]
    hung.released.set()
    eventually(lambda: not nat.busy)


# a stop


def test_a_stop_interrupts_a_hung_call_at_once(hung: Hung) -> None:
    inbox = Inbox()
    nat = Nat(hung, "hung")
    threading.Timer(SOON, lambda: inbox.put(Stop())).start()
    with Stopwatch() as watch, nat.waiting_with(inbox.wait), pytest.raises(Interrupted):
        nat.external_ip(timeout=LONG)
    assert watch.seconds < 1


def interrupted(hung: Hung, nat: Nat) -> None:
    """Let a stop interrupt an attempt, and read the stop."""
    inbox = Inbox()
    inbox.put(Stop())
    with nat.waiting_with(inbox.wait), pytest.raises(Interrupted):
        add(nat)
    inbox.next(0)


def test_what_an_interrupted_attempt_comes_to_can_still_be_had(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    interrupted(hung, nat)
    hung.released.set()
    assert nat.late_grant(LONG) == Grant(80, 600)


def test_an_interrupted_attempt_that_hangs_on_comes_to_nothing(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    interrupted(hung, nat)
    assert nat.late_grant(SOON) is None


def test_an_interrupted_attempt_that_fails_comes_to_nothing(hung: Hung) -> None:
    nat = Nat(hung.refuse(0, 1), "hung")
    interrupted(hung, nat)
    hung.released.set()
    assert nat.late_grant(LONG) is None


def test_an_attempt_that_was_never_made_has_no_grant_of_another(hung: Hung) -> None:
    nat = Nat(hung, "hung")
    with pytest.raises(GatewayTimeout):
        nat.add_mapping(TCP, 0, 81, "", 600, timeout=SOON)
    interrupted(hung, nat)
    hung.released.set()
    assert nat.late_grant(SOON) is None


# how a backend is made


def test_a_spec_that_a_plugin_cannot_make_sense_of_is_the_users() -> None:
    with pytest.raises(SpecError, match="extip needs an address"):
        load("extip")


@pytest.mark.parametrize(
    "error", [ValueError("oops"), UnicodeDecodeError("ascii", b"", 0, 1, "oops"), SystemExit("oops"), TypeError("oops")]
)
def test_whatever_else_its_parser_raises_is_the_plugins_fault(error: BaseException) -> None:
    class Acme:
        @classmethod
        def from_argument(cls, argument: str | None) -> "Acme":
            raise error

    with pytest.raises(PluginError, match=f"acme raised {type(error).__name__} for its argument") as caught:
        construct(Acme, Spec("acme", "x"), "acme")
    assert not isinstance(caught.value, SpecError)


@pytest.mark.parametrize("made", [None, 5, "text", object()])
def test_a_parser_that_makes_no_backend_is_the_plugins_fault(made: object) -> None:
    with pytest.raises(PluginError, match="acme lacks the hook"):
        Nat(made, "acme")


def test_an_instance_that_breaks_on_sight_is_the_plugins_fault() -> None:
    class Fragile(ScriptedBackend):
        def __dir__(self) -> list[str]:
            raise ValueError("oops")

    with pytest.raises(PluginError, match="fragile breaks the contract"):
        Nat(Fragile(), "fragile")
