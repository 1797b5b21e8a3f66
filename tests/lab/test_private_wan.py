"""A router whose WAN address is private or shared (100.64/10): miniupnpd 2.3 refuses to map, and seldom says why."""

import pytest
from tests.lab.command import PORTMAP, Portmap
from tests.lab.lab import Lab

SPECS = ("pmp", "pcp", "upnp", "any")


@pytest.fixture(params=["100.64.1.1", "10.0.0.2"])
def lab(quiet_lab: Lab, request: pytest.FixtureRequest) -> Lab:
    quiet_lab.wan_address(request.param)
    quiet_lab.router.start_miniupnpd(system_uptime="yes")
    return quiet_lab


@pytest.mark.parametrize("spec", SPECS)
def test_asked_for_the_address_the_exit_code_is_8(lab: Lab, spec: str) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)exit 8: .*(double NAT|100\.64\.1\.1|10\.0\.0\.2)"):
        lab.lan.run([*PORTMAP, "ip", "--nat", spec])


@pytest.mark.parametrize("spec", SPECS)
def test_a_mapping_fails_as_double_nat(lab: Lab, spec: str) -> None:
    with Portmap(lab.lan, "--nat", spec, "-4", "4001") as portmap:
        failed = portmap.wait_for("mapping.failed")
        assert "double NAT" in failed["reason"], portmap.story()
        assert "full" not in failed["reason"]
