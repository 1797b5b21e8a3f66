"""What the service manager is told: the texts, the socket, the line about all mappings, and when what is said."""

import socket
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from portmap.cli.hold.no_service_manager import VARIABLES, NoServiceManager, service_reporter
from portmap.cli.hold.service_manager import MAX_STATUS, ServiceReporter, SystemdNotifier, ready, reloading, status_is
from portmap.cli.hold.summary import Summary
from portmap.events import ExternalIPChanged, GatewayFound, GatewayLost, PortAdded, PortFailed, PortLost, PortRemoved
from portmap.model import Key, Protocol, Scope

WEB: Key = Key(Protocol.TCP, 8080)
DNS: Key = Key(Protocol.UDP, 53)
HERE = "the gateway"


def added(key: Key = WEB, name: str = "web") -> PortAdded:
    return PortAdded(protocol=key[0], internal_port=key[1], external_port=key[1], name=name)


def failed(key: Key = WEB, *, still_open_at: int | None = None) -> PortFailed:
    return PortFailed(protocol=key[0], internal_port=key[1], external_port=still_open_at, reason="refused")


def address(text: str, scope: Scope = Scope.PUBLIC) -> ExternalIPChanged:
    return ExternalIPChanged(external_ip=IPv4Address(text), scope=scope)


# texts


def test_ready_carries_the_status() -> None:
    assert ready("all is well") == "READY=1\nSTATUS=all is well"


def test_a_reload_says_when_it_began_in_microseconds() -> None:
    assert reloading(12.345678) == "RELOADING=1\nMONOTONIC_USEC=12345678"


def test_a_status_is_one_line_of_bounded_length() -> None:
    assert status_is("a\nREADY=1\x1b") == "STATUS=a READY=1 "
    assert len(status_is("x" * 1000)) == len("STATUS=") + MAX_STATUS


# the socket


