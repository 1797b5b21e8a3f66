"""What a session says of itself, and where others on this host read it."""

import json
import os
import re
import stat
import subprocess
import sys
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from portmap.errors import Garbled
from portmap.events import (
    Event,
    ExternalIPChanged,
    GatewayFound,
    GatewayLost,
    PortAdded,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
)
from portmap.model import Key, Mapping, PortRequest, Protocol, Scope
from portmap.storage.status import PublisherStatus, SessionStatus, from_text, to_text
from portmap.storage.status_file import StatusFile, live_sessions, status_folder

WEB = PortRequest(Protocol.TCP, 8080, 80, "web")
OPEN = Mapping(Protocol.TCP, 8080, 80, 600, IPv4Address("1.2.3.4"), "web")
NEW = SessionStatus(1, "", "pmp", 0.0, 0.0).with_requests([WEB], ipv6=False)


def told(*events: Event, start: SessionStatus = NEW) -> SessionStatus:
    notice = start
    for second, event in enumerate(events, 1):
        notice = notice.after(event, float(second))
    return notice


def failed(port: int | None = None) -> PortFailed:
    return PortFailed(protocol=Protocol.TCP, internal_port=8080, external_port=port, reason="not today")


def test_what_was_not_tried_yet_is_pending() -> None:
    assert [port.state for port in NEW.ports] == ["pending"]
    assert not NEW.healthy


def test_an_open_port_is_up_until_its_lease_ends() -> None:
    (port,) = told(PortAdded.of(OPEN)).ports
    assert (port.state, port.external_ip, port.external_port, port.expires) == ("up", "1.2.3.4", 80, 601.0)


def test_a_renewal_moves_the_end_and_not_the_beginning() -> None:
    (port,) = told(PortAdded.of(OPEN), PortRenewed.of(OPEN)).ports
    assert (port.since, port.expires) == (1.0, 602.0)


def test_a_failed_renewal_leaves_the_port_up_with_the_reason() -> None:
    notice = told(PortAdded.of(OPEN), failed(80))
    assert notice.healthy
    assert (notice.ports[0].reason, notice.ports[0].expires) == ("not today", 601.0)


def test_a_port_that_cannot_be_opened_has_failed() -> None:
    (port,) = told(failed()).ports
    assert (port.state, port.reason) == ("failed", "not today")


def test_a_lost_port_is_not_healthy() -> None:
    notice = told(PortAdded.of(OPEN), PortLost.of(OPEN, reason="gone"))
    assert (notice.ports[0].state, notice.healthy) == ("lost", False)


def test_a_removed_port_is_no_longer_wanted() -> None:
    assert told(PortAdded.of(OPEN), PortRemoved.of(OPEN)).ports == ()


def test_gateway_and_address_are_known() -> None:
    address = ExternalIPChanged(external_ip=IPv4Address("1.2.3.4"), scope=Scope.PUBLIC)
    notice = told(GatewayFound(gateway="G"), address)
    assert (notice.gateway, notice.found, notice.external_ip, notice.scope) == ("G", True, "1.2.3.4", "public")
    assert told(GatewayFound(gateway="G"), GatewayLost(gateway="G")).found is False


def test_a_pinhole_is_a_port_of_its_own_and_a_bonus() -> None:
    both = NEW.with_requests([WEB], ipv6=True)
    assert told(PortAdded.of(OPEN), start=both).healthy
    hole = PortAdded.of(Mapping(Protocol.TCP, 8080, 8080, 120, IPv6Address("2600::2")), kind="pinhole")
    assert [port.ipv6 for port in told(PortAdded.of(OPEN), hole, start=both).ports] == [False, True]


def test_beside_mappings_a_pinhole_has_no_row_before_anything_happened_to_it() -> None:
    both = NEW.with_requests([WEB], ipv6=True)
    assert [port.ipv6 for port in both.ports] == [False]
    refused = PortFailed(kind="pinhole", protocol=Protocol.TCP, internal_port=8080, reason="not today")
    assert [port.ipv6 for port in told(refused, start=both).ports] == [False, True]


def test_a_port_that_is_wanted_no_more_has_no_row() -> None:
    assert NEW.without(WEB.key).ports == ()
    assert NEW.without(Key(Protocol.UDP, 8080)).ports == NEW.ports


