"""`portmap open` and `portmap close`: what is opened, remembered and closed again, each where it was opened."""

import errno
import json
from pathlib import Path

import pytest
from tests.cli.opened_ports import Told, close, left, note_expired, open_, outside, pmp, upnp, without_reader

import portmap
from portmap.backends.nat import Nat
from portmap.cli.commands.close import close_ports
from portmap.cli.commands.port_results import report_failures
from portmap.errors import NotAuthorized, Refused, SpecError
from portmap.model import Protocol
from portmap.storage import journal_store
from portmap.storage.journal import JournalEntry
from portmap.testing import Quirks, Router, loopback_address

# What is there no more


@pytest.mark.parametrize("protocol", ["pmp", "pcp", "upnp"])
def test_closing_what_is_gone_is_a_success(router: Router, tmp_path: Path, told: Told, protocol: str) -> None:
    open_(upnp(router) if protocol == "upnp" else f"{protocol}:{router.address}", tmp_path, "8080")
    router.reboot()
    assert close(tmp_path, "8080") == 0
    assert told()[-1] == "8080/tcp is closed"
    assert left(tmp_path) == ()


def test_a_port_that_cannot_be_closed_is_told_and_noted_on(
    router: Router, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotAuthorized("not yours")

    open_(pmp(router), tmp_path, "80-82")
    told()
    monkeypatch.setattr(Nat, "delete_mapping", refuse)
    assert close(tmp_path) == 4
    assert told() == ["portmap: 80/tcp 81/tcp 82/tcp: not yours"]
    assert len(left(tmp_path)) == 3


def test_without_a_state_folder_it_is_not_known_what_was_opened() -> None:
    with pytest.raises(SpecError, match="without a state folder it is not known what 'portmap open' left"):
        close_ports(None, [], None, mine=True)


def test_a_port_that_could_not_be_noted_is_told(
    router: Router, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(journal_store, "write_file", full)
    assert open_(pmp(router), tmp_path, "8080-8081") == 0
    opened, warning = told()
    assert opened == "8080-8081/tcp are open at 1.2.3.4:8080-8081 for 10m"
    assert warning.startswith("portmap: 8080-8081/tcp: the state folder cannot be written to, so 'portmap close' ")


def test_a_port_that_is_closed_and_still_noted_is_told(
    router: Router, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    open_(pmp(router), tmp_path, "8080-8081")
    told()
    monkeypatch.setattr(journal_store, "write_file", full)
    assert close(tmp_path) == 0
    still_noted = f"portmap: the state folder {tmp_path} cannot be written to, so what is closed is still noted as open"
    assert told() == ["8080-8081/tcp are closed", still_noted]


def test_a_pinhole_that_cannot_be_closed_is_told_from_the_mapping(
    capsys: pytest.CaptureFixture[str],
) -> None:
    entries = [JournalEntry("G", Protocol.TCP, 80, 80, spec="pcp", ipv6=ipv6) for ipv6 in (False, True)]
    assert report_failures([(entry, Refused("no")) for entry in entries], as_json=True) == 4
    printed = capsys.readouterr()
    assert printed.err == "portmap: 80/tcp 80/tcp over IPv6: no\n"
    assert [json.loads(line)["ipv6"] for line in printed.out.splitlines()] == [False, True]


# Where each was opened


def test_each_port_is_closed_by_the_backend_and_gateway_that_opened_it(router: Router, tmp_path: Path) -> None:
    with Router(loopback_address()) as other:
        open_(pmp(router), tmp_path, "8080")
        open_(upnp(other), tmp_path, "8080", "8081")
        assert (outside(router), outside(other)) == ([8080], [8080, 8081])
        assert close(tmp_path) == 0
        assert (outside(router), outside(other)) == ([], [])


def test_what_any_opened_is_closed_by_the_backend_that_it_chose(router: Router, tmp_path: Path) -> None:
    both = f"{upnp(router)},{pmp(router)}"
    open_(both, tmp_path, "8080")
    assert left(tmp_path)[0].spec in (upnp(router), pmp(router))
    assert close(tmp_path, "8080", nat="pcp:127.0.0.99") == 0
    assert outside(router) == []


def test_any_that_maps_through_another_than_its_winner_notes_that_one(router: Router, tmp_path: Path) -> None:
    router.quirks = Quirks(pmp_result=2)  # it tells its address by NAT-PMP, and maps by UPnP only
    open_(f"{pmp(router)},{upnp(router)}", tmp_path, "8080")
    assert left(tmp_path)[0].spec == upnp(router)
    assert close(tmp_path, "8080") == 0
    assert outside(router) == []


def test_a_gateway_that_is_gone_keeps_no_other_one_open(router: Router, tmp_path: Path, told: Told) -> None:
    with Router(loopback_address()) as gone:
        open_(pmp(gone), tmp_path, "80-82")
    open_(pmp(router), tmp_path, "8080")
    told()
    assert close(tmp_path) in (3, 7)
    assert outside(router) == []
    lines = told()
    assert lines[0] == "8080/tcp is closed"
    assert lines[1].startswith("portmap: 80/tcp 81/tcp 82/tcp: ")
    assert len(left(tmp_path)) == 3


def test_what_was_never_opened_is_a_mistake(tmp_path: Path, told: Told) -> None:
    assert close(tmp_path, "80") == 2
    assert told() == ["portmap: 80/tcp: 'portmap open' left no such port open, or its lease is over: see 'portmap ls'"]


def test_a_port_that_was_not_opened_keeps_no_other_one_open(router: Router, tmp_path: Path, told: Told) -> None:
    open_(pmp(router), tmp_path, "8080")
    told()
    assert close(tmp_path, "8080", "8081-8082") == 2
    assert outside(router) == []
    closed, missing = told()
    assert closed == "8080/tcp is closed"
    assert missing.startswith("portmap: 8081/tcp 8082/tcp: 'portmap open' left no such port open")


def test_what_ended_with_its_lease_is_closed(tmp_path: Path, told: Told) -> None:
    note_expired(tmp_path, 8080, 8081)
    assert close(tmp_path, "8080-8081") == 0
    assert told() == ["8080-8081/tcp are closed: the lease has ended"]
    assert close(tmp_path, "8080-8081") == 2


def test_all_that_is_open_is_closed_though_nobody_reads_that(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Router(loopback_address()) as other:
        open_(pmp(router), tmp_path, "8080")
        open_(pmp(other), tmp_path, "8080")
        with without_reader(monkeypatch), pytest.raises(BrokenPipeError):
            close(tmp_path)
        assert (outside(router), outside(other)) == ([], [])


def test_what_a_running_portmap_holds_is_left_to_it(router: Router, tmp_path: Path, told: Told) -> None:
    open_(pmp(router), tmp_path, "8080")
    told()
    with portmap.open(pmp(router), ["8080"]) as session:
        session.wait(10)
        assert close(tmp_path, "8080") == 0
        assert told() == ["8080/tcp is left open for another session of this process"]
        assert outside(router) == [8080]


def test_what_a_running_portmap_holds_is_not_asked_for_again(router: Router, tmp_path: Path, told: Told) -> None:
    with portmap.open(pmp(router), ["8080"]) as session:
        session.wait(10)
        asked = router.heard.map
        assert open_(pmp(router), tmp_path, "8080") == 0
        assert router.heard.map == asked
    assert told() == ["8080/tcp is open at 1.2.3.4:8080 as long as another session of this process holds it"]
