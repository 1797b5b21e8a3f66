"""A captured search finds the replayed router."""

from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from portmap.doctor.capture import Capture
from portmap.simulator.replay import Replay
from portmap.testing import Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor


def test_a_captured_search_finds_the_replayed_router(router: Router, tmp_path: Path, backend_for: "BackendFor") -> None:
    router.external_ip = "8.8.4.4"
    with Capture(tmp_path / "capture", "0"):
        backend_for(router).external_ip()
    with Replay((tmp_path / "capture").read_text()) as replay:
        here = IPv4Address(replay.address)
        found = Upnp(search=Search(lambda: [here], multicast=None, port=replay.search_port))
        assert found.external_ip() == IPv4Address("8.8.4.4")
        assert str(found) == f"UPnP {here} (IGD:1)"


def test_what_was_not_recorded_is_not_found(router: Router, tmp_path: Path) -> None:
    with Capture(tmp_path / "capture", "0"):
        Upnp.from_argument(router.description_url).external_ip()
    with Replay((tmp_path / "capture").read_text()) as replay:
        assert replay.search_port == 0
        assert Upnp.from_argument(replay.description_url).external_ip() == IPv4Address("1.2.3.4")
