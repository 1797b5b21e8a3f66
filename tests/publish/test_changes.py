"""What there is to tell a command about each port."""

from dataclasses import replace
from ipaddress import IPv4Address

from portmap.endpoints import Endpoints, OpenPort
from portmap.model import Protocol
from portmap_publish.port_changes import PortChange, changes

WEB = OpenPort(Protocol.TCP, 80, 8080, IPv4Address("8.8.8.8"), "web")
DNS = OpenPort(Protocol.UDP, 53, 53)
MOVED = replace(WEB, external_port=9090)


def told(before: tuple[OpenPort, ...], now: tuple[OpenPort, ...], *, again: bool = False) -> list[tuple[str, int]]:
    found = changes({port.key: port for port in before}, Endpoints(now), again=again)
    return [(change.event, change.port.external_port) for change in found]


def test_a_new_port_was_added() -> None:
    assert told((), (WEB, DNS)) == [("added", 8080), ("added", 53)]


def test_a_port_that_moved_has_changed() -> None:
    assert told((WEB, DNS), (MOVED, DNS)) == [("changed", 9090)]


def test_a_lost_port_is_told_first_and_by_the_port_that_it_had() -> None:
    assert told((WEB,), (DNS,)) == [("lost", 8080), ("added", 53)]


def test_what_is_as_it_was_is_not_told_but_on_demand() -> None:
    assert told((WEB,), (WEB,)) == []
    assert told((WEB,), (WEB,), again=True) == [("again", 8080)]


def test_a_change_says_what_was_before() -> None:
    change = PortChange("changed", MOVED, "g", WEB)
    assert (change.words()["old_ip"], change.words()["old_port"]) == ("8.8.8.8", "8080")
    assert change.to_dict()["old_external_port"] == 8080


def test_what_is_not_known_is_empty() -> None:
    words = PortChange("added", DNS).words()
    assert (words["ip"], words["name"], words["old_port"], words["gateway"]) == ("", "", "", "")