def test_where_only_ipv6_is_wanted_the_pinhole_decides() -> None:
    only = SessionStatus(1, "", "pcp", 0.0, 0.0).with_requests([WEB], ipv6=True)
    assert not only.healthy


def test_a_publisher_in_trouble_is_not_healthy() -> None:
    notice = told(PortAdded.of(OPEN)).with_publisher(PublisherStatus("enr", ok=False, since=1.0, reason="401"), 2.0)
    assert not notice.healthy
    assert notice.with_publisher(PublisherStatus("enr", ok=True, since=3.0), 3.0).healthy


def test_a_notice_reads_as_it_was_written() -> None:
    notice = told(PortAdded.of(OPEN)).with_publisher(PublisherStatus("enr", ok=True, since=1.0), 2.0)
    assert from_text(to_text(notice)) == notice


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"v": 2}', '{"v": 1}', json.dumps({**json.loads(to_text(NEW)), "pid": "1"})],
)
def test_what_is_no_notice_is_garbled(text: str) -> None:
    with pytest.raises(Garbled):
        from_text(text)


@pytest.mark.parametrize("number", ["Infinity", "-Infinity", "NaN", "1e999", "9" * 400])
def test_a_time_that_no_clock_shows_is_garbled_so_that_one_file_hides_no_other(number: str) -> None:
    text = to_text(told(PortAdded.of(OPEN)).with_publisher(PublisherStatus("enr", ok=True, since=1.0), 2.0))
    times = list(re.finditer(r'"(?:started|updated|expires|since)": ([0-9.]+)', text))
    assert len(times) == 5
    for time in times:
        with pytest.raises(Garbled):
            from_text(text[: time.start(1)] + number + text[time.end(1) :])


def test_a_pinned_notice_is_seen(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    board.write()
    assert live_sessions(tmp_path) == (NEW,)
    board.close()


def test_a_change_is_seen_once_it_is_pinned(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    board.write()
    board.apply(PortAdded.of(OPEN))
    assert not live_sessions(tmp_path)[0].healthy
    board.write()
    assert live_sessions(tmp_path)[0].healthy
    board.close()


def test_the_end_of_a_session_takes_its_notice_down(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    board.write()
    board.close()
    board.close()
    assert live_sessions(tmp_path) == ()
    assert list(status_folder(tmp_path).iterdir()) == []


def test_a_session_that_died_counts_for_nothing_and_is_cleared_away(tmp_path: Path) -> None:
    died = (
        "import os, sys; from pathlib import Path\n"
        "from portmap.storage.status import SessionStatus; from portmap.storage.status_file import StatusFile\n"
        "StatusFile(Path(sys.argv[1]), SessionStatus(1, '', 'pmp', 0.0, 0.0)).write(); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", died, str(tmp_path)], check=False, timeout=30)
    assert len(list(status_folder(tmp_path).glob("*.json"))) == 1
    assert live_sessions(tmp_path) == ()
    assert list(status_folder(tmp_path).iterdir()) == []


def test_an_empty_status_folder_is_no_error(tmp_path: Path) -> None:
    assert live_sessions(tmp_path / "nowhere") == ()


def test_a_status_file_that_makes_no_sense_is_passed_over(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    board.write()
    next(status_folder(tmp_path).glob("*.json")).write_text("{")
    assert live_sessions(tmp_path) == ()
    board.close()


def test_a_status_folder_that_cannot_be_written_costs_only_the_status(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = StatusFile(tmp_path, NEW)
    status_folder(tmp_path).joinpath(next(status_folder(tmp_path).glob("*.lock")).stem + ".json").mkdir()
    board.write()
    assert "does not show this session" in caplog.text
    board.close()


@pytest.mark.timeout(10)
def test_a_pipe_among_the_files_delays_no_reader(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    os.mkfifo(status_folder(tmp_path) / "1-00000abc.json")
    os.mkfifo(status_folder(tmp_path) / "1-00000abc.lock")
    board.write()
    assert live_sessions(tmp_path) == (NEW,)
    board.close()


def test_a_status_is_for_its_owner_alone(tmp_path: Path) -> None:
    board = StatusFile(tmp_path, NEW)
    board.write()
    assert {stat.S_IMODE(path.stat().st_mode) for path in status_folder(tmp_path).iterdir()} == {0o600}
    board.close()
