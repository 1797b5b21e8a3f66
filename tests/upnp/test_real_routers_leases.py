"""What real routers do with leases, and with a yes that cannot be read or names no port."""

from typing import TYPE_CHECKING, Any

import pytest
from tests.upnp.canned import http

from portmap.errors import Garbled, NATError, Refused
from portmap.model import Grant
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted, ScriptedGateway

from tests.upnp.real_routers import ADD, ANY, DELETE, GET, HOST, LIST, WANTED, YES, entry, opens, row

BARE_500 = http(b"", "500 Internal Server Error")
WITHOUT_CODE = http(b"<Envelope><Fault><errorCode></errorCode></Fault></Envelope>", "500 Internal Server Error")
ILLEGIBLE = [http(b"OK"), http(b"<ok/>"), http(b"<s:Envelope><s:Body>")]


def leases(gateway: "ScriptedGateway", action: str = ADD) -> list[str]:
    asked = [request.decode() for request in gateway.requests if f"#{action}".encode() in request]
    return [text.partition("<NewLeaseDuration>")[2].partition("<")[0] for text in asked]


# Leases.


@pytest.mark.parametrize("refusal", [725, 402, 600, 601, -911, WITHOUT_CODE, BARE_500])
def test_where_a_lease_may_be_what_was_refused_a_permanent_entry_is_asked_for(
    refusal: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry(lease=0)], ADD: [refusal, YES]})
    assert opens(mapper, wan) == Grant(30303, 0)
    assert leases(gateway) == ["600", "0"]


def test_where_every_port_fails_without_a_reason_a_permanent_entry_is_the_last_resort(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714] * 6 + [entry(lease=0)], ADD: [501] * 6 + [YES]})
    assert opens(mapper, wan) == Grant(30303, 0)
    assert leases(gateway) == ["600"] * 6 + ["0"]


def test_a_reason_for_refusing_the_permanent_entry_is_what_is_told(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [714], ADD: [402, 728]})
    with pytest.raises(Refused) as caught:
        opens(mapper, wan)
    assert caught.value.code == 728


def test_a_router_that_only_made_permanent_entries_may_be_replaced_by_one_that_makes_none(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry(lease=0)], ADD: [725, YES]})[0])
    wan, gateway = scripted({GET: [714, entry()], ADD: [402, YES]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert leases(gateway) == ["0", "600"]
    wan, gateway = scripted({GET: [entry(lease=290), entry()], ADD: [YES]})
    opens(mapper, wan)
    assert leases(gateway) == ["600"]


def test_a_lease_refused_without_a_reason_is_asked_for_again_the_next_time(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry(lease=0)], ADD: [-911, YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=0), entry()], ADD: [YES]})
    opens(mapper, wan)
    assert leases(gateway) == ["600"]


def test_a_list_that_does_not_count_down_is_no_reason_to_delete_at_each_renewal(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    capped = entry(lease=120)
    opens(mapper, scripted({GET: [714, capped], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [capped], ADD: [YES]})
    assert opens(mapper, wan) == Grant(30303, 120)
    assert DELETE not in gateway.heard


def test_a_gateway_that_chooses_the_port_may_choose_it_without_a_lease(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry(lease=0)], ADD: [606], ANY: [725, {"NewReservedPort": "5003"}]})
    assert opens(mapper, wan) == Grant(5003, 0)
    assert leases(gateway, ANY) == ["600", "0"]


# A yes that cannot be read.


@pytest.mark.parametrize("yes", ILLEGIBLE)
def test_a_yes_that_cannot_be_read_is_decided_by_the_table(
    yes: bytes, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry()], ADD: [yes]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert DELETE not in gateway.heard
    wan, gateway = scripted({GET: [entry(lease=290), entry()], ADD: [yes]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert DELETE not in gateway.heard


@pytest.mark.parametrize("yes", ILLEGIBLE)
def test_where_the_table_shows_nothing_a_yes_that_cannot_be_read_is_an_error(
    yes: bytes, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714], ADD: [yes], DELETE: [714]})
    with pytest.raises(Garbled):
        opens(mapper, wan)
    assert gateway.heard[-1] == DELETE


@pytest.mark.parametrize("yes", ILLEGIBLE)
def test_a_deletion_whose_yes_cannot_be_read_is_done(yes: bytes, mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(), 714], DELETE: [yes]})
    mapper.close(wan, WANTED)
    assert gateway.heard == [GET, DELETE, GET]
    assert mapper.held == 0


def test_an_entry_that_stays_is_told_though_its_lease_runs_down(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, _ = scripted({GET: [entry(lease=300), entry(lease=299)], DELETE: [YES]})
    with pytest.raises(Refused, match="still lists it"):
        mapper.close(wan, WANTED)


# A yes without a port.


@pytest.mark.parametrize("yes", [{}, {"NewReservedPort": "0"}, {"NewReservedPort": "x"}, http(b""), http(b"<x")])
def test_a_port_that_the_gateway_chose_and_does_not_name_is_found_in_its_table(
    yes: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    rows = [row(5001, client="192.168.1.9"), row(5003), 713]
    wan, _ = scripted({GET: [714, entry()], ADD: [606], ANY: [yes], LIST: rows})
    assert opens(mapper, wan) == Grant(5003, 600)


# A second witness that shows nothing.


@pytest.mark.parametrize("shown", [("192.168.1.5", 0), ("", 30303), ("0.0.0.0", 30303)])  # noqa: S104  # as listed
def test_a_row_that_does_not_say_where_it_leads_takes_no_port(
    shown: tuple[str, int], mapper: PortMapper, scripted: "Scripted"
) -> None:
    client, port = shown
    wan, gateway = scripted(
        {GET: [714, entry(client, port)], ADD: [YES], LIST: [row(client=client, port=port), 713], DELETE: [YES]}
    )
    assert opens(mapper, wan).external_port == 30303
    assert gateway.heard.count(ADD) == 1


def test_whatever_fails_no_entry_is_left(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714], ADD: [BARE_500], DELETE: [http(b"OK")]})
    with pytest.raises(NATError):
        opens(mapper, wan)
    assert gateway.heard[-1] == DELETE
    assert mapper.held == 0


def test_a_mapper_of_another_life_asks_for_a_lease(scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [entry(lease=0), entry()], ADD: [YES]})
    assert opens(PortMapper(host=HOST), wan) == Grant(30303, 600)
    assert leases(gateway) == ["600"]


@pytest.mark.parametrize("yes", ILLEGIBLE)
def test_a_yes_that_cannot_be_read_counts_where_the_lease_has_to_be_asked_for_anew(
    yes: bytes, mapper: PortMapper, scripted: "Scripted"
) -> None:
    capped = entry(lease=60)
    wan, gateway = scripted({GET: [capped], ADD: [yes], DELETE: [YES]})
    assert opens(mapper, wan) == Grant(30303, 60)
    assert gateway.heard[-1] == GET


# Our own entry in the way.


def test_an_entry_of_ours_stays_where_its_renewal_is_501(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=290)], ADD: [501], DELETE: [YES]})
    with pytest.raises(Refused):
        opens(mapper, wan)
    assert DELETE not in gateway.heard


def test_where_another_port_is_had_at_a_renewal_the_former_entry_is_deleted(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    gets = [entry(lease=0), 714, entry(), entry(lease=0), 714]
    wan, gateway = scripted({GET: gets, ADD: [501, 501, YES], DELETE: [YES]})
    assert opens(mapper, wan).external_port == 20001
    assert b"<NewExternalPort>30303<" in gateway.requests[gateway.heard.index(DELETE)]
    assert mapper.held == 1
