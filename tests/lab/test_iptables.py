"""miniupnpd with iptables, Debian's other build: the lab reads its rules, and the command works with it as well."""

from collections.abc import Iterator

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import HOST, HOST6, Lab
from tests.lab.router import Entry

SPECS = ("pmp", "pcp", "upnp", "any")
BOTH = ("TCP", "UDP")


@pytest.fixture
def lab(iptables_build: None) -> Iterator[Lab]:
    with Lab(build="iptables", ipv6=True) as lab:
        lab.router.start_miniupnpd()
        lab.serve(4001)
        yield lab
        print(lab.router.log)


def test_a_mapping_made_by_natpmpc_is_read_from_the_kernel(lab: Lab) -> None:
    assert not lab.bytes_arrive("UDP", 4002)
    lab.lan.run(["natpmpc", "-a", "4002", "4001", "udp", "60"])
    assert lab.router.mappings() == [Entry("UDP", 4002, HOST, 4001)]
    assert lab.bytes_arrive("UDP", 4002)


@pytest.mark.parametrize("spec", SPECS)
def test_bytes_arrive_and_nothing_is_left(lab: Lab, spec: str) -> None:
    with Portmap(lab.lan, "--nat", spec, "-4", "4001/both") as portmap:
        for protocol in BOTH:
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
            assert lab.bytes_arrive(protocol, 4001)
        assert lab.router.mappings() == [Entry(protocol, 4001, HOST, 4001) for protocol in BOTH]
        assert portmap.stop().code == 0
    assert lab.router.mappings() == []


@pytest.mark.parametrize("spec", ["pcp", "upnp"])
def test_a_pinhole_is_open_while_it_is_held(lab: Lab, spec: str) -> None:
    with Portmap(lab.lan, "--nat", spec, "-6", "4001") as portmap:
        portmap.wait_for("pinhole.added")
        assert lab.router.pinholes() == [Entry("TCP", 4001, HOST6, 4001)]
        assert lab.bytes_arrive_by_ipv6("TCP", 4001)
        assert portmap.stop().code == 0
    assert lab.router.pinholes() == []


@pytest.mark.parametrize("spec", SPECS)
def test_where_a_rule_allows_a_range_alone_a_port_of_it_is_opened(lab: Lab, spec: str) -> None:
    lab.router.kill()
    lab.router.rules = ("allow 20000-20099 192.168.0.0/16 1024-65535", "deny 0-65535 0.0.0.0/0 0-65535")
    lab.router.start_miniupnpd()
    with Portmap(lab.lan, "--nat", spec, "-4", "4001/both") as portmap:
        for protocol in BOTH:
            added = portmap.wait_for("mapping.added", protocol=protocol)
            assert 20000 <= added["external_port"] <= 20099
            assert lab.bytes_arrive(protocol, portmap.port(protocol))
