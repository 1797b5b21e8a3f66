"""`portmap open` and `portmap close`: what is opened, remembered and closed again, each where it was opened."""

from pathlib import Path

import pytest
from tests.cli.opened_ports import Told, close, left, open_, outside, pmp, upnp

import portmap
from portmap.backends.nat import Nat
from portmap.errors import NotAuthorized, SpecError
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


def test_what_was_never_opened_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="80/tcp was not opened by 'portmap open'"):
        close(tmp_path, "80")


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
