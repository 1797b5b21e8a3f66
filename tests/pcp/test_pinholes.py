from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING

import pluggy
import pytest
from tests.pcp.conftest import HERE6, Peer, announced, mapped, refused

from portmap.errors import Garbled, GatewayTimeout, NoGateway, NotAuthorized, SpecError
from portmap.hookspecs import PROJECT, BackendSpec
from portmap.model import Grant, Kind, Protocol
from portmap.wire import Timeouts
from portmap_pcp import PcpPinholes, Settings

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer

TCP = Protocol.TCP
PinholesAt = Callable[[Peer], PcpPinholes]


@pytest.fixture
def server(peer: "MakePeer") -> Callable[..., Peer]:
    return lambda *script: peer(*script, address="::1")


Server = Callable[..., Peer]


def hole(external: int = 30303, lifetime: int = 600, **more: object) -> str:
    return mapped(external, lifetime, **{"address": "::1", **more})  # type: ignore[arg-type]  # its keywords


def test_pluggy_finds_every_hook_in_order() -> None:
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(BackendSpec)
    backend = PcpPinholes()
    manager.register(backend)
    manager.check_pending()
    names = {caller.name for caller in manager.get_hookcallers(backend) or ()}
    assert names == {"external_ip", "add_mapping", "delete_mapping", "watch"}
    assert PcpPinholes.kind is Kind.LOOP


def test_the_external_address_is_our_own_once_a_gateway_has_answered(server: Server, pinholes_at: PinholesAt) -> None:
    gateway = server(announced())
    assert pinholes_at(gateway).external_ip() == HERE6
    assert gateway.heard[0].hex() == "0200000000000000" + HERE6.packed.hex()


def test_a_pinhole_is_a_mapping_to_the_same_port(server: Server, pinholes_at: PinholesAt) -> None:
    gateway = server(hole())
    grant = pinholes_at(gateway).add_mapping(TCP, 30303, 600, "")
    assert grant == Grant(30303, 600, HERE6, token=gateway.nonces[0])
    request = gateway.heard[0]
    assert (request[8:24], request[44:60]) == (HERE6.packed, bytes(16))  # our address; "you choose" in IPv6
    assert request[40:44].hex() == "765f765f"
    assert len(request) == 60  # without an option: a pinhole has one port, so there is nothing to prefer


def test_renewal_and_deletion_have_the_nonce_of_the_pinhole(server: Server, pinholes_at: PinholesAt) -> None:
    gateway = server(hole(), hole(), hole(0, 0))
    backend = pinholes_at(gateway)
    grant = backend.add_mapping(TCP, 30303, 600, "")
    backend.add_mapping(TCP, 30303, 600, grant.token)
    backend.delete_mapping(TCP, 30303, grant.token)
    assert gateway.nonces == [grant.token] * 3
    assert gateway.heard[2][4:8] == bytes(4)


def test_an_earlier_life_is_continued_by_its_token(server: Server, pinholes_at: PinholesAt) -> None:
    token = "0123456789abcdef01234567"  # noqa: S105  # as a journal has it
    assert pinholes_at(server(hole())).add_mapping(TCP, 30303, 600, token).token == token


def test_a_refusal_says_why(server: Server, pinholes_at: PinholesAt) -> None:
    with pytest.raises(NotAuthorized, match="PCP ::1 refused"):
        pinholes_at(server(refused(2, 30))).add_mapping(TCP, 30303, 600, "")


@pytest.mark.parametrize("address", ["::", "::ffff:203.0.113.7"])
def test_an_address_that_is_none_or_of_ipv4_is_garbled(address: str, server: Server, pinholes_at: PinholesAt) -> None:
    with pytest.raises(Garbled):
        pinholes_at(server(hole(address=address))).add_mapping(TCP, 30303, 600, "")


def test_internal_port_0_which_means_all_is_never_sent(server: Server, pinholes_at: PinholesAt) -> None:
    gateway = server(hole(0, 0, internal=0))
    with pytest.raises(SpecError):
        pinholes_at(gateway).delete_mapping(TCP, 0, "")
    assert gateway.heard == []


# our own address


def test_without_a_global_address_nothing_is_sent(server: Server) -> None:
    gateway = server(announced())
    backend = PcpPinholes(HERE6, Settings(port=gateway.port), own_address=lambda: None)
    for call in (
        backend.external_ip,
        lambda: backend.add_mapping(TCP, 30303, 600, ""),
        lambda: backend.delete_mapping(TCP, 30303, ""),
    ):
        with pytest.raises(NoGateway, match="no global IPv6 address"):
            call()
    assert gateway.heard == []


def test_the_next_call_uses_a_new_address(server: Server, patient: Timeouts) -> None:
    gateway, ours = server(announced()), [HERE6]
    settings = Settings(port=gateway.port, timeouts=patient, announced_at=())
    backend = PcpPinholes(HERE6, settings, own_address=lambda: ours[-1])
    assert backend.external_ip() == HERE6
    ours.append(IPv6Address("2001:db8::7"))  # no host here has it, so that nothing can be sent from it
    with pytest.raises(NoGateway, match="cannot be reached"):
        backend.external_ip()


def test_the_gateway_is_looked_for_among_the_default_routers(server: Server, patient: Timeouts) -> None:
    gateway = server(announced())
    settings = Settings(port=gateway.port, timeouts=patient, announced_at=())
    backend = PcpPinholes(None, settings, candidates=lambda: [HERE6], own_address=lambda: HERE6)
    assert str(backend) == "PCP IPv6"
    backend.external_ip()
    assert str(backend) == "PCP ::1"


def test_without_a_default_router_there_is_no_gateway() -> None:
    with pytest.raises(NoGateway, match="no gateway to ask"):
        PcpPinholes(candidates=list, own_address=lambda: HERE6).external_ip()


def test_a_gateway_that_speaks_natpmp_only_opens_no_pinholes(server: Server, pinholes_at: PinholesAt) -> None:
    with pytest.raises(NoGateway, match="speaks NAT-PMP only"):
        pinholes_at(server("00 00 0001 00000005")).external_ip()


def test_silence_is_a_timeout(server: Server, impatient: Timeouts) -> None:
    settings = Settings(port=server("").port, timeouts=impatient)
    with pytest.raises(GatewayTimeout):
        PcpPinholes(HERE6, settings, own_address=lambda: HERE6).external_ip()


def test_an_ipv4_gateway_is_none() -> None:
    with pytest.raises(SpecError, match="IPv4"):
        PcpPinholes.from_argument(str(IPv4Address("192.168.1.1")))
