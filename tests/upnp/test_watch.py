"""The watch of UPnP: announcements by SSDP."""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch
from tests.upnp.canned import http
from tests.upnp.conftest import LOOPBACK, WANIP

from portmap.model import Grant, Protocol
from portmap_upnp.discovery.description import GatewayDevice, Service
from portmap_upnp.discovery.ssdp import TARGETS
from portmap_upnp.gateway_session import ActiveGateway
from portmap_upnp.notifications import watch
from portmap_upnp.notifications.watch import REST, GatewayWatch

if TYPE_CHECKING:
    from tests.upnp.conftest import WebServers

from tests.upnp.watched import NEVER, PORT, House, _until, announce, free_port

SERVICE = "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType><controlURL>/c</controlURL>"
GATEWAY = f"<root><device><serviceList><service>{SERVICE}</service></serviceList></device></root>".encode()


def test_a_restart_is_heard_and_the_new_control_url_is_known_without_a_search(settled: House) -> None:
    searches = settled.router.heard.search
    with Stopwatch() as watch:
        settled.router.reboot(new_control_port=True)
        assert settled.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"
    assert watch.seconds < 0.5
    assert settled.upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, client=None) == Grant(PORT, 600)
    assert settled.router.heard.search == searches


def test_a_restart_with_the_same_url_is_heard_by_the_boot_id(settled: House) -> None:
    settled.router.reboot()
    assert settled.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"


def test_what_is_repeated_changes_nothing(settled: House) -> None:
    before = settled.router.heard
    for _ in range(30):
        settled.alive()
    assert settled.alert(NEVER) == ""
    assert settled.router.heard == before


def test_a_move_without_a_boot_id_is_heard_by_the_location(settled: House, serve: "WebServers") -> None:
    settled.router.close()
    assert settled.alert() == "127.0.0.1 said goodbye"
    settled.alive(location=str(serve.body(GATEWAY)), boot="")
    assert settled.alert() == "127.0.0.1 announced that it is elsewhere now"


def test_a_second_description_of_the_same_gateway_is_no_move(settled: House, serve: "WebServers") -> None:
    settled.alive(location=str(serve.body(GATEWAY)))
    assert settled.alert(NEVER) == ""
    settled.upnp.external_ip()


def test_a_new_boot_id_that_was_announced_beforehand_is_no_restart(settled: House) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        update = f"NT: {TARGETS[0]}\r\nNTS: ssdp:update\r\nLOCATION: {settled.router.description_url}\r\n"
        text = f"NOTIFY * HTTP/1.1\r\n{update}BOOTID.UPNP.ORG: 0\r\nNEXTBOOTID.UPNP.ORG: 7\r\n\r\n"
        sock.sendto(text.encode(), settled.announced_at)
    settled.alive(boot="7")
    assert settled.alert(NEVER) == ""


@pytest.mark.parametrize(
    ("location", "sender"),
    [("", "127.0.0.2"), ("http://127.0.0.2:80/x", "127.0.0.1"), ("http://8.8.8.8/", "127.0.0.1"), ("x", "127.0.0.1")],
    ids=["by another host", "to another host", "to the internet", "to nowhere"],
)
def test_what_a_gateway_cannot_say_is_not_heard(settled: House, location: str, sender: str) -> None:
    before = settled.router.heard
    settled.alive(location=location, boot="9", sender=sender)
    assert settled.alert(NEVER) == ""
    assert settled.router.heard == before


def test_what_is_not_confirmed_is_not_believed(settled: House) -> None:
    settled.alive(location="http://127.0.0.1:9/desc.xml", boot="9")
    assert settled.alert(NEVER) == ""
    settled.upnp.external_ip()


def test_a_flood_of_lies_leads_to_one_alert_a_second(settled: House) -> None:
    before, began = settled.router.heard.description, time.monotonic()
    while time.monotonic() - began < 1.5 * REST:
        settled.alive(boot=str(time.monotonic_ns() % 10**9))
        time.sleep(0.001)
    assert settled.alerts.qsize() <= 2
    assert settled.router.heard.description - before <= 2


