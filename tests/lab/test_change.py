"""What happens to the router, happens to us: a new outer address, a reboot, a while of silence."""

import time

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab

ELSEWHERE = "11.22.44.5"


@pytest.mark.parametrize("spec", ["pmp", "upnp"])
def test_a_new_outer_address_is_announced_and_bytes_arrive_through_it(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "--ip-interval", "1s", "4001") as portmap:
        portmap.wait_for("mapping.added")
        lab.wan_address(ELSEWHERE)
        portmap.wait_for("external_ip.changed", external_ip=ELSEWHERE)
        portmap.wait_for("mapping.changed", external_ip=ELSEWHERE)
        assert lab.bytes_arrive("TCP", 4001)


@pytest.mark.parametrize("spec", ["pmp", "upnp"])
def test_a_router_that_reboots_gets_its_mapping_again_long_before_a_renewal(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "--ip-interval", "1s", "4001") as portmap:
        portmap.wait_for("mapping.added", lifetime=600)
        time.sleep(4)  # an epoch that has not grown by more than 2 s cannot be seen to fall: RFC 6886 §3.6
        lab.router.reboot()
        assert lab.bytes_arrive("TCP", 4001, within=8), portmap.story()


def test_a_router_that_comes_up_late_is_found(quiet_lab: Lab) -> None:
    quiet_lab.serve(4001)
    with Portmap(quiet_lab.lan, "--nat", "any", "4001") as portmap:
        portmap.wait_for("gateway.lost", timeout=15)
        quiet_lab.router.start_miniupnpd()
        portmap.wait_for("mapping.added", timeout=30)
        assert quiet_lab.bytes_arrive("TCP", 4001)
