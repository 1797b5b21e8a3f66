"""A lease of 20 s is held for a minute: no byte is lost, and nothing is told but renewals."""

import time

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab
from tests.lab.slowdown import Slowdown

pytestmark = pytest.mark.timeout(120)

MINUTE = 60.0
LEASE = 20
UNATTENDED = 4999  # renewed by no program: shows that this router ends leases
UNQUIET = {"mapping.lost", "mapping.failed", "mapping.changed", "gateway.lost", "gateway.rebooted"}


@pytest.mark.parametrize("spec", ["pmp", "upnp", "pcp"])
def test_a_20_s_lease_is_held_for_a_minute_and_no_byte_is_lost(lab: Lab, control: Slowdown, spec: str) -> None:
    lab.serve(4001)
    lab.lan.run(["natpmpc", "-a", str(UNATTENDED), str(UNATTENDED), "tcp", str(LEASE)])
    with Portmap(lab.lan, "--nat", spec, "--lease", f"{LEASE}s", "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, lifetime=LEASE)
        begun = time.monotonic()
        vigils = [lab.keep_vigil(protocol, 4001) for protocol in ("TCP", "UDP")]
        time.sleep(MINUTE)
        for vigil in vigils:
            assert not vigil.missed, f"{vigil.missed} of {vigil.knocks} missed\n{portmap.story()}"
        assert UNATTENDED not in [entry.external_port for entry in lab.router.mappings()]
        told = {event["event"] for event in portmap.events}
        assert "mapping.renewed" in told
        if unquiet := told & UNQUIET:
            control.excuse(f"while it was held, {unquiet} was told\n{portmap.story()}", begun)
