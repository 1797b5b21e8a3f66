"""The lifetime that is asked for, and the one that is granted."""

from typing import TYPE_CHECKING

import pytest
from tests.upnp.one_mapping import PORT, add
from tests.upnp.real_routers import ADD, DELETE, GET, YES, entry, opens

from portmap.errors import Refused
from portmap.model import Grant
from portmap.testing import Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.mapping.port_forward import granted
from portmap_upnp.mapping.port_mapper import PortMapper

if TYPE_CHECKING:
    from tests.upnp.conftest import Scripted


@pytest.mark.parametrize("quirks", [Quirks(only_permanent=True), Quirks(permanent_as_402=True)])
def test_a_router_without_lifetimes_grants_for_ever(router: Router, upnp: Upnp, quirks: Quirks) -> None:
    router.quirks = quirks
    assert add(upnp) == Grant(PORT, 0)


def test_a_shorter_lifetime_is_reported(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(caps_lifetime=120)
    assert add(upnp) == Grant(PORT, 120)


def test_a_lifetime_beyond_a_week_asks_for_a_week(router: Router, upnp: Upnp) -> None:
    add(upnp, lifetime=10_000_000)
    assert router.entries[0].lifetime == 604800


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
