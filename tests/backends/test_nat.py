"""Nat: typed calls with real threads and short deadlines."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.errors import Garbled, GatewayTimeout, PluginError, Refused, SpecError
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.loading.construct import construct
from portmap.loop.inbox import Inbox, Interrupted, Stop
from portmap.model import Address, Grant, Kind, Protocol
from portmap.syntax.specs import Spec
from portmap.testing.scripted import ScriptedBackend

TCP = Protocol.TCP
SOON = 0.02  # seconds: a deadline that a hung call overruns
LONG = 5.0  # seconds, that no test here waits out
Eventually = Callable[[Callable[[], object]], None]


class Hung(ScriptedBackend):
    """Hangs in every hook until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def _hear(self, hook: str, *arguments: object) -> None:
        self.released.wait(LONG)
        super()._hear(hook, *arguments)


class Answers(ScriptedBackend):
    """Answers every question with the same thing."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    @hookimpl
    def external_ip(self) -> Address:
        return self.answer  # type: ignore[no-any-return]  # third parties do that

    @hookimpl
    def add_mapping(self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int) -> Grant:
        return self.answer  # type: ignore[no-any-return]  # third parties do that


class Raises(ScriptedBackend):
    """Raises the same thing in every hook."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def _hear(self, hook: str, *arguments: object) -> None:
        raise self.error


@pytest.fixture
def hung() -> Iterator[Hung]:
    backend = Hung()
    yield backend
    backend.released.set()


def add(nat: Nat, timeout: float = LONG) -> Grant:
    return nat.add_mapping(TCP, 0, 80, "web", 600, timeout=timeout)


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


# nonsense


@pytest.mark.parametrize("answer", [None, "1.2.3.4", 16909060, Grant(80, 600), b"\1\2\3\4"])
def test_what_is_no_address_is_the_plugins_fault(answer: object) -> None:
    with pytest.raises(PluginError, match="where an address was due"):
        Nat(Answers(answer), "odd").external_ip()


def test_the_unspecified_address_is_garbled() -> None:
    with pytest.raises(Garbled, match="it has none yet"):
        Nat(Answers(IPv4Address(0)), "odd").external_ip()


def grant(*parts: Any) -> Grant:
    """A Grant with values of wrong types."""
    return Grant(*parts)


@pytest.mark.parametrize("answer", [None, 80, (80, 600), True])
def test_what_is_no_grant_is_the_plugins_fault(answer: object) -> None:
    with pytest.raises(PluginError, match="where a Grant was due"):
        add(Nat(Answers(answer), "odd"))


@pytest.mark.parametrize(
    "answer",
    [
        grant("80", 600),
        grant(None, 600),
        grant(80.5, 600),
        grant(80, "600"),
        grant(80, None),
        grant(80, 600.5),
        grant(80, 600, "1.2.3.4"),
    ],
)
def test_a_grant_of_the_wrong_types_is_the_plugins_fault(answer: object) -> None:
    with pytest.raises(PluginError, match="where a Grant was due"):
        add(Nat(Answers(answer), "odd"))


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_that_cannot_be_is_garbled(port: int) -> None:
    with pytest.raises(Garbled, match=f"granted port {port}, which is none"):
        add(Nat(Answers(Grant(port, 600)), "odd"))


@pytest.mark.parametrize("lifetime", [-1, 2**32])
def test_a_lifetime_that_cannot_be_is_garbled(lifetime: int) -> None:
    with pytest.raises(Garbled, match="granted a lifetime"):
        add(Nat(Answers(Grant(80, lifetime)), "odd"))


def test_a_permanent_grant_is_a_good_one() -> None:
    assert add(Nat(Answers(Grant(80, 0)), "fine")).lifetime == 0


# what third parties raise


@pytest.mark.parametrize(
    "error", [ValueError("oops"), OSError(5, "oops"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()]
)
def test_a_plugins_exception_is_reported_with_its_name(error: BaseException) -> None:
    with pytest.raises(PluginError, match=f"acme 1.0 raised {type(error).__name__}") as caught:
        Nat(Raises(error), "acme 1.0").external_ip()
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [Refused("no"), GatewayTimeout("silence"), PluginError("no library")])
def test_portmaps_own_errors_come_through_as_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught:
        add(Nat(Raises(error), "fake"))
    assert caught.value is error


def test_a_backend_that_raised_is_asked_again() -> None:
    nat = Nat(ScriptedBackend().fails(0, 1, lambda: KeyError("oops"), "external_ip"), "fake")
    with pytest.raises(PluginError):
        nat.external_ip()
    assert add(nat) == Grant(80, 600)


def test_a_name_that_cannot_be_had_is_the_plugins() -> None:
    class Nameless(ScriptedBackend):
        def __str__(self) -> str:
            raise ValueError("oops")

    assert str(Nat(Nameless(), "acme 1.0")) == "acme 1.0"


# the watch


def test_a_watch_gets_the_alert_and_its_closer_ends_it() -> None:
    class Watching(ScriptedBackend):
        @hookimpl
        def watch(self, alert: Alert) -> Closer:
            self.alert = alert
            return lambda: told.append("closed")

    told: list[str] = []
    backend = Watching()
    close = Nat(backend, "watching").watch(told.append)
    backend.forget("reboot")
    close()
    assert told == ["reboot", "closed"]


def test_a_backend_without_a_watch_has_nothing_to_close() -> None:
    class Blind:
        kind: ClassVar[Kind] = Kind.LOOP
        external_ip = ScriptedBackend.external_ip
        add_mapping = ScriptedBackend.add_mapping
        delete_mapping = ScriptedBackend.delete_mapping

    Nat(Blind(), "blind").watch(print)()


def test_a_watch_that_does_not_end_is_logged_and_left(hung: Hung, caplog: pytest.LogCaptureFixture) -> None:
    class Clinging(ScriptedBackend):
        @hookimpl
        def watch(self, alert: Alert) -> Closer:
            return lambda: print(hung.released.wait(LONG))

    with Stopwatch() as watch:
        Nat(Clinging(), "clinging").watch(print)()
    assert watch.seconds < 1
    assert "clinging does not end its watch" in caplog.text


def test_a_watch_that_returns_no_closer_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    class Odd(ScriptedBackend):
        @hookimpl
        def watch(self, alert: Alert) -> Closer:
            return 5  # type: ignore[return-value]  # third parties do that

    Nat(Odd(), "odd").watch(print)()
    assert "odd does not end its watch" in caplog.text


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
