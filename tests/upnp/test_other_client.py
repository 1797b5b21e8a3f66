"""Entries that lead to another host than this one: made for it, never taken from it."""

from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pytest
from tests.upnp.real_routers import ADD, DELETE, GET, HOST, MARK, WANTED, YES, entry, opens

from portmap.errors import Conflict, NotAuthorized, Refused
from portmap.model import Grant, Protocol
from portmap.simulator.loopback import loopback_address
from portmap.testing import Quirks, Router
from portmap_upnp.mapping.entry_maker import EntryMaker
from portmap_upnp.mapping.ownership import OwnershipRule
from portmap_upnp.mapping.port_forward import MappingRequest, explain

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor, Scripted

    from portmap_upnp.mapping.port_mapper import PortMapper

TCP = Protocol.TCP
NEIGHBOUR = IPv4Address("192.168.1.50")
THEIRS = "portmap:bad0d0:x"  # made by portmap of another host
FOR_NEIGHBOUR = WANTED._replace(client=NEIGHBOUR, to_us=False)


def listed(description: str, lease: int = 600) -> dict[str, str]:
    return entry(str(NEIGHBOUR), description=description, lease=lease)


def test_the_gateway_is_asked_to_forward_to_the_client(router: Router, backend_for: "BackendFor") -> None:
    neighbour = IPv4Address(loopback_address())
    upnp = backend_for(router)
    grant = upnp.add_mapping(TCP, 0, 8123, "nas", 600, client=neighbour)
    assert [(it.internal_client, it.internal_port) for it in router.entries] == [(str(neighbour), 8123)]
    assert upnp.has_mapping(TCP, grant.external_port, 8123, client=neighbour) is True
    assert upnp.has_mapping(TCP, grant.external_port, 8123, client=None) is False
    upnp.delete_mapping(TCP, grant.external_port, 8123, client=neighbour)
    assert not router.entries


def test_one_port_here_and_there_is_two_entries(router: Router, backend_for: "BackendFor") -> None:
    neighbour = IPv4Address(loopback_address())
    upnp = backend_for(router)
    ours = upnp.add_mapping(TCP, 0, 8123, "here", 600, client=None).external_port
    theirs = upnp.add_mapping(TCP, ours, 8123, "here", 600, client=neighbour).external_port
    assert ours != theirs
    upnp.delete_mapping(TCP, theirs, 8123, client=neighbour)
    assert [it.external_port for it in router.entries] == [ours]


def test_a_deletion_for_this_host_leaves_the_clients_entry(router: Router, backend_for: "BackendFor") -> None:
    upnp = backend_for(router)
    port = upnp.add_mapping(TCP, 0, 8123, "nas", 600, client=IPv4Address(loopback_address())).external_port
    upnp.delete_mapping(TCP, port, 8123, client=None)
    assert [it.external_port for it in router.entries] == [port]


@pytest.mark.parametrize("igd", [1, 2])
def test_secure_mode_is_said_to_be_why(igd: int, backend_for: "BackendFor") -> None:
    with Router(loopback_address(), pmp=False, igd=igd, quirks=Quirks(secure_mode=True)) as router:
        upnp = backend_for(router)
        with pytest.raises(
            Refused, match=f"asked to map to {NEIGHBOUR}, and many gateways map to the asking host only"
        ):
            upnp.add_mapping(TCP, 0, 8123, "nas", 600, client=NEIGHBOUR)
        assert not router.entries


def test_an_ipv6_client_is_refused(router: Router, backend_for: "BackendFor") -> None:
    with pytest.raises(Refused, match="IPv4 addresses only, not to fd00::1"):
        backend_for(router).add_mapping(TCP, 0, 8123, "nas", 600, client=IPv6Address("fd00::1"))


def test_our_own_entry_for_the_client_is_extended(mapper: "PortMapper", scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [listed(MARK, lease=30), listed(MARK)], ADD: [YES]})
    assert opens(mapper, igd, FOR_NEIGHBOUR) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET]


@pytest.mark.parametrize("description", [THEIRS, "", "Plex"], ids=["their portmap", "nameless", "their program"])
def test_an_entry_that_the_client_made_is_taken_over_and_never_deleted(
    description: str, mapper: "PortMapper", scripted: "Scripted"
) -> None:
    igd, gateway = scripted({GET: [listed(description, lease=0)]})
    grant = opens(mapper, igd, FOR_NEIGHBOUR)
    assert (grant.external_port, grant.lifetime) == (30303, 0)
    assert "made by another program" in grant.note
    mapper.close(igd, FOR_NEIGHBOUR)
    assert DELETE not in gateway.heard


@pytest.mark.parametrize("description", [THEIRS, "", "Plex"], ids=["their portmap", "nameless", "their program"])
def test_an_entry_that_the_client_made_is_not_deleted_after_a_restart_of_ours(
    description: str, mapper: "PortMapper", scripted: "Scripted"
) -> None:
    igd, gateway = scripted({GET: [listed(description)]})
    mapper.close(igd, FOR_NEIGHBOUR)
    assert DELETE not in gateway.heard


def test_what_an_earlier_life_of_ours_made_for_the_client_is_deleted(
    mapper: "PortMapper", scripted: "Scripted"
) -> None:
    igd, gateway = scripted({GET: [listed(MARK), 714], DELETE: [YES]})
    mapper.close(igd, FOR_NEIGHBOUR)
    assert DELETE in gateway.heard


def test_our_hosts_name_in_the_table_is_not_the_client(scripted: "Scripted") -> None:
    rule = OwnershipRule(HOST, lambda *_: True, hostname=lambda: "desktop")
    igd, gateway = scripted({GET: [entry("desktop", description="Plex")]})
    with pytest.raises(Conflict):
        EntryMaker(rule).make(igd, MappingRequest(FOR_NEIGHBOUR, MARK, 600))
    assert gateway.heard == [GET]


def test_an_entry_of_ours_for_this_host_is_not_moved_to_the_client(mapper: "PortMapper", scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, entry()], ADD: [YES]})
    opens(mapper, igd)
    igd, gateway = scripted({GET: [entry(), 714, listed(MARK)], ADD: [YES]})
    assert opens(mapper, igd, FOR_NEIGHBOUR).external_port == 20001
    assert DELETE not in gateway.heard


def test_a_client_with_a_new_address_takes_its_entry_along(mapper: "PortMapper", scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, listed(MARK)], ADD: [YES]})
    opens(mapper, igd, FOR_NEIGHBOUR)
    moved = FOR_NEIGHBOUR._replace(client=IPv4Address("192.168.1.51"))
    igd, gateway = scripted({GET: [listed(MARK), entry("192.168.1.51", description=MARK)], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, igd, moved).external_port == 30303
    assert gateway.heard == [GET, DELETE, ADD, GET]


def test_a_refusal_of_another_kind_is_told_as_it_is() -> None:
    refusal = NotAuthorized("no", code=606)
    assert explain(refusal, WANTED) is refusal
    assert str(explain(refusal, FOR_NEIGHBOUR)).startswith("no; it was asked to map to 192.168.1.50")
    full = Refused("full", code=728)
    assert explain(full, FOR_NEIGHBOUR) is full