class Manager:
    """A socket as systemd has one."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(5)
        self.socket.bind(address)

    def heard(self) -> str:
        return self.socket.recv(4096).decode()

    def heard_so_far(self) -> list[str]:
        self.socket.setblocking(False)
        told = []
        try:
            while True:
                told.append(self.heard())
        except BlockingIOError:
            return told


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(str(tmp_path / "notify"))
    yield manager
    manager.socket.close()


@pytest.fixture
def notifier(tmp_path: Path, manager: Manager) -> SystemdNotifier:
    return SystemdNotifier.from_environment({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "3000000"}, 1)


def test_a_message_arrives(notifier: SystemdNotifier, manager: Manager) -> None:
    notifier.send("READY=1")
    assert manager.heard() == "READY=1"


def test_an_abstract_socket_is_reached_too(tmp_path: Path) -> None:
    manager = Manager(f"\0{tmp_path}")
    try:
        SystemdNotifier.from_environment({"NOTIFY_SOCKET": f"@{tmp_path}"}, 1).send("READY=1")
        assert manager.heard() == "READY=1"
    finally:
        manager.socket.close()


@pytest.mark.parametrize("address", ["", "/nowhere/at/all", "relative", "/x" * 200, "/nul\0"])
def test_a_manager_that_does_not_listen_costs_nothing(address: str) -> None:
    SystemdNotifier.from_environment({"NOTIFY_SOCKET": address}, 1).send("READY=1")


def test_a_manager_that_reads_nothing_delays_nothing(notifier: SystemdNotifier, manager: Manager) -> None:
    for _ in range(2000):
        notifier.send("WATCHDOG=1")
    assert manager.heard() == "WATCHDOG=1"


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "90000000"}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "7"}, 90.0),
        ({"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "99999999999999999999999"}, 86_400.0),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-1"}, None),
    ],
)
def test_the_watchdog_is_fed_only_if_it_is_ours(environment: dict[str, str], seconds: float | None) -> None:
    assert SystemdNotifier.from_environment(environment, 7).watchdog == seconds


# the line


@pytest.fixture
def summary() -> Summary:
    summary = Summary()
    summary.add("home", [WEB, DNS])
    return summary


def test_what_is_up_is_counted_with_its_address(summary: Summary) -> None:
    summary.apply("home", address("203.0.113.7"))
    summary.apply("home", added())
    assert summary.line() == "1 of 2 mappings up at 203.0.113.7"


def test_what_is_not_up_says_why(summary: Summary) -> None:
    summary.apply("home", added())
    summary.apply("home", failed(DNS))
    assert summary.line() == "1 of 2 mappings up; 53/udp: refused"


def test_a_lost_gateway_is_told_until_it_is_found(summary: Summary) -> None:
    summary.apply("home", GatewayLost(gateway=HERE, reason="it is silent"))
    assert summary.line() == "0 of 2 mappings up; it is silent"
    summary.apply("home", GatewayFound(gateway=HERE))
    assert summary.line() == "0 of 2 mappings up"


def test_an_unreachable_address_is_told(summary: Summary) -> None:
    summary.apply("home", address("100.64.0.1", Scope.CGNAT))
    assert "double NAT" in summary.line()


def test_a_single_mapping_is_not_counted() -> None:
    summary = Summary()
    summary.add("home", [WEB])
    assert summary.line() == "the mapping is not up"
    summary.apply("home", added())
    assert summary.line() == "the mapping is up"


def test_a_failed_renewal_leaves_the_mapping_up(summary: Summary) -> None:
    summary.apply("home", added())
    summary.apply("home", failed(still_open_at=8080))
    assert summary.line() == "1 of 2 mappings up"


def test_one_key_of_two_sessions_is_two_mappings(summary: Summary) -> None:
    summary.add("vpn", [WEB])
    summary.apply("vpn", added())
    assert (summary.line(), summary.is_complete) == ("1 of 3 mappings up", False)


def test_what_is_removed_or_ended_is_no_longer_counted(summary: Summary) -> None:
    summary.apply("home", added())
    summary.apply("home", PortRemoved(protocol=DNS[0], internal_port=DNS[1]))
    assert (summary.line(), summary.is_complete) == ("the mapping is up", True)
    summary.remove("home")
    assert summary.line() == "0 of 0 mappings up"


def test_settled_is_when_every_mapping_was_tried(summary: Summary) -> None:
    summary.apply("home", added())
    assert not summary.is_settled
    summary.apply("home", failed(DNS))
    assert summary.is_settled


def test_a_gateway_that_is_not_there_settles_it_too(summary: Summary) -> None:
    summary.apply("home", GatewayLost(gateway=HERE, reason="no answer"))
    assert summary.is_settled


# the herald


@pytest.fixture
def herald(notifier: SystemdNotifier) -> ServiceReporter:
    herald = ServiceReporter(notifier, lambda: 1.0)
    herald.expect("home", [WEB])
    herald.send()
    return herald


def test_before_the_first_attempt_only_the_status_is_told(herald: ServiceReporter, manager: Manager) -> None:
    assert manager.heard_so_far() == ["STATUS=the mapping is not up"]


def test_ready_is_said_once_and_then_the_status_when_it_changes(herald: ServiceReporter, manager: Manager) -> None:
    manager.heard()
    herald.apply("home", added())
    herald.apply("home", added())
    herald.apply("home", PortLost(protocol=WEB[0], internal_port=WEB[1], name="web"))
    assert manager.heard_so_far() == [
        "READY=1\nSTATUS=the mapping is up",
        "STATUS=the mapping is not up; web: lost",
    ]


def test_a_reload_is_framed(herald: ServiceReporter, manager: Manager) -> None:
    manager.heard()
    herald.reloading()
    herald.reloaded()
    assert manager.heard_so_far() == [
        "RELOADING=1\nMONOTONIC_USEC=1000000",
        "READY=1\nSTATUS=the mapping is not up",
    ]


def test_the_end_and_a_watchdog_message_are_sent(herald: ServiceReporter, manager: Manager) -> None:
    manager.heard()
    herald.send_watchdog()
    herald.stopping()
    assert manager.heard_so_far() == ["WATCHDOG=1", "STOPPING=1"]


def test_a_beat_is_due_twice_in_the_watchdogs_time(herald: ServiceReporter) -> None:
    assert herald.watchdog_interval == 1.5
    assert ServiceReporter(SystemdNotifier()).watchdog_interval is None


@pytest.mark.parametrize("variable", sorted(VARIABLES))
def test_a_command_started_by_a_service_manager_reports_to_it(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for other in VARIABLES:
        monkeypatch.delenv(other, raising=False)
    assert isinstance(service_reporter(), NoServiceManager)
    monkeypatch.setenv(variable, "1")
    assert isinstance(service_reporter(), ServiceReporter)


def test_without_a_service_manager_there_is_no_watchdog() -> None:
    assert NoServiceManager().watchdog_interval is None
