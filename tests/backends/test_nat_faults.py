"""Nat: nonsense from a backend, what third parties raise, and the watch."""

import asyncio
from ipaddress import IPv4Address
from typing import Any, ClassVar

import pytest
from tests.backends.hanging_backends import LONG, Hung, Raises, add
from tests.stopwatch import Stopwatch

from portmap.backends.nat import Nat
from portmap.errors import Garbled, GatewayTimeout, PluginError, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, Protocol
from portmap.testing.scripted import ScriptedBackend


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


# nonsense


@pytest.mark.parametrize("answer", [None, "1.2.3.4", 16909060, Grant(80, 600), b"\1\2\3\4"])
def test_what_is_no_address_is_the_plugins_fault(answer: object) -> None:
    with pytest.raises(PluginError, match="where an address was due"):
        Nat(Answers(answer), "odd").external_ip()


def test_a_presence_that_cannot_be_shown_is_the_plugins_fault() -> None:
    class Unreadable:
        def __repr__(self) -> str:
            raise ValueError("no text")

    class Strange(ScriptedBackend):
        @hookimpl
        def has_mapping(self) -> bool | None:
            return Unreadable()  # type: ignore[return-value]  # third parties do that

    with pytest.raises(PluginError, match="ValueError: no text"):
        Nat(Strange(), "odd").has_mapping(Protocol.TCP, 80, 80)


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
    with pytest.raises(Garbled, match=f"granted port {port}, which is not a valid port"):
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
