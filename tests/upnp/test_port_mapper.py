"""What the mapper makes of each router's ways; the wire is real, the gateway follows a script."""

from ipaddress import IPv4Address
from itertools import chain, repeat
from typing import TYPE_CHECKING

import pytest

from portmap.errors import Conflict, OutOfResources, Refused
from portmap.model import Grant, Protocol
from portmap_upnp.control.wan_connection import WanConnection
from portmap_upnp.mapping.entry_maker import NOT_READ_BACK
from portmap_upnp.mapping.port_forward import PortForward, granted
from portmap_upnp.mapping.port_mapper import ALTERNATIVES, PortMapper, random_port

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted

US = IPv4Address("192.168.1.5")
HOST = "c0ffee"
MARK = "portmap:c0ffee:x"
WANTED = PortForward(Protocol.TCP, 30303, US, 30303)
ANYWHERE = WANTED._replace(external_port=0)
ADD, GET, DELETE = "AddPortMapping", "GetSpecificPortMappingEntry", "DeletePortMapping"
ANY, LIST = "AddAnyPortMapping", "GetGenericPortMappingEntry"
YES: dict[str, str] = {}


def entry(
    client: str = str(US), port: int = 30303, description: str = MARK, lease: int = 600, enabled: str = "1"
) -> dict[str, str]:
    return {
        "NewInternalClient": client,
        "NewInternalPort": str(port),
        "NewPortMappingDescription": description,
        "NewEnabled": enabled,
        "NewLeaseDuration": str(lease),
    }


THEIRS = entry("192.168.1.6")


@pytest.fixture
def mapper() -> PortMapper:
    return PortMapper(chain([20001, 20002], repeat(20003)).__next__, HOST, is_host_present=lambda *_: True)


def opens(mapper: PortMapper, igd: WanConnection, wanted: PortForward = WANTED) -> Grant:
    return mapper.open(igd, wanted, "x", 600)


def closes(mapper: PortMapper, igd: WanConnection) -> None:
    mapper.close(igd, WANTED)


def test_a_free_port_is_looked_at_asked_for_and_read_back(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714, entry()], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET]


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        (entry(), True),
        (714, False),
        (entry(enabled="0"), False),
        (entry("192.168.1.6"), False),
        (entry(port=30304), False),
    ],
)
def test_an_entry_is_looked_up_by_one_question(
    mapper: PortMapper, scripted: "Scripted", answer: int | dict[str, str], listed: bool
) -> None:
    igd, gateway = scripted({GET: [answer]})
    assert mapper.lists(igd, WANTED) is listed
    assert gateway.heard == [GET]


@pytest.mark.parametrize("refusal", [401, 606])
def test_where_the_table_cannot_be_read_a_look_up_does_not_know(
    mapper: PortMapper, scripted: "Scripted", refusal: int
) -> None:
    igd, _ = scripted({GET: [refusal]})
    assert mapper.lists(igd, WANTED) is None


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


@pytest.mark.parametrize("code", [725, 402])
def test_a_gateway_without_lifetimes_gets_a_permanent_mapping(
    mapper: PortMapper, scripted: "Scripted", code: int
) -> None:
    igd, gateway = scripted({GET: [714, entry(lease=0)], ADD: [code, YES]})
    assert opens(mapper, igd) == Grant(30303, 0)
    assert b"<NewLeaseDuration>0<" in gateway.requests[2]


def test_that_lifetimes_are_unknown_is_remembered(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry(lease=0)], ADD: [725, YES]})[0])
    igd, gateway = scripted({GET: [entry(lease=0)], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 0)
    assert gateway.heard == [GET, ADD, GET]


def test_402_to_a_permanent_mapping_too_is_a_refusal(mapper: PortMapper, scripted: "Scripted") -> None:
    with pytest.raises(Refused, match="its table may be full"):
        opens(mapper, scripted({GET: [714], ADD: [402]})[0])
    assert opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0]) == Grant(30303, 600)


def test_a_gateway_that_wants_the_same_port_inside_gets_it(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, 714, entry()], ADD: [724, YES]})
    assert opens(mapper, igd, WANTED._replace(external_port=443)) == Grant(30303, 600)


