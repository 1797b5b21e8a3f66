"""The actions of a gateway, call to results: the standard's rules, miniupnpd's ways, and the quirks."""

import pytest

from portmap.model import Protocol
from portmap.simulator.state import RouterState
from portmap.simulator.upnp.action_call import ActionCall
from portmap.simulator.upnp.igd import ACTIONS, action_of
from portmap.simulator.upnp.soap import Fault, SoapCall
from portmap.testing import Entry, Quirks

NOW = 100.0
CLIENT = "127.0.0.1"
MAPPING = {
    "NewRemoteHost": "",
    "NewExternalPort": "80",
    "NewProtocol": "TCP",
    "NewInternalPort": "8080",
    "NewInternalClient": CLIENT,
    "NewEnabled": "1",
    "NewPortMappingDescription": "portmap:web",
    "NewLeaseDuration": "600",
}
MAPPED = Entry(Protocol.TCP, 80, CLIENT, 8080, 600, "portmap:web")


def do(action: str, state: RouterState, client: str = CLIENT, **changes: str) -> dict[str, str]:
    call = SoapCall("", action, MAPPING | changes)
    return ACTIONS[action].do(ActionCall(call, client, state, NOW))


def refused(action: str, state: RouterState, client: str = CLIENT, **changes: str) -> int:
    with pytest.raises(Fault) as caught:
        do(action, state, client, **changes)
    return caught.value.code


def test_a_mapping_is_added_as_asked() -> None:
    state = RouterState()
    assert do("AddPortMapping", state) == {}
    assert state.table.alive(NOW) == (MAPPED,)


def test_a_mapping_of_ones_own_is_overwritten() -> None:
    state = RouterState()
    do("AddPortMapping", state)
    do("AddPortMapping", state, NewInternalPort="9090")
    assert [entry.internal_port for entry in state.table.alive(NOW)] == [9090]


def test_a_mapping_of_another_host_is_a_conflict() -> None:
    state = RouterState()
    do("AddPortMapping", state, NewInternalClient="127.0.0.9")
    assert refused("AddPortMapping", state) == 718


@pytest.mark.parametrize(
    ("argument", "value", "code"),
    [
        ("NewExternalPort", "0", 716),
        ("NewInternalPort", "0", 732),
        ("NewExternalPort", "65536", 402),
        ("NewExternalPort", "-1", 402),
        ("NewExternalPort", "eighty", 402),
        ("NewProtocol", "tcp", 402),
        ("NewInternalClient", "a host", 402),
        ("NewLeaseDuration", "4294967296", 402),
        ("NewLeaseDuration", "\u0663", 402),
        ("NewRemoteHost", "198.51.100.1", 726),
    ],
)
def test_an_argument_that_cannot_be_is_refused(argument: str, value: str, code: int) -> None:
    assert refused("AddPortMapping", RouterState(), **{argument: value}) == code


def test_a_missing_argument_is_refused() -> None:
    with pytest.raises(Fault, match="Invalid Args"):
        ACTIONS["AddPortMapping"].do(ActionCall(SoapCall("", "AddPortMapping"), CLIENT, RouterState(), NOW))


@pytest.mark.parametrize(("asked", "granted"), [("0", 604800), ("604801", 604800), ("600", 600)])
def test_igd_2_gives_at_most_a_week(asked: str, granted: int) -> None:
    state = RouterState(igd=2)
    do("AddPortMapping", state, NewLeaseDuration=asked)
    assert state.table.alive(NOW)[0].lifetime == granted


def test_igd_1_gives_a_permanent_lease() -> None:
    state = RouterState()
    do("AddPortMapping", state, NewLeaseDuration="0")
    assert state.table.alive(1e9)[0].lifetime == 0


def test_add_any_gives_the_next_port_when_the_wanted_one_is_taken() -> None:
    state = RouterState(igd=2)
    do("AddPortMapping", state, NewInternalClient="127.0.0.9")
    assert do("AddAnyPortMapping", state) == {"NewReservedPort": "81"}


def test_add_any_of_a_full_table_says_so() -> None:
    assert refused("AddAnyPortMapping", RouterState(igd=2, usable=lambda _protocol, _port: False)) == 728


def test_a_mapping_can_be_read_back_with_what_is_left_of_its_lease() -> None:
    state = RouterState()
    do("AddPortMapping", state)
    later = ActionCall(SoapCall("", "", MAPPING), CLIENT, state, NOW + 100)
    assert ACTIONS["GetSpecificPortMappingEntry"].do(later)["NewLeaseDuration"] == "500"


def test_the_list_ends_with_713() -> None:
    state = RouterState()
    do("AddPortMapping", state)
    assert do("GetGenericPortMappingEntry", state, NewPortMappingIndex="0")["NewExternalPort"] == "80"
    assert refused("GetGenericPortMappingEntry", state, NewPortMappingIndex="1") == 713


@pytest.mark.parametrize("action", ["GetSpecificPortMappingEntry", "DeletePortMapping"])
def test_what_is_not_mapped_is_714(action: str) -> None:
    assert refused(action, RouterState()) == 714


def test_a_deleted_mapping_is_gone() -> None:
    state = RouterState()
    do("AddPortMapping", state)
    do("DeletePortMapping", state)
    assert state.table.alive(NOW) == ()


