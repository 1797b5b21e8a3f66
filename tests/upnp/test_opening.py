"""How the backend opens a port, against the simulated router, through real sockets."""

from typing import TYPE_CHECKING

import pytest
from tests.stopwatch import Stopwatch
from tests.upnp.one_mapping import PORT, TCP, UDP, add

from portmap.errors import Conflict, NotAuthorized, OutOfResources, Refused, SpecError
from portmap.model import Grant, Protocol
from portmap.testing import Heard, Quirks, Router
from portmap_upnp import Upnp
from portmap_upnp.control.soap_client import PAUSE
from portmap_upnp.mapping.ownership import host_id

if TYPE_CHECKING:
    from tests.upnp.conftest import BackendFor


ALTERNATIVE = 25678  # what conftest's backends draw


def test_a_port_is_opened_for_us(router: Router, upnp: Upnp) -> None:
    assert add(upnp) == Grant(PORT, 600)
    (entry,) = router.entries
    assert (entry.protocol, entry.external_port, entry.internal_port, entry.lifetime) == (TCP, PORT, PORT, 600)
    assert (entry.internal_client, entry.description) == ("127.0.0.1", f"portmap:{host_id()}:node")


def test_igd_2_is_spoken_too(backend_for: "BackendFor") -> None:
    with Router(pmp=False, igd=2) as router:
        upnp = backend_for(router)
        assert add(upnp) == Grant(PORT, 600)
        assert str(upnp) == "UPnP 127.0.0.1 (IGD:2)"


def test_udp_and_an_external_port_of_ones_choice_are_opened(router: Router, upnp: Upnp) -> None:
    assert upnp.add_mapping(UDP, 20500, PORT, "", 600, client=None) == Grant(20500, 600)
    assert [(it.protocol, it.external_port, it.internal_port) for it in router.entries] == [(UDP, 20500, PORT)]


def test_asked_again_the_mapping_is_renewed_not_doubled(router: Router, upnp: Upnp) -> None:
    assert add(upnp) == add(upnp) == Grant(PORT, 600)
    assert len(router.entries) == 1


def test_a_hostile_name_does_no_harm(router: Router, upnp: Upnp) -> None:
    add(upnp, name="</NewPortMappingDescription><NewRemoteHost>9.9.9.9")
    assert router.entries[0].description == f"portmap:{host_id()}:--NewPortMappingD"


@pytest.mark.parametrize("wanted", [0, PORT])
def test_a_port_that_is_taken_gives_another_one(router: Router, upnp: Upnp, wanted: int) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT}))
    assert add(upnp, wanted) == Grant(ALTERNATIVE, 600)


def test_asked_again_without_a_suggested_port_the_other_port_is_kept(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT}))
    add(upnp)
    router.quirks = Quirks()
    assert add(upnp) == Grant(ALTERNATIVE, 600)
    assert len(router.entries) == 1


def test_no_port_to_be_had_is_a_conflict(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT, ALTERNATIVE}), strict_igd_1=True)
    with pytest.raises(Conflict):
        add(upnp)


def test_where_two_ports_are_taken_the_router_chooses_one(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(conflict=frozenset({PORT, ALTERNATIVE}))
    assert add(upnp).external_port not in (PORT, ALTERNATIVE)
    assert len(router.entries) == 1


@pytest.mark.parametrize(("code", "error"), [(606, NotAuthorized), (728, OutOfResources), (899, Refused)])
def test_a_refusal_is_typed(router: Router, upnp: Upnp, code: int, error: type[Refused]) -> None:
    router.quirks = Quirks(upnp_error=code)
    with pytest.raises(error) as caught:
        add(upnp)
    assert caught.value.code == code


def test_a_gateway_that_cannot_be_asked_so_fast_is_given_a_breath(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(throttle=0.2)
    assert add(upnp) == Grant(PORT, 600)
    upnp.delete_mapping(TCP, PORT, PORT, client=None)
    assert router.entries == ()


def test_a_gateway_that_fails_for_another_reason_is_given_one_breath_a_talk(router: Router, upnp: Upnp) -> None:
    upnp.external_ip()
    router.quirks = Quirks(upnp_error=501)
    with Stopwatch() as watch, pytest.raises(Refused):
        add(upnp)
    assert watch.seconds < 2 * PAUSE


def test_a_gateway_with_the_old_names_is_spoken_to_in_them(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(legacy_service_types=True)
    assert (str(upnp.external_ip()), add(upnp)) == ("1.2.3.4", Grant(PORT, 600))


def test_a_yes_without_effect_is_seen_through(router: Router, upnp: Upnp) -> None:
    router.quirks = Quirks(success_without_effect=True)
    with pytest.raises(Refused, match="lists nothing"):
        add(upnp)


@pytest.mark.parametrize(("external", "internal", "lifetime"), [(70000, 1, 1), (-1, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_values_that_cannot_be_send_nothing(
    router: Router, upnp: Upnp, external: int, internal: int, lifetime: int
) -> None:
    with pytest.raises(SpecError):
        upnp.add_mapping(TCP, external, internal, "", lifetime, client=None)
    assert router.heard == Heard()


NAMED = Quirks(location_host="router.lan", absolute_control_url=True), Quirks(location_host="router.lan", url_base=True)


@pytest.mark.parametrize("quirks", NAMED, ids=["absolute", "base"])
def test_a_router_that_calls_itself_by_a_name_in_location_and_description_is_used(
    router: Router, upnp: Upnp, quirks: Quirks
) -> None:
    router.quirks = quirks
    assert upnp.add_mapping(Protocol.TCP, PORT, PORT, "", 600, None) == Grant(PORT, 600)


def test_a_mapping_takes_milliseconds(upnp: Upnp) -> None:
    with Stopwatch() as watch:
        add(upnp)
    assert watch.seconds < 0.5
