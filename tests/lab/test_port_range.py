"""A router whose rules allow a few external ports only: one of them is opened and announced."""

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab

RULES = ("allow 5000-5010 192.168.0.0/16 1024-65535", "deny 0-65535 0.0.0.0/0 0-65535")
BOTH = ("TCP", "UDP")


@pytest.mark.parametrize("spec", ["pmp", "pcp", "upnp", "any"])
@pytest.mark.parametrize("protocols", [("TCP",), BOTH], ids=["tcp", "both"])
def test_a_port_of_the_range_is_opened_and_announced(lab: Lab, spec: str, protocols: tuple[str, ...]) -> None:
    lab.router.kill()
    lab.router.rules = RULES
    lab.router.start_miniupnpd()
    lab.serve(4001)
    with Portmap(lab.lan, "--nat", spec, "-4", "4001" if len(protocols) == 1 else "4001/both") as portmap:
        for protocol in protocols:
            added = portmap.wait_for("mapping.added", protocol=protocol)
            assert 5000 <= added["external_port"] <= 5010
            assert lab.bytes_arrive(protocol, portmap.port(protocol))
        assert len(lab.router.mappings()) == len(protocols)
        assert portmap.stop().code == 0
    assert lab.router.mappings() == []