def test_the_uptime_is_the_epoch() -> None:
    assert do("GetStatusInfo", RouterState(booted=58.0))["NewUptime"] == "42"


def test_nat_is_said_to_be_on() -> None:
    assert do("GetNATRSIPStatus", RouterState()) == {"NewRSIPAvailable": "0", "NewNATEnabled": "1"}


WAN_IP_1 = "urn:schemas-upnp-org:service:WANIPConnection:1"
WAN_IP_2 = "urn:schemas-upnp-org:service:WANIPConnection:2"
WAN_PPP_1 = "urn:schemas-upnp-org:service:WANPPPConnection:1"


@pytest.mark.parametrize(
    ("service", "action", "quirks", "known"),
    [
        (WAN_IP_1, "AddPortMapping", Quirks(), True),
        (WAN_IP_2, "AddPortMapping", Quirks(), True),
        (WAN_IP_1, "AddAnyPortMapping", Quirks(), True),
        (WAN_PPP_1, "AddAnyPortMapping", Quirks(), True),
        (WAN_PPP_1.replace(":1", ":2"), "AddPortMapping", Quirks(), False),
        (WAN_IP_1, "MakeCoffee", Quirks(), False),
        (WAN_IP_1, "GetCommonLinkProperties", Quirks(), False),
        (WAN_IP_1, "AddPortMapping", Quirks(strict_igd_1=True), True),
        (WAN_IP_1, "AddAnyPortMapping", Quirks(strict_igd_1=True), False),
        (WAN_IP_2, "AddPortMapping", Quirks(strict_igd_1=True), False),
        (WAN_PPP_1.replace(":1", ":2"), "AddPortMapping", Quirks(wan_service="WANPPPConnection:2"), True),
        (WAN_IP_1, "AddPortMapping", Quirks(wan_service="WANPPPConnection:2"), False),
        (WAN_IP_1.lower().removesuffix(":1"), "AddPortMapping", Quirks(odd_types=True), True),
        (WAN_IP_1.removesuffix(":1"), "AddPortMapping", Quirks(), False),
    ],
)
def test_an_action_is_known_under_the_types_of_its_service(
    service: str, action: str, quirks: Quirks, known: bool
) -> None:
    assert (action_of(SoapCall(service, action), RouterState(quirks=quirks)) is not None) is known


@pytest.mark.parametrize(
    ("quirks", "lease", "code"),
    [
        (Quirks(only_permanent=True), "600", 725),
        (Quirks(permanent_as_402=True), "600", 402),
        (Quirks(upnp_error=501), "600", 501),
        (Quirks(upnp_error=501), "0", 501),
        (Quirks(conflict=frozenset({80})), "600", 718),
        (Quirks(no_wan=True), "600", 501),
    ],
)
def test_a_refusing_quirk_gives_its_code(quirks: Quirks, lease: str, code: int) -> None:
    assert refused("AddPortMapping", RouterState(quirks=quirks), NewLeaseDuration=lease) == code


@pytest.mark.parametrize("quirks", [Quirks(only_permanent=True), Quirks(permanent_as_402=True)])
def test_a_router_without_leases_gives_permanent_ones(quirks: Quirks) -> None:
    assert do("AddPortMapping", RouterState(quirks=quirks), NewLeaseDuration="0") == {}


@pytest.mark.parametrize(("igd", "code"), [(1, 718), (2, 606)])
def test_secure_mode_maps_to_no_other_host(igd: int, code: int) -> None:
    state = RouterState(quirks=Quirks(secure_mode=True), igd=igd)
    assert refused("AddPortMapping", state, client="127.0.0.9") == code


def test_secure_mode_deletes_no_other_hosts_mapping() -> None:
    state = RouterState(quirks=Quirks(secure_mode=True))
    do("AddPortMapping", state)
    assert refused("DeletePortMapping", state, client="127.0.0.9") == 606


def test_a_router_with_no_wan_is_disconnected_and_has_no_address() -> None:
    state = RouterState(quirks=Quirks(no_wan=True))
    assert do("GetStatusInfo", state)["NewConnectionStatus"] == "Disconnected"
    assert do("GetExternalIPAddress", state) == {"NewExternalIPAddress": ""}


def test_an_external_address_may_be_any_text() -> None:
    assert do("GetExternalIPAddress", RouterState("not-an-ip")) == {"NewExternalIPAddress": "not-an-ip"}


def test_success_without_effect_maps_nothing() -> None:
    state = RouterState(quirks=Quirks(success_without_effect=True))
    assert do("AddPortMapping", state) == {}
    assert state.table.alive(NOW) == ()


@pytest.mark.parametrize("asked", ["600", "0"])
def test_a_capped_lifetime_is_granted_to_all(asked: str) -> None:
    state = RouterState(quirks=Quirks(caps_lifetime=60))
    do("AddPortMapping", state, NewLeaseDuration=asked)
    assert do("GetSpecificPortMappingEntry", state)["NewLeaseDuration"] == "60"


def test_other_port_moves_what_may_be_anywhere() -> None:
    assert do("AddAnyPortMapping", RouterState(quirks=Quirks(other_port=True), igd=2)) == {"NewReservedPort": "1080"}