LIES: dict[str, Callable[[House, int], None]] = {
    "a goodbye": lambda house, _: house.says("ssdp:byebye"),
    "another place": lambda house, number: house.alive(location=f"{house.router.description_url}{number}", boot=""),
    "a restart at a place where nothing is": lambda house, number: house.alive(
        location=f"{house.router.description_url}{number}", boot=str(number)
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_flood_of_lies_that_the_gateway_denies_has_it_asked_ever_less_often(
    lie: Callable[[House, int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "REST", 0.02)
    monkeypatch.setattr(watch, "_LEAVING", 0.0)
    with House() as house:
        house.settle()
        heard = house.router.heard
        before, began, number = heard.description + heard.unknown, time.monotonic(), 0
        while time.monotonic() - began < 1.5:
            number += 1
            lie(house, number)
            time.sleep(0.005)
        heard = house.router.heard
        assert 1 <= heard.description + heard.unknown - before <= 9  # after 20 ms, 40 ms, 80 ms and so on
        assert house.alerts.qsize() == 0


def test_a_goodbye_that_is_none_is_not_believed(settled: House) -> None:
    settled.says("ssdp:byebye")
    assert settled.alert(2 * NEVER) == ""


def test_a_gateway_that_said_goodbye_is_gone(settled: House) -> None:
    settled.router.reboot(downtime=30, byebye=True)
    assert settled.alert() == "127.0.0.1 said goodbye"
    assert settled.upnp._session.updates.get_nowait() is None


def test_a_second_goodbye_of_a_gateway_that_is_gone_is_no_news(settled: House) -> None:
    settled.router.close()
    assert settled.alert() == "127.0.0.1 said goodbye"
    time.sleep(REST)
    settled.says("ssdp:byebye")
    assert settled.alert(2 * NEVER + REST) == ""


def test_a_gateway_that_was_lost_is_found_by_what_it_announces(settled: House) -> None:
    settled.upnp._session._use(None)
    settled.alive()
    assert settled.alert() == "127.0.0.1 announced itself"


def test_a_restart_right_after_the_first_contact_is_heard_although_it_was_announced_before(house: House) -> None:
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"
    with Stopwatch() as watch:
        house.upnp.external_ip()
        _until(lambda: house.router.heard.subscribe == 1)
        house.router.reboot()
        assert house.alert() == "127.0.0.1 restarted: BOOTID 0 → 1"
    assert watch.seconds < REST / 2


def test_what_a_gateway_announced_before_it_was_found_is_no_news_once_it_is_in_use(serve: "WebServers") -> None:
    in_use: list[ActiveGateway] = []
    adopted: list[GatewayDevice | None] = []
    alerts: SimpleQueue[str] = SimpleQueue()

    def describe(visitor: socket.socket, _: bytes) -> None:
        in_use.append(found)  # a search finds it while the announcement is looked into
        visitor.sendall(http(GATEWAY))

    location, where = serve.visit(describe), ("127.0.0.1", free_port())
    service = Service(WANIP, replace(location, path="/c"))
    found = ActiveGateway(GatewayDevice(location, "1", (service,)), service, LOOPBACK)
    watch = GatewayWatch(lambda: in_use[0] if in_use else None, lambda: [LOOPBACK], adopted.append, alerts.put, where)
    with closing(watch):
        announce(where, "ssdp:alive", str(location), "0")
        _until(lambda: bool(in_use))
        with pytest.raises(Empty):
            alerts.get(timeout=NEVER)
    assert not adopted


def test_a_gateway_that_comes_up_after_us_is_heard(house: House) -> None:
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"


def test_what_a_gateway_repeats_that_is_not_used_is_not_asked_about_again(house: House) -> None:
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"
    time.sleep(REST)
    fetched = house.router.heard.description
    house.alive()
    assert house.alert(NEVER + REST) == ""
    assert house.router.heard.description == fetched
    house.alive(boot="1")
    assert house.alert() == "127.0.0.1 announced itself"


def test_what_was_said_before_the_gateway_was_lost_counts_anew(house: House) -> None:
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"
    house.settle()
    house.upnp._session._use(None)
    house.alive()
    assert house.alert() == "127.0.0.1 announced itself"


def test_an_announcement_of_the_gateway_that_was_found_meanwhile_is_no_other_gateway(settled: House) -> None:
    session = settled.upnp._session
    in_use = session.active
    assert in_use
    session.updates.put(in_use.gateway)
    settled.upnp.external_ip()
    assert session.active is in_use
