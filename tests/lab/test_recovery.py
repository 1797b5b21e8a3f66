"""The network changes under us: bytes arrive again within seconds, at the ports that the command tells.

Without `--ip-interval` the next check is a minute away: a recovery within seconds is that of a signal. Restarts of the
router are `test_restart`'s.
"""

import time

import pytest
from tests.lab import faults
from tests.lab.command import Portmap
from tests.lab.lab import Lab
from tests.lab.slowdown import Slowdown

SPECS = ("pmp", "pcp", "upnp", "any")
BOTH = ("TCP", "UDP")


def _hold(lab: Lab, spec: str) -> Portmap:
    lab.serve(4001)
    portmap = Portmap(lab.lan, "--nat", spec, "4001/both")
    for protocol in BOTH:
        portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
    return portmap


@pytest.mark.parametrize("spec", SPECS)
def test_a_new_address_of_ours_is_mapped_within_three_seconds(lab: Lab, control: Slowdown, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        begun = time.monotonic()
        faults.new_own_address(lab)
        control.judge("bytes to the new address", lab.seconds_until_bytes_arrive(portmap), 3, begun)
        portmap.wait_for("network.changed")


@pytest.mark.parametrize("spec", SPECS)
def test_another_router_has_our_mappings_within_five_seconds(lab: Lab, control: Slowdown, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        begun = time.monotonic()
        faults.another_router(lab)
        control.judge("bytes through the other router", lab.seconds_until_bytes_arrive(portmap), 5, begun)
        assert portmap.port() == 4001