def test_a_gateway_that_wants_the_same_port_and_has_it_taken_is_a_conflict(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    igd, _ = scripted({GET: [THEIRS, 714, THEIRS], ADD: [724]})
    with pytest.raises(Conflict):
        opens(mapper, igd)


def test_a_yes_without_an_entry_is_insisted_on_and_then_not_believed(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714], ADD: [YES], DELETE: [714], LIST: [713]})
    with pytest.raises(Refused, match=r"said yes to TCP 30303 to 192\.168\.1\.5:30303, but lists nothing"):
        opens(mapper, igd)
    once = [GET, ADD, GET, LIST, ADD, GET, LIST, DELETE, ADD, GET, LIST, GET, DELETE]
    assert gateway.heard == once * 2  # another port is tried once, after the first was cleaned up


def test_a_yes_that_takes_effect_the_second_time_will_do(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714, 714, entry()], ADD: [YES], LIST: [713]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET, LIST, ADD, GET]


def test_a_yes_that_takes_effect_on_another_port_only_gives_that(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714] * 6 + [entry()], ADD: [YES], DELETE: [714], LIST: [713]})
    assert opens(mapper, igd) == Grant(20001, 600)


def test_an_entry_that_is_switched_off_is_made_anew(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714, entry(enabled="0"), entry()], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET, DELETE, ADD, GET]


def test_an_entry_that_stays_switched_off_is_an_error(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [714, entry(enabled="0")], ADD: [YES], DELETE: [YES]})
    with pytest.raises(Refused, match="lists as switched off"):
        opens(mapper, igd)


# After another address for our host: what is left behind leads to the old one.

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


@pytest.mark.parametrize("code", [401, 602])
def test_a_gateway_whose_table_cannot_be_read_is_believed(mapper: PortMapper, scripted: "Scripted", code: int) -> None:
    igd, gateway = scripted({GET: [code], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600, note=NOT_READ_BACK)
    igd, gateway = scripted({DELETE: [YES]})
    closes(mapper, igd)
    assert gateway.heard == [LIST, DELETE]


def test_our_own_entry_that_stands_in_its_own_way_is_deleted_first(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry()], ADD: [718, YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, DELETE, ADD, GET]


def test_a_lease_that_runs_on_after_a_renewal_is_made_anew(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry(lease=100), entry(lease=99), entry()], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD, GET, DELETE, ADD, GET]


def test_a_capped_lease_is_not_mistaken_for_one_that_runs_on(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry(lease=60), entry(lease=120)], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 120)
    assert DELETE not in gateway.heard


@pytest.mark.parametrize(
    ("asked", "listed", "lifetime"),
    [
        (600, 600, 600),
        (600, 599, 600),
        (600, 598, 598),
        (600, 120, 120),
        (600, 9999, 600),
        (600, 0, 600),
        (0, 0, 0),
        (0, 604800, 604800),
    ],
)
def test_the_lifetime_granted_is_what_is_listed_and_never_more_than_asked(
    asked: int, listed: int, lifetime: int
) -> None:
    assert granted(asked, listed) == lifetime


def test_what_is_ours_is_deleted_and_seen_to_be_gone(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [entry(), 714], DELETE: [YES]})
    closes(mapper, igd)
    assert gateway.heard == [GET, DELETE, GET]


def test_what_both_witnesses_say_is_gone_is_not_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, gateway = scripted({GET: [714], "GetGenericPortMappingEntry": [713]})
    closes(mapper, igd)
    assert gateway.heard == [GET, "GetGenericPortMappingEntry"]


@pytest.mark.parametrize("answer", [THEIRS, entry(description="geth")], ids=["theirs", "another program"])
def test_what_is_not_ours_is_not_deleted(
    mapper: PortMapper, scripted: "Scripted", answer: int | dict[str, str]
) -> None:
    igd, gateway = scripted({GET: [answer]})
    closes(mapper, igd)
    assert gateway.heard == [GET]


def test_what_vanishes_while_we_delete_it_is_deleted(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [entry(), 714], DELETE: [714]})
    closes(mapper, igd)


def test_a_yes_to_a_deletion_that_did_not_happen_is_not_believed(mapper: PortMapper, scripted: "Scripted") -> None:
    igd, _ = scripted({GET: [entry()], DELETE: [YES]})
    with pytest.raises(Refused, match="still lists it"):
        closes(mapper, igd)


def test_drawn_ports_are_high_and_differ() -> None:
    drawn = {random_port() for _ in range(200)}
    assert 10000 <= min(drawn) < max(drawn) <= 65534
    assert len(drawn) > 100
