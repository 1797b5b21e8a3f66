"""What is remembered of a gateway over a restart: looked at beside the search, trusted no more than its answers."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.backends.nat import Nat
from portmap.errors import NoGateway, UnverifiedGateway
from portmap.model import Protocol
from portmap.network.routes import default_gateways, guessed_gateways
from portmap.simulator.quirk_options import parse_quirks
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.discovery.search import Search
from portmap_upnp.location import parse_url

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor, SearchAnswerer

NOWHERE = "http://127.0.0.1:9/rootDesc.xml"  # discard: nothing listens there


@pytest.fixture
def unheard(answerer: "SearchAnswerer") -> Upnp:
    """A backend whose search gets no answer."""
    return Upnp(search=answerer.search(), announced_at=("127.0.0.1", 0))


def test_before_a_gateway_is_found_there_is_no_hint(upnp: Upnp) -> None:
    assert Nat(upnp, "upnp").hint() == ""


def test_the_hint_is_where_the_gateway_describes_itself(router: Router, upnp: Upnp) -> None:
    upnp.external_ip()
    assert Nat(upnp, "upnp").hint() == router.description_url


def test_a_remembered_gateway_is_found_though_no_search_is_answered(router: Router, unheard: Upnp) -> None:
    Nat(unheard, "upnp").take_hint(router.description_url)
    unheard.external_ip()
    granted = unheard.add_mapping(Protocol.TCP, 0, 8080, "web", 600, client=None)
    assert [entry.external_port for entry in router.entries] == [granted.external_port]


def test_the_search_is_under_way_while_the_hint_is_tried(answerer: "SearchAnswerer", unheard: Upnp) -> None:
    unheard.take_hint(NOWHERE)
    with pytest.raises(NoGateway):
        unheard.external_ip()
    assert answerer.heard


def test_a_stale_hint_costs_nothing(router: Router, backend_for: "BackendFor") -> None:
    upnp = backend_for(router)
    upnp.take_hint(NOWHERE)
    with Stopwatch() as watch:
        upnp.external_ip()
    assert watch.seconds < 1
    assert upnp.hint() == router.description_url


def test_a_hint_that_hangs_costs_nothing(router: Router, backend_for: "BackendFor") -> None:
    with Router(pmp=False, quirks=Quirks(silent=True)) as hung:
        upnp = backend_for(router)
        upnp.take_hint(hung.description_url)
        with Stopwatch() as watch:
            upnp.external_ip()
        assert watch.seconds < 1


def test_a_hint_is_tried_once(unheard: Upnp, router: Router) -> None:
    unheard.take_hint(NOWHERE)
    for _ in range(2):
        with pytest.raises(NoGateway) as caught:
            unheard.external_ip()
    assert ":9" not in str(caught.value)


@pytest.mark.parametrize(
    "hint",
    [
        "",
        "nonsense",
        "https://192.168.1.1/x.xml",
        "http://11.22.33.4/x.xml",
        "http://router.lan/x.xml",
        "http://user@192.168.1.1/",
        "http://192.168.1.1:0/",
        "http://192.168.1.1/\r\nHost: elsewhere",
        "file:///etc/passwd",
        "http://192.168.1.1/" + "x" * 2000,
    ],
)
def test_a_hint_that_no_answer_to_a_search_could_be_is_not_followed(hint: str, unheard: Upnp) -> None:
    Nat(unheard, "upnp").take_hint(hint)
    assert unheard._session.hint is None


@pytest.mark.parametrize("quirk", ["evil_control_url", "redirect", "xml_bomb", "huge_body"])
def test_a_hinted_description_is_vetted_as_any_other(quirk: str, unheard: Upnp) -> None:
    with Router(pmp=False, quirks=parse_quirks([quirk])) as evil:
        unheard.take_hint(evil.description_url)
        with pytest.raises(NoGateway):
            unheard.external_ip()
        assert not evil.heard.trap


def test_a_hinted_gateway_from_elsewhere_gives_way_to_the_default_one(router: Router) -> None:
    with Router("127.0.0.2", pmp=False, ssdp_port=router.ssdp_port) as elsewhere:
        search = Search(lambda: [IPv4Address(router.address)], multicast=None, port=router.ssdp_port)
        upnp = Upnp(search=search, announced_at=("127.0.0.1", 0))
        upnp.take_hint(elsewhere.description_url)
        upnp.external_ip()
        assert upnp.hint() == router.description_url


def test_the_word_of_a_gateway_that_no_default_route_names_does_not_count_and_it_maps_all_the_same(
    router: Router,
) -> None:
    search = Search(lambda: [IPv4Address("127.0.0.9")], multicast=None, port=router.ssdp_port, timeout=0.3)
    upnp = Upnp(search=search, announced_at=("127.0.0.1", 0))
    upnp.take_hint(router.description_url)
    with pytest.raises(UnverifiedGateway, match="name it: upnp:http://127"):
        upnp.external_ip()
    assert upnp.add_mapping(Protocol.TCP, 0, 4001, "", 600, client=None).external_port == 4001


def test_the_word_of_a_guess_is_not_taken_and_it_is_said_that_it_is_used(
    router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    search = Search(
        list, multicast=None, port=router.ssdp_port, timeout=0.5, guesses=lambda: [IPv4Address(router.address)]
    )
    upnp = Upnp(search=search, announced_at=("127.0.0.1", 0))
    for _ in range(2):
        with pytest.raises(UnverifiedGateway, match="name it: upnp:http://127"):
            upnp.external_ip()
    assert upnp.add_mapping(Protocol.TCP, 0, 4001, "", 600, client=None).external_port == 4001
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"{upnp} is used, although no default route names it"]


def test_guesses_are_asked_only_without_a_default_route(router: Router) -> None:
    search = Search(
        lambda: [IPv4Address("127.0.0.9")],
        multicast=None,
        port=router.ssdp_port,
        timeout=0.3,
        guesses=lambda: [IPv4Address(router.address)],
    )
    with pytest.raises(NoGateway):
        Upnp(search=search, announced_at=("127.0.0.1", 0)).external_ip()
    assert router.heard == Heard()


def test_a_search_guesses_as_the_other_protocols_do() -> None:
    assert Search.on(None).gateways() == default_gateways()
    assert Search.on(None).guesses() == guessed_gateways()
    assert Search.on(None).at(IPv4Address("192.168.1.1")).guesses() == []


def test_a_gateway_that_the_user_named_is_believed(router: Router) -> None:
    upnp = Upnp(parse_url(router.description_url), search=Search(list, multicast=None))
    assert str(upnp.external_ip()) == router.external_ip
