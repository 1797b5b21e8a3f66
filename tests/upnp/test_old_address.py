"""After another address for our host: what is left behind leads to the old one."""

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.upnp.real_routers import ADD, DELETE, GET, HOST, WANTED, YES, closes, entry, opens

from portmap.model import Grant
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted


OLD = entry("192.168.1.4")


def test_what_we_left_at_an_address_without_a_host_is_replaced(scripted: "Scripted") -> None:
    asked: list[tuple[str, int]] = []

    def is_host_present(client: str, port: int) -> bool:
        asked.append((client, port))
        return False

    mapper = PortMapper(lambda: 20001, HOST, is_host_present)
    igd, gateway = scripted({GET: [OLD, entry()], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, DELETE, ADD, GET]
    assert asked == [("192.168.1.4", 30303)]


def test_what_we_have_just_made_ourselves_at_our_old_address_is_replaced_unasked(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    before = WANTED._replace(client=IPv4Address("192.168.1.4"))
    opens(mapper, scripted({GET: [714, OLD], ADD: [YES]})[0], before)
    igd, gateway = scripted({GET: [OLD, entry()], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, DELETE, ADD, GET]


def test_a_gateway_that_keeps_what_we_left_behind_gives_another_port_and_that_is_said(
    scripted: "Scripted", caplog: pytest.LogCaptureFixture
) -> None:
    mapper = PortMapper(lambda: 20001, HOST, is_host_present=lambda *_: False)
    igd, _ = scripted({GET: [OLD, 714, entry()], ADD: [YES], DELETE: [606]})
    with caplog.at_level("INFO", "portmap.upnp"):
        assert opens(mapper, igd) == Grant(20001, 600)
    assert "30303/TCP still leads to 192.168.1.4, and the gateway keeps it until its lease ends" in caplog.text


def test_what_we_left_behind_is_deleted_on_the_way_out_too(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, OLD], ADD: [YES]})[0], WANTED._replace(client=IPv4Address("192.168.1.4")))
    igd, gateway = scripted({GET: [OLD, 714], DELETE: [YES]})
    closes(mapper, igd)
    assert gateway.heard == [GET, DELETE, GET]
