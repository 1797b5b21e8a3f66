"""After each fault bytes arrive again for both protocols of one port, and go on arriving when it is renewed.

miniupnpd 2.3.1 (nftables) deletes the newest filter rule of an internal port, whatever its protocol, so that here two
mappings of one port can shut each other: see `renewal_order`.
"""

import time

import pytest
from tests.lab import faults
from tests.lab.command import Portmap
from tests.lab.faults import Fault
from tests.lab.lab import Lab
from tests.lab.slowdown import Slowdown

LEASE = 20  # seconds, the least that miniupnpd gives here
ROUND = LEASE * 5 / 8 + 1  # seconds in which everything is renewed once
GROWN_UP = 2.5  # seconds; an epoch that has not grown by so much cannot be seen to fall: RFC 6886 §3.6
SPECS = ("pmp", "pcp", "upnp", "pmp,upnp")
BOTH = ("TCP", "UDP")


def _hold(lab: Lab, spec: str, *mappings: str) -> Portmap:
    lab.serve(4001)
    portmap = Portmap(lab.lan, "--nat", spec, "--lease", f"{LEASE}s", *(mappings or ("4001/both",)))
    for protocol in BOTH:
        portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
    return portmap


def _shut(lab: Lab, portmap: Portmap, *, within: float) -> list[str]:
    """The protocols of which no bytes arrive at the port that the command tells, after so many seconds."""
    deadline = time.monotonic() + within
    while shut := [name for name in BOTH if not lab.bytes_arrive(name, portmap.port(name))]:
        if time.monotonic() > deadline:
            break
    return shut


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(
    "fault", [faults.new_own_address, faults.new_outer_address, faults.restart, faults.another_router]
)
def test_both_halves_of_a_pair_are_open_again_and_stay_so(lab: Lab, control: Slowdown, spec: str, fault: Fault) -> None:
    with _hold(lab, spec) as portmap:
        time.sleep(GROWN_UP)
        begun = time.monotonic()
        fault(lab)
        control.judge("bytes", lab.seconds_until_bytes_arrive(portmap), 5, begun)
        time.sleep(ROUND)
        assert not _shut(lab, portmap, within=0), portmap.story()


@pytest.mark.parametrize("spec", SPECS)
def test_an_unnoticeable_restart_is_mended_by_the_renewals(lab: Lab, spec: str) -> None:
    with _hold(lab, spec) as portmap:
        faults.restart_unheard(lab)
        assert not _shut(lab, portmap, within=ROUND), portmap.story()
        for _ in range(3):
            time.sleep(ROUND / 2)
            assert not _shut(lab, portmap, within=0), portmap.story()
