"""Which external port the mapper asks for; the wire is real, the gateway follows a script."""

from typing import TYPE_CHECKING

import pytest
from tests.upnp.real_routers import ADD, ANYWHERE, DELETE, GET, THEIRS, WANTED, YES, entry, opens

from portmap.errors import Conflict, OutOfResources, Refused
from portmap.model import Grant, Protocol
from portmap_upnp.mapping.port_mapper import ALTERNATIVES, PortMapper, random_port

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted


def test_a_free_port_is_looked_at_asked_for_and_read_back(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714, entry()], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET]


def test_a_port_that_another_host_has_is_never_asked_for(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [THEIRS, 714, entry()], ADD: [YES]})
    assert opens(mapper, igd) == Grant(20001, 600)
    assert gateway.heard == [GET, GET, ADD, GET]


@pytest.mark.parametrize(
    "holder",
    [
        entry(port=30304),
        entry(description="geth", enabled="0"),
        entry("router.lan", description="portmap:bad0d0:x"),
        entry("192.168.1.6", description="portmap:bad0d0:x"),
        entry("192.168.1.6", description="portmap:c0ffee:y"),
        entry("192.168.1.6", 30304),
        entry("192.168.1.6"),
    ],
    ids=[
        "another port of ours",
        "another program, switched off",
        "a name of another host",
        "another host's portmap",
        "another mapping of ours",
        "another port of ours elsewhere",
        "this very mapping, of a living clone",
    ],
)
def test_an_entry_that_is_not_this_mapping_of_ours_is_left_alone(
    mapper: PortMapper, scripted: "Scripted", holder: dict[str, str]
) -> None:
    igd, _ = scripted({GET: [holder, 714, entry()], ADD: [YES]})
    assert opens(mapper, igd).external_port == 20001


@pytest.mark.parametrize("description", ["portmap:x", "portmap:other", ""])
def test_our_own_old_entry_is_extended(mapper: PortMapper, scripted: "Scripted", description: str) -> None:
    igd, gateway = scripted({GET: [entry(description=description, lease=20), entry()], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET]


def test_an_entry_that_we_made_is_ours_whatever_the_router_calls_it(mapper: PortMapper, scripted: "Scripted") -> None:
    renamed = entry(description="UPnP rule 7")
    opens(mapper, scripted({GET: [714, renamed], ADD: [YES]})[0])
    assert opens(mapper, scripted({GET: [renamed], ADD: [YES]})[0]).external_port == 30303


@pytest.mark.parametrize("codes", [(718,), (729,), (501, 501), (716,)])
def test_a_refusal_of_the_port_leads_to_another_port(
    mapper: PortMapper, scripted: "Scripted", codes: tuple[int, ...]
) -> None:
    igd, _ = scripted({GET: [714, 714, entry()], ADD: [*codes, YES]})
    assert opens(mapper, igd) == Grant(20001, 600)


def test_a_port_lost_to_a_quicker_host_leads_to_another_port(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, THEIRS, 714, entry()], ADD: [YES]})
    assert opens(mapper, igd) == Grant(20001, 600)


def test_the_usual_port_is_the_one_held_or_else_the_internal_one(mapper: PortMapper, scripted: "Scripted") -> None:
    assert mapper.with_usual_port(ANYWHERE) == WANTED
    opens(mapper, scripted({GET: [THEIRS, 714, entry()], ADD: [YES]})[0])
    assert mapper.with_usual_port(ANYWHERE) == WANTED._replace(external_port=20001)
    assert mapper.with_usual_port(ANYWHERE._replace(protocol=Protocol.UDP)).external_port == 30303
    assert mapper.with_usual_port(ANYWHERE._replace(to_us=False)).external_port == 30303


def test_a_port_lost_to_another_host_is_no_longer_the_usual_one(mapper: PortMapper, scripted: "Scripted") -> None:
    held = WANTED._replace(external_port=20009)
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0], held)
    with pytest.raises(Conflict):
        opens(mapper, scripted({GET: [THEIRS]})[0], held)
    assert mapper.with_usual_port(ANYWHERE) == WANTED


def test_if_every_port_is_taken_it_is_a_conflict(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [THEIRS]})
    with pytest.raises(Conflict, match="30303/TCP is taken by 192"):
        opens(mapper, igd)
    assert gateway.heard == [GET] * (1 + ALTERNATIVES)


def test_a_gateway_that_fails_for_every_port_is_quoted(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714], ADD: [501]})
    with pytest.raises(Refused, match="switched off") as caught:
        opens(mapper, igd)
    assert (type(caught.value), caught.value.code) == (Refused, 501)


@pytest.mark.parametrize(("code", "error"), [(728, OutOfResources), (899, Refused)])
def test_any_other_refusal_is_final(mapper: PortMapper, scripted: "Scripted", code: int, error: type[Refused]) -> None:
    igd, gateway = scripted({GET: [714], ADD: [code]})
    with pytest.raises(error):
        opens(mapper, igd)
    assert gateway.heard == [GET, ADD]


def test_a_gateway_that_wants_the_same_port_inside_gets_it(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, 714, entry()], ADD: [724, YES]})
    assert opens(mapper, igd, WANTED._replace(external_port=443)) == Grant(30303, 600)


def test_a_gateway_that_wants_the_same_port_and_has_it_taken_is_a_conflict(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    igd, _ = scripted({GET: [THEIRS, 714, THEIRS], ADD: [724]})
    with pytest.raises(Conflict):
        opens(mapper, igd)


def test_our_own_entry_that_stands_in_its_own_way_is_deleted_first(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry()], ADD: [718, YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, DELETE, ADD, GET]


def test_drawn_ports_are_high_and_differ() -> None:
    drawn = {random_port() for _ in range(200)}
    assert 10000 <= min(drawn) < max(drawn) <= 65534
    assert len(drawn) > 100
