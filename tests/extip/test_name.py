"""`extip:HOSTNAME`: a name is looked up again at every call."""

import threading
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NATError, NoGateway, PluginError
from portmap.model import Address
from portmap.network.name_lookup import look_up
from portmap_extip.backend import ExtIp
from portmap_extip.hostname import Hostname

LONG = 5.0  # seconds, that no test here waits out


def answers(*lookups: str) -> Callable[[str], list[Address]]:
    """A name server's answers, one a lookup; the last one holds for ever."""
    left = list(lookups)

    def look_up(_: str) -> list[Address]:
        answer = left.pop(0) if len(left) > 1 else left[0]
        return [ip_address(address) for address in answer.split()]

    return look_up


def named(*lookups: str) -> Hostname:
    return Hostname("home.example.org", answers(*lookups))


@pytest.fixture
def hanging() -> Iterator[tuple[Hostname, list[str], threading.Event]]:
    """A name whose lookup hangs until the event; with the lookups begun."""
    begun: list[str] = []
    release = threading.Event()

    def hang(name: str) -> list[Address]:
        begun.append(name)
        release.wait(LONG)
        return [ip_address("1.2.3.4")]

    yield Hostname("home.example.org", hang, timeout=0.02), begun, release
    release.set()


def test_a_name_is_looked_up_anew_at_every_call() -> None:
    name = named("1.2.3.4", "5.6.7.8")
    assert [str(name.address()) for _ in range(2)] == ["1.2.3.4", "5.6.7.8"]


def test_ipv4_is_preferred() -> None:
    assert str(named("2606:4700::1 1.2.3.4").address()) == "1.2.3.4"


def test_ipv6_will_do_where_there_is_no_ipv4() -> None:
    assert str(named("2606:4700::1").address()) == "2606:4700::1"


def test_a_name_server_that_changes_the_order_changes_nothing() -> None:
    name = named("1.2.3.4 5.6.7.8", "5.6.7.8 1.2.3.4")
    assert name.address() == name.address()


def test_an_address_that_is_gone_from_the_answer_is_given_up() -> None:
    name = named("1.2.3.4 5.6.7.8", "5.6.7.8")
    assert [str(name.address()) for _ in range(2)] == ["1.2.3.4", "5.6.7.8"]


def test_a_private_address_is_the_users_own_word() -> None:
    assert str(named("192.168.1.5").address()) == "192.168.1.5"


@pytest.mark.parametrize("address", ["127.0.1.1", "::1", "0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "fe80::1"])  # noqa: S104
def test_an_address_at_which_no_other_host_reaches_us_is_none(address: str) -> None:
    with pytest.raises(NoGateway, match=f"home.example.org is {address}, where no other host reaches you"):
        named(address).address()


def test_one_usable_address_among_others_is_found() -> None:
    assert str(named("127.0.1.1 1.2.3.4").address()) == "1.2.3.4"


def test_a_lookup_that_hangs_is_not_waited_for(hanging: tuple[Hostname, list[str], threading.Event]) -> None:
    name, _, _ = hanging
    with Stopwatch() as watch, pytest.raises(GatewayTimeout, match=r"could not be looked up within 0\.02 s"):
        name.address()
    assert watch.seconds < 1


def test_while_a_lookup_hangs_no_other_is_begun(hanging: tuple[Hostname, list[str], threading.Event]) -> None:
    name, begun, _ = hanging
    for _ in range(3):
        with pytest.raises(GatewayTimeout):
            name.address()
    assert len(begun) == 1


def test_a_lookup_that_ends_late_answers_the_next_call(
    hanging: tuple[Hostname, list[str], threading.Event],
) -> None:
    name, _, release = hanging
    with pytest.raises(GatewayTimeout):
        name.address()
    release.set()
    assert str(_in_the_end(name)) == "1.2.3.4"


def test_the_system_is_asked_without_leaving_this_host() -> None:
    assert {str(address) for address in look_up("localhost")} <= {"127.0.0.1", "::1"}


def test_a_name_that_the_system_does_not_know_is_an_error_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    with pytest.raises(NoGateway, match=r"home\.example\.org has no address \(Name or service not known\)"):
        Hostname("home.example.org").address()


def test_a_fault_of_ours_is_reported_as_one() -> None:
    def fail(_: str) -> list[Address]:
        raise LookupError("oops")

    backend = ExtIp(Hostname("home.example.org", fail).address, "home.example.org")
    with pytest.raises(PluginError, match="LookupError: oops"):
        Nat(backend, "extip").external_ip()


def _in_the_end(name: Hostname) -> Address:
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        try:
            return name.address()
        except NATError:
            pass
    pytest.fail("it never came")
