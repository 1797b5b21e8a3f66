import time
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch

from portmap.errors import Garbled, GatewayTimeout, NoGateway
from portmap_upnp.discovery.description import GatewayDevice
from portmap_upnp.discovery.discover import DESCRIPTION_LIMIT, GRACE, _Discovery, discover, fetch_device
from portmap_upnp.discovery.search import DeviceSeen
from portmap_upnp.location import Location

if TYPE_CHECKING:
    from tests.upnp.conftest import SearchAnswerer, WebServers

SERVICE = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/c</controlURL>"
GATEWAY = f"<root><device><serviceList><service>{SERVICE}</service></serviceList></device></root>".encode()
PRINTER = GATEWAY.replace(b"WANIPConnection", b"PrintBasic")
DEFAULT = Location(IPv4Address("192.168.1.1"), 80, "/")
SLOW_HEADER = b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 100


def test_a_device_is_described(serve: "WebServers") -> None:
    assert len(fetch_device(serve.body(GATEWAY)).services) == 1


def test_a_description_that_is_not_there_is_garbled(serve: "WebServers") -> None:
    with pytest.raises(Garbled, match="HTTP status 404"):
        fetch_device(serve.body(GATEWAY, "404 Not Found"))


def test_a_huge_description_is_not_read(serve: "WebServers") -> None:
    with pytest.raises(Garbled, match="over 65536 bytes"):
        fetch_device(serve.body(GATEWAY + b" " * DESCRIPTION_LIMIT))


def test_a_dripping_description_is_given_up(serve: "WebServers") -> None:
    with pytest.raises(GatewayTimeout):
        fetch_device(serve.drip(SLOW_HEADER, every=0.02), timeout=0.2)


def test_the_gateway_among_those_that_answer_is_found(answerer: "SearchAnswerer", serve: "WebServers") -> None:
    gateway = serve.body(GATEWAY)
    answerer.points_to(serve.body(PRINTER), serve.body(b"<!DOCTYPE x><x/>"), gateway)
    assert discover(answerer.search()).services[0].control.port == gateway.port


def test_a_gateway_that_calls_itself_by_a_name_everywhere_is_found(
    answerer: "SearchAnswerer", serve: "WebServers"
) -> None:
    base = b"<root><URLBase>http://router.lan:4001/</URLBase>"
    for document in (GATEWAY.replace(b"/c<", b"http://router.lan:4001/c<"), GATEWAY.replace(b"<root>", base)):
        answerer.answers.clear()
        answerer.points_to(f"http://router.lan:{serve.body(document).port}/desc.xml")
        assert str(discover(answerer.search()).services[0].control) == "http://127.0.0.1:4001/c"


def test_a_slow_printer_that_answers_first_delays_no_gateway(answerer: "SearchAnswerer", serve: "WebServers") -> None:
    answerer.points_to(serve.drip(SLOW_HEADER, every=0.005), serve.body(GATEWAY))
    with Stopwatch() as watch:
        discover(answerer.search(2.5))
    assert watch.seconds < 0.5


def test_an_avoided_gateway_is_used_where_there_is_no_other(answerer: "SearchAnswerer", serve: "WebServers") -> None:
    first, second = serve.body(GATEWAY), serve.body(GATEWAY)
    answerer.points_to(first)
    assert discover(answerer.search(), rather_not=first).location == first
    answerer.points_to(second)
    assert discover(answerer.search(), rather_not=first).location == second


def hunt(*hosts: str) -> str:
    """The gateway chosen among these, which answer in this order while more may come; 192.168.1.1 is the default."""
    likely = frozenset({IPv4Address("192.168.1.1")})
    found: _Discovery[GatewayDevice] = _Discovery(fetch_device, likely, until=time.monotonic() + 60, open=9)
    for host in hosts:
        found.inbox.put(GatewayDevice(Location(IPv4Address(host), 80, "/"), "1", ()))
    gateway = found.first_good()
    return str(gateway.host if gateway else None)


