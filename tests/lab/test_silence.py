"""Who asks for nothing to be sent gets just that: not one frame from the LAN host reaches the router."""

import pytest
from tests.lab.command import PORTMAP, Portmap
from tests.lab.lab import Lab
from tests.lab.router import WAN


def test_extip_announces_its_mapping_and_sends_the_router_nothing(lab: Lab) -> None:
    with Portmap(lab.lan, "--nat", f"extip:{WAN}", "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_ip=WAN, static=True)
        assert portmap.stop().code == 0
    assert lab.router.packets_heard() == 0


def test_none_consumes_its_requests_and_sends_the_router_nothing(lab: Lab) -> None:
    with Portmap(lab.lan, "--nat", "none", "--for", "1s", "4001/both") as portmap:
        assert portmap.process.wait(10) == 0, portmap.story()
    assert lab.router.packets_heard() == 0


@pytest.mark.parametrize("arguments", [["--version"], ["backends"], ["--help"]])
def test_a_question_about_the_command_itself_sends_nothing(lab: Lab, arguments: list[str]) -> None:
    lab.lan.run([*PORTMAP, *arguments])
    assert lab.router.packets_heard() == 0


@pytest.mark.parametrize("mapping", ["70000", "0", "4001/sctp", "x:4001"])
def test_a_bad_mapping_is_refused_before_anything_is_sent(lab: Lab, mapping: str) -> None:
    with pytest.raises(RuntimeError, match="exit 2"):
        lab.lan.run([*PORTMAP, "--nat", "any", mapping])
    assert lab.router.packets_heard() == 0


@pytest.mark.parametrize("spec", ["pcp:1.2.3.4:5351", "pcp:fe80::1", "any:pcp", "pcp,pcp", "pcp, upnp", "pcp,acme"])
def test_a_bad_gateway_is_refused_before_anything_is_sent(lab: Lab, spec: str) -> None:
    with pytest.raises(RuntimeError, match="exit 2"):
        lab.lan.run([*PORTMAP, "--nat", spec, "4001"])
    assert lab.router.packets_heard() == 0
