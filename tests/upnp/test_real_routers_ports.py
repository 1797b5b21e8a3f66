"""What real routers do, as owners reported it: ranges, ports under 1024, entries of other programs, few calls."""

from typing import TYPE_CHECKING, Any

import pytest

from portmap.errors import Conflict, NotAuthorized
from portmap.model import Grant, Protocol
from portmap_upnp.mapping.port_forward import PortForward
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted

from tests.upnp.real_routers import ADD, ANY, DELETE, GET, HOST, NOT_FOUND, US, WANTED, YES, entry, opens

# A range of ports, and ports under 1024.


@pytest.mark.parametrize("code", [606, 718])
def test_a_gateway_that_allows_a_range_only_chooses_the_port_itself(
    code: int, mapper: PortMapper, scripted: "Scripted"
) -> None:
    looks = [714] if code == 606 else [714, 714]  # after 718 one other port is tried: the first may just be taken
    wan, gateway = scripted({GET: [*looks, entry()], ADD: [code], ANY: [{"NewReservedPort": "5003"}]})
    assert opens(mapper, wan) == Grant(5003, 600)
    assert gateway.heard == [GET, ADD] * len(looks) + [ANY, GET]


def test_a_gateway_that_chooses_another_port_at_a_renewal_is_left_with_one_entry(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [606], ANY: [{"NewReservedPort": "5003"}]})[0])
    again = WANTED._replace(external_port=5003)
    looks = [entry(lease=290), entry(), entry(lease=290), 714]
    wan, gateway = scripted({GET: looks, ADD: [606], ANY: [{"NewReservedPort": "5004"}], DELETE: [YES]})
    assert opens(mapper, wan, again) == Grant(5004, 600)
    assert gateway.heard == [GET, ADD, ANY, GET, GET, DELETE, GET]
    assert b"<NewExternalPort>5003<" in gateway.requests[5]
    assert mapper.held == 1


def test_a_former_entry_that_cannot_be_deleted_costs_no_grant(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [606], ANY: [{"NewReservedPort": "5003"}]})[0])
    wan, _ = scripted({GET: [entry()], ADD: [606], ANY: [{"NewReservedPort": "5004"}], DELETE: [606]})
    assert opens(mapper, wan, WANTED._replace(external_port=5003)) == Grant(5004, 600)
    assert mapper.held == 2  # so both are deleted at the end


@pytest.mark.parametrize("answer", [401, 602, NOT_FOUND, {"NewReservedPort": "0"}, {}])
def test_a_gateway_that_chooses_no_port_is_asked_for_others(
    answer: Any, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [714, 714, entry()], ADD: [718, YES], ANY: [answer], DELETE: [714]})
    assert opens(mapper, wan) == Grant(20001, 600)


def test_a_gateway_that_lets_this_host_open_nothing_says_so(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [714], ADD: [606]})
    with pytest.raises(NotAuthorized):
        opens(mapper, wan)
    assert gateway.heard == [GET, ADD, ANY]


@pytest.mark.parametrize("code", [606, 718])
def test_a_refused_port_under_1024_is_told_with_what_to_ask_for(
    code: int, mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [714], ADD: [code]})
    with pytest.raises(NotAuthorized, match=r"refuses external port 443.*under 1024.*8443:8443") as caught:
        opens(mapper, wan, PortForward(Protocol.TCP, 443, US, 8443))
    assert "taken" not in str(caught.value)


def test_a_port_under_1024_that_another_host_holds_is_taken(scripted: "Scripted") -> None:
    wan, _ = scripted({GET: [entry("192.168.1.9")]})
    with pytest.raises(Conflict, match=r"taken by 192\.168\.1\.9"):
        opens(PortMapper(lambda: 443, HOST), wan, PortForward(Protocol.TCP, 443, US, 8443))


# An entry of another program of this host.


def test_an_entry_of_another_program_that_leads_here_is_taken_over_as_it_is(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [entry(lease=0, NewPortMappingDescription="libminiupnpc")]})
    grant = opens(mapper, wan)
    assert (grant.external_port, grant.lifetime) == (30303, 0)
    assert "made by another program (libminiupnpc)" in grant.note
    assert gateway.heard == [GET]


def test_its_lease_is_renewed_under_its_own_name(mapper: PortMapper, scripted: "Scripted") -> None:
    name = "a &amp; &lt;b&gt;"
    held = [entry(lease=lease, NewPortMappingDescription=name) for lease in (100, 600)]
    wan, gateway = scripted({GET: held, ADD: [YES]})
    assert opens(mapper, wan).lifetime == 600
    assert b"<NewPortMappingDescription>a &amp; &lt;b&gt;</NewPortMappingDescription>" in gateway.requests[1]


def test_it_is_not_deleted_at_the_end_nor_by_a_later_life(mapper: PortMapper, scripted: "Scripted") -> None:
    theirs = entry(lease=0, NewPortMappingDescription="libminiupnpc")
    opens(mapper, scripted({GET: [theirs]})[0])
    for closer in (mapper, PortMapper(host=HOST)):
        wan, gateway = scripted({GET: [theirs], DELETE: [YES]})
        closer.close(wan, WANTED)
        assert DELETE not in gateway.heard


def test_once_it_is_gone_we_make_our_own(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [entry(lease=0, NewPortMappingDescription="libminiupnpc")]})[0])
    assert opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0]) == Grant(30303, 600)
    wan, gateway = scripted({GET: [entry(), 714], DELETE: [YES]})
    mapper.close(wan, WANTED)
    assert DELETE in gateway.heard


# Few calls.


def test_a_gateway_that_is_known_to_extend_leases_is_not_read_back_at_each_renewal(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    opens(mapper, scripted({GET: [entry(lease=290), entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=290)], ADD: [YES]})
    assert opens(mapper, wan) == Grant(30303, 600)
    assert gateway.heard == [GET, ADD]


def test_a_renewal_that_finds_less_than_a_third_of_the_lease_is_read_back(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    opens(mapper, scripted({GET: [entry(lease=290), entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=100), entry()], ADD: [YES]})
    opens(mapper, wan)
    assert gateway.heard == [GET, ADD, GET]


def test_in_haste_what_we_hold_is_deleted_unseen(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({DELETE: [YES]})
    mapper.close(wan, WANTED, in_haste=True)
    assert gateway.heard == [DELETE]


def test_in_haste_too_what_is_not_ours_is_looked_at_first(mapper: PortMapper, scripted: "Scripted") -> None:
    wan, gateway = scripted({GET: [entry("192.168.1.9")], DELETE: [YES]})
    mapper.close(wan, WANTED, in_haste=True)
    assert gateway.heard == [GET]


def test_a_grant_that_was_not_read_back_is_not_called_lost_at_each_check(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714], ADD: [YES]})[0])
    assert mapper.lists(scripted({GET: [714]})[0], WANTED) is None


def test_a_check_asks_once_and_tells_whether_our_entry_is_there(mapper: PortMapper, scripted: "Scripted") -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry()]})
    assert mapper.lists(wan, WANTED) is True
    assert gateway.heard == [GET]
    assert mapper.lists(scripted({GET: [714]})[0], WANTED) is False
    assert mapper.lists(scripted({GET: [entry("192.168.1.9")]})[0], WANTED) is False
