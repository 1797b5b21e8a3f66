"""UPnP on a host that has no miniupnpc: there is no wheel of it for Python 3.14 and newer, Alpine or 32-bit ARM."""

import sys

from tests.lab.command import Program
from tests.lab.lab import HOST6, Lab
from tests.lab.router import Entry

# What an import of it meets where it is not installed.
WITHOUT = "import sys; sys.modules['miniupnpc'] = None; from portmap.cli import main; main()"


def portmap_without_miniupnpc(lab: Lab, *arguments: str) -> Program:
    return Program(lab.lan, sys.executable, "-c", WITHOUT, "--json", "--state", "none", *arguments)


def test_both_protocols_are_mapped_and_bytes_arrive(lab: Lab) -> None:
    lab.serve(4001)
    with portmap_without_miniupnpc(lab, "--nat", "upnp", "4001/both") as portmap:
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=protocol, external_port=4001)
            assert lab.bytes_arrive(protocol, 4001)
        assert portmap.stop().code == 0
    assert lab.router.mappings() == []


def test_a_pinhole_is_opened(laboratory: None) -> None:
    with Lab(ipv6=True) as lab:
        lab.router.start_miniupnpd()
        with portmap_without_miniupnpc(lab, "--nat", "upnp", "-6", "4001") as portmap:
            portmap.wait_for("pinhole.added")
            assert lab.router.pinholes() == [Entry("TCP", 4001, HOST6, 4001)]


def test_the_backend_that_needs_it_says_so(lab: Lab) -> None:
    with portmap_without_miniupnpc(lab, "--nat", "miniupnpc", "4001") as portmap:
        assert portmap.process.wait(20) == 9
        assert "miniupnpc" in portmap.story()
