"""The backend `miniupnpc`: our search and our judgement over the C library."""

import subprocess
import sys
from importlib import import_module
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import pytest

from portmap.errors import Conflict, NoGateway, OutOfResources, Refused, SpecError
from portmap.model import Grant, Protocol
from portmap.testing import Quirks, Router
from portmap_upnp.discovery.search import Search

if TYPE_CHECKING:
    from portmap_upnp import Upnp

pytest.importorskip("miniupnpc", reason="miniupnpc has no wheel for this Python")
backend: Any = import_module("portmap_upnp.miniupnpc_backend")
TCP = Protocol.TCP


@pytest.fixture
def second(router: Router) -> "Upnp":
    search = Search(lambda: [IPv4Address(router.address)], multicast=None, port=router.ssdp_port)
    made: Upnp = backend.Miniupnpc(search=search, choose=lambda: 25678, announced_at=("127.0.0.1", 0))
    return made


def test_it_maps_renews_lists_and_deletes_as_upnp_does(router: Router, second: "Upnp") -> None:
    assert str(second.external_ip()) == router.external_ip
    for _ in range(2):
        assert second.add_mapping(TCP, 0, 4001, "node", 600, client=None) == Grant(4001, 600)
    (listed,) = second.list_mappings()
    assert (listed.external_port, listed.ours) == (4001, True)
    second.delete_mapping(TCP, 4001, 4001, client=None)
    assert router.entries == ()


@pytest.mark.parametrize(
    ("code", "error"), [(718, Conflict), (728, OutOfResources), (606, Refused), (501, Refused), (899, Refused)]
)
def test_the_librarys_words_become_our_errors(
    router: Router, second: "Upnp", code: int, error: type[Exception]
) -> None:
    router.quirks = Quirks(upnp_error=code)
    with pytest.raises(error):
        second.add_mapping(TCP, 0, 4001, "node", 600, client=None)


def test_a_gateway_that_has_gone_is_no_gateway(router: Router, second: "Upnp") -> None:
    second.external_ip()
    router.close()
    with pytest.raises(NoGateway):
        second.external_ip()


def test_it_is_asked_by_name_only() -> None:
    assert backend.Miniupnpc.preference is None


def test_its_argument_is_vetted_and_named_in_errors() -> None:
    with pytest.raises(SpecError, match=r"miniupnpc: .* write miniupnpc, or miniupnpc:192"):
        backend.Miniupnpc.from_argument("ftp://x")


def test_without_the_library_the_error_says_what_to_install_and_upnp_still_works() -> None:
    code = (
        "import sys; sys.modules['miniupnpc'] = None\n"
        "import portmap; portmap.load('upnp')\n"
        "try: portmap.load('miniupnpc')\n"
        "except portmap.errors.PluginError as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "needs miniupnpc: pip install portmap-nat[miniupnpc]" in ran.stdout