def test_a_good_answer_from_elsewhere_gives_way_to_the_default_gateways() -> None:
    assert hunt("192.168.1.7", "192.168.1.8", "192.168.1.1") == "192.168.1.1"


def test_a_good_answer_from_elsewhere_waits_only_a_moment() -> None:
    with Stopwatch() as watch:
        assert hunt("192.168.1.7", "192.168.1.8") == "192.168.1.7"
    assert watch.seconds < 2 * GRACE


def hunt_slowly(describe: Callable[[Location], GatewayDevice]) -> str:
    """The gateway chosen where another device describes itself at once, and the default gateway after two moments."""

    def fetch(location: Location) -> GatewayDevice:
        if location != DEFAULT:
            return GatewayDevice(location, "1", ())
        time.sleep(2 * GRACE)
        return describe(location)

    likely = frozenset({DEFAULT.host})
    found: _Discovery[GatewayDevice] = _Discovery(fetch, likely, until=time.monotonic() + 60, open=9)
    for location in (Location(IPv4Address("192.168.1.7"), 80, "/"), DEFAULT):
        found.inbox.put(DeviceSeen(location))
    gateway = found.first_good()
    return str(gateway.host if gateway else None)


def test_a_default_gateway_that_has_answered_has_the_time_to_describe_itself() -> None:
    assert hunt_slowly(lambda location: GatewayDevice(location, "1", ())) == "192.168.1.1"


def test_a_default_gateway_that_cannot_describe_itself_is_waited_for_no_longer() -> None:
    def refuse(_: Location) -> GatewayDevice:
        raise GatewayTimeout("no description")

    with Stopwatch() as watch:
        assert hunt_slowly(refuse) == "192.168.1.7"
    assert watch.seconds < 4 * GRACE


def test_without_an_answer_the_error_says_what_to_try(answerer: "SearchAnswerer") -> None:
    with pytest.raises(NoGateway, match=r"within 0\.2 s; is UPnP switched on"):
        discover(answerer.search(0.2))


def test_without_a_usable_gateway_the_error_names_the_devices_that_answered(
    answerer: "SearchAnswerer", serve: "WebServers"
) -> None:
    answerer.points_to(serve.body(PRINTER))
    with pytest.raises(NoGateway, match=r"among the devices that answered: 127\.0\.0\.1 is no gateway"):
        discover(answerer.search(0.2))


def test_the_boot_id_of_the_answer_goes_with_the_gateway(answerer: "SearchAnswerer", serve: "WebServers") -> None:
    answerer.answers = [f"HTTP/1.1 200 OK\r\nLOCATION: {serve.body(GATEWAY)}\r\nBOOTID.UPNP.ORG: 7\r\n\r\n".encode()]
    assert discover(answerer.search()).boot == "7"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("https://127.0.0.1/desc.xml", r"'https://127\.0\.0\.1/desc\.xml' is no URL.*must start with http://"),
        ("127.0.0.1:5000/desc.xml", "must start with http://"),
        ("http://127.0.0.1:99999/", "its port is not valid"),
        ("", "without a LOCATION"),
    ],
)
def test_a_gateway_whose_location_is_not_followed_is_told_with_the_reason(
    location: str, why: str, answerer: "SearchAnswerer"
) -> None:
    answerer.points_to(location)
    with pytest.raises(NoGateway, match=rf"among the devices that answered: 127\.0\.0\.1 answered.*{why}"):
        discover(answerer.search(0.2))


def test_a_gateway_that_answers_in_a_hundred_bad_ways_is_told_with_few(answerer: "SearchAnswerer") -> None:
    answerer.points_to(*(f"https://127.0.0.1:{port}/" for port in range(1000, 1100)))
    with pytest.raises(NoGateway) as caught:
        discover(answerer.search(0.2))
    assert str(caught.value).count("https://") == 3


def test_a_gateway_that_answers_well_too_is_found(answerer: "SearchAnswerer", serve: "WebServers") -> None:
    answerer.points_to("https://127.0.0.1/desc.xml", serve.body(GATEWAY))
    assert discover(answerer.search()).host == IPv4Address("127.0.0.1")
