"""PCP with the real miniupnpd: bytes arrive, and a mapping keeps its nonce over restarts of either side."""

import re
import time
from pathlib import Path

import pytest
from tests.lab import faults
from tests.lab.command import Portmap
from tests.lab.lab import HOST, Lab
from tests.lab.namespace import until
from tests.lab.router import LAN, WAN, Entry

BOTH = [Entry(protocol, 4001, HOST, 4001) for protocol in ("TCP", "UDP")]
OTHER_HOST = "192.168.77.5"
_NONCE = re.compile(r"PCP MAP: added mapping (TCP|UDP) .*'PCP MAP ([0-9a-f]{24})'")


def nonces(lab: Lab) -> list[tuple[str, str]]:
    """Protocol and nonce of each mapping that the running daemon has made, in order, by its log."""
    return _NONCE.findall(lab.router.log)


def nonces_of_both(lab: Lab) -> set[tuple[str, str]]:
    """The same for TCP and UDP, once the log has both: it comes a moment after the answer."""
    until(lambda: len(set(nonces(lab))) == 2, lab.router.log)
    return set(nonces(lab))


def hold(lab: Lab, *arguments: str, state: Path | None = None) -> Portmap:
    lab.serve(4001)
    portmap = Portmap(lab.lan, "--nat", "pcp", *arguments, "4001/both", state=state)
    for protocol in ("TCP", "UDP"):
        portmap.wait_for("mapping.added", protocol=protocol, external_port=4001, external_ip=WAN)
    return portmap


def arrive(lab: Lab, *, within: float) -> bool:
    return all(lab.bytes_arrive(protocol, 4001, within=within) for protocol in ("TCP", "UDP"))


@pytest.mark.parametrize("spec", ["pcp", f"pcp:{LAN}"])
def test_tcp_and_udp_bytes_arrive(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "4001/both") as portmap:
        portmap.wait_for("gateway.found", gateway=f"PCP {LAN}")
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001, external_ip=WAN, scope="public")
            assert lab.bytes_arrive(protocol, 4001)
        assert portmap.stop().code == 0
    assert lab.router.mappings() == []


def test_renewals_and_the_deletion_are_the_same_mapping_to_the_router(lab: Lab) -> None:
    with hold(lab, "--lease", "20s") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.renewed", protocol=protocol, timeout=15)
        assert lab.router.mappings() == BOTH
        assert arrive(lab, within=0)
        portmap.stop()
    assert len(nonces_of_both(lab)) == 2
    assert lab.router.mappings() == []


def test_after_a_restart_the_mappings_are_asked_for_with_the_same_nonces(lab: Lab) -> None:
    with hold(lab) as portmap:
        before = nonces_of_both(lab)
        faults.restart(lab)
        assert arrive(lab, within=10), portmap.story()
        assert nonces_of_both(lab) == before


def test_a_killed_session_is_continued_with_its_nonces_and_its_port(lab: Lab, tmp_path: Path) -> None:
    with hold(lab, state=tmp_path) as killed:
        time.sleep(0.1)  # the journal is written when all is settled, right after the event
        killed.process.kill()
        killed.process.wait(5)
    first = nonces_of_both(lab)
    lab.router.reboot()  # what it has mapped from now on was asked for by the next session
    with Portmap(lab.lan, "--nat", "pcp", "4001/both", state=tmp_path) as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
        assert nonces_of_both(lab) == first
        assert arrive(lab, within=0)


def test_what_a_killed_session_left_is_deleted_by_its_token(lab: Lab, tmp_path: Path) -> None:
    with hold(lab, state=tmp_path) as killed:
        time.sleep(0.1)
        killed.process.kill()
        killed.process.wait(5)
    assert lab.router.mappings() == BOTH
    with Portmap(lab.lan, "--nat", "pcp", "4002", state=tmp_path) as portmap:
        portmap.wait_for("mapping.added", internal_port=4002)
        lab.router.wait_until_left(Entry("TCP", 4002, HOST, 4002))


def test_a_nat_in_between_is_told_as_double_nat(lab: Lab) -> None:
    lab.lan.ip(f"addr add {OTHER_HOST}/24 dev eth0")
    rules = f"type nat hook postrouting priority 100; udp dport 5351 snat to {OTHER_HOST};"
    lab.lan.run(["nft", "-f", "-"], stdin=f"table ip between {{ chain nat {{ {rules} }}; }}\n")
    with Portmap(lab.lan, "--nat", f"pcp:{LAN}", "4001") as portmap:
        failed = portmap.wait_for("mapping.failed", error="Refused")
        assert "double NAT" in failed["reason"]
    assert lab.router.mappings() == []
