"""A router that comes up after the command."""

from tests.lab.command import Portmap
from tests.lab.lab import Lab


def test_a_router_that_comes_up_late_is_found(quiet_lab: Lab) -> None:
    quiet_lab.serve(4001)
    with Portmap(quiet_lab.lan, "--nat", "any", "4001") as portmap:
        portmap.wait_for("gateway.lost", timeout=15)
        quiet_lab.router.start_miniupnpd()
        portmap.wait_for("mapping.added", timeout=30)
        assert quiet_lab.bytes_arrive("TCP", 4001)
