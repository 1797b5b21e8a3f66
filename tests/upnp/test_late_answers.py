"""A gateway's yes that comes too late, and a request that is lost: what the table shows decides."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from tests.upnp.real_routers import ADD, ANY, DELETE, GET, LIST, YES, entry, opens, row

from portmap.errors import GatewayTimeout
from portmap.model import Grant
from portmap_upnp.control.wan_connection import WanConnection
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted


class LateAnswers(WanConnection):
    """The actions of a gateway that does what it is asked for, and says so after the client's time limit."""

    def add(self, *arguments: Any) -> None:
        super().add(*arguments)
        raise GatewayTimeout("no answer in time")

    def add_any(self, *arguments: Any) -> int:
        super().add_any(*arguments)
        raise GatewayTimeout("no answer in time")


def test_an_entry_that_the_table_shows_is_granted_though_the_yes_came_too_late(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714, entry()], ADD: [YES]})
    assert opens(mapper, LateAnswers(wan.soap)) == Grant(30303, 600)
    assert DELETE not in gateway.heard


def test_a_renewal_whose_yes_came_too_late_is_one_where_the_table_shows_it(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=290), entry()], ADD: [YES]})
    assert opens(mapper, LateAnswers(wan.soap)) == Grant(30303, 600)
    assert DELETE not in gateway.heard


class LostRequests(WanConnection):
    """The actions of a gateway that no request for an entry reaches."""

    def add(self, *_: Any) -> None:
        raise GatewayTimeout("no answer in time")


def opened(mapper: PortMapper, scripted: "Scripted") -> None:
    """Whether the gateway extends leases is not known."""
    opens(mapper, scripted({GET: [714, entry()], ADD: [YES]})[0])


def opened_and_renewed(mapper: PortMapper, scripted: "Scripted") -> None:
    """The gateway is known to extend leases: a renewal's yes is not read back any more."""
    opened(mapper, scripted)
    opens(mapper, scripted({GET: [entry(lease=290), entry()], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=290)], ADD: [YES]})
    opens(mapper, wan)
    assert gateway.heard == [GET, ADD]


@pytest.mark.parametrize("begin", [opened, opened_and_renewed])
def test_a_renewal_that_was_lost_on_its_way_is_a_timeout_and_the_entry_stays(
    begin: Callable[[PortMapper, "Scripted"], None], mapper: PortMapper, scripted: "Scripted"
) -> None:
    begin(mapper, scripted)
    wan, gateway = scripted({GET: [entry(lease=290), entry(lease=286)], DELETE: [YES]})
    with pytest.raises(GatewayTimeout):
        opens(mapper, LostRequests(wan.soap))
    assert DELETE not in gateway.heard


def test_a_renewal_whose_yes_was_lost_is_granted_for_what_the_table_shows(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opened_and_renewed(mapper, scripted)
    wan, _ = scripted({GET: [entry(lease=590), entry(lease=580)], ADD: [YES]})
    assert opens(mapper, LateAnswers(wan.soap)) == Grant(30303, 580)


def test_a_renewal_whose_yes_was_lost_is_one_where_the_gateway_never_counts_down(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    opens(mapper, scripted({GET: [714, entry(lease=200)], ADD: [YES]})[0])
    wan, gateway = scripted({GET: [entry(lease=200)], ADD: [YES], DELETE: [YES]})
    assert opens(mapper, LateAnswers(wan.soap)) == Grant(30303, 200)
    assert DELETE not in gateway.heard


def test_where_the_table_does_not_show_the_entry_a_late_answer_is_a_timeout(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, gateway = scripted({GET: [714], ADD: [YES], DELETE: [YES]})
    with pytest.raises(GatewayTimeout):
        opens(mapper, LateAnswers(wan.soap))
    assert gateway.heard[-1] == DELETE
    assert mapper.held == 0


def test_a_port_that_the_gateway_chose_and_told_too_late_is_found_in_its_table(
    mapper: PortMapper, scripted: "Scripted"
) -> None:
    wan, _ = scripted({GET: [714, entry()], ADD: [606], ANY: [{"NewReservedPort": "5001"}], LIST: [row(5001), 713]})
    assert opens(mapper, LateAnswers(wan.soap)) == Grant(5001, 600)
