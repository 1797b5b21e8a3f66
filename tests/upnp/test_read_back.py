"""The mapper believes what the gateway lists, not its yes; the gateway follows a script."""

from typing import TYPE_CHECKING

import pytest
from tests.upnp.real_routers import ADD, DELETE, GET, LIST, WANTED, YES, closes, entry, opens

from portmap.errors import Refused
from portmap.model import Grant
from portmap_upnp.mapping.entry_maker import NOT_READ_BACK
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted


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


@pytest.mark.parametrize("code", [401, 602])
def test_a_gateway_whose_table_cannot_be_read_is_believed(mapper: PortMapper, scripted: "Scripted", code: int) -> None:
    igd, gateway = scripted({GET: [code], ADD: [YES]})
    assert opens(mapper, igd) == Grant(30303, 600, note=NOT_READ_BACK)
    igd, gateway = scripted({DELETE: [YES]})
    closes(mapper, igd)
    assert gateway.heard == [LIST, DELETE]
