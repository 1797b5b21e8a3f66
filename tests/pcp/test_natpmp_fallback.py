"""A server that speaks NAT-PMP only: RFC 6887 §9 and appendix A."""

import logging
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import ADDRESS, EXTERNAL, HERE, NATPMP_ONLY, announced, mapped

from portmap.backends import load
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NoGateway, PluginError
from portmap.model import Grant, Protocol
from portmap.testing import Router
from portmap.wire import Timeouts
from portmap_natpmp import NatPmp
from portmap_pcp import Pcp, Settings
from portmap_pcp.natpmp_fallback import Load, load_natpmp

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer

GRANT = "00 82 0000 00000005 765f 765f 00000258"  # NAT-PMP: epoch 5 s, TCP 30303 -> 30303, 600 s
TCP = Protocol.TCP
Make = Callable[..., Pcp]


def natpmp(port: int, timeouts: Timeouts) -> Load:
    """What `pmp:GATEWAY` gives, at the test's port."""
    return lambda gateway: Nat(NatPmp(gateway, port, timeouts=timeouts, announced_at=()), "natpmp")


@pytest.fixture
def make(patient: Timeouts) -> Make:
    def make(port: int, timeouts: Timeouts = patient, given: IPv4Address | None = HERE, **more: object) -> Pcp:
        settings = Settings(port=port, timeouts=timeouts, announced_at=())
        chosen = {"fallback": natpmp(port, timeouts), "candidates": lambda: [HERE], **more}
        return Pcp(given, settings, **chosen)  # type: ignore[arg-type]  # its keywords

    return make


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(upnp=False, pcp=False, pmp_port=0, uptime=100.0) as router:
        yield router


@pytest.mark.parametrize("given", [HERE, None])
def test_the_backend_for_natpmp_does_it_all(given: IPv4Address | None, router: Router, make: Make) -> None:
    backend = make(router.pmp_port, given=given)
    assert backend.external_ip() == IPv4Address("1.2.3.4")
    assert backend.add_mapping(TCP, 0, 30303, 600, "", exact=False, client=None) == Grant(30303, 600)
    assert str(backend) == "NAT-PMP 127.0.0.1"
    backend.delete_mapping(TCP, 30303, 30303, "", client=None)
    assert router.entries == ()
    assert (router.heard.map, router.heard.unmap, router.heard.unknown) == (1, 1, 1)


def test_it_is_said_once(router: Router, make: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "portmap.pcp")
    backend = make(router.pmp_port)
    for _ in range(3):
        backend.external_ip()
        backend.add_mapping(TCP, 0, 30303, 600, "", exact=False, client=None)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["127.0.0.1 speaks NAT-PMP only, so NAT-PMP is used"]


def test_the_fallback_is_the_installed_natpmp_backend() -> None:
    assert str(load_natpmp(IPv4Address("127.0.0.1"))) == str(load.load("pmp:127.0.0.1")) == "NAT-PMP 127.0.0.1"


def test_in_a_race_there_is_no_fallback(router: Router, make: Make) -> None:
    with pytest.raises(NoGateway, match="speaks NAT-PMP only, not PCP: use the backend pmp"):
        make(router.pmp_port, fallback=None).external_ip()


def test_a_backend_that_cannot_be_had_is_named(router: Router, make: Make) -> None:
    def broken(gateway: IPv4Address) -> Nat:
        raise PluginError("natpmp is broken")

    with pytest.raises(NoGateway, match=r"speaks NAT-PMP only.*natpmp is broken"):
        make(router.pmp_port, fallback=broken).external_ip()


def test_a_server_that_falls_silent_is_asked_for_pcp_again(peer: "MakePeer", make: Make) -> None:
    server = peer(NATPMP_ONLY, ADDRESS, *[""] * 3, announced(), ADDRESS)
    backend = make(server.port, timeouts=Timeouts(0.2, 0.48))
    backend.external_ip()
    with pytest.raises(GatewayTimeout):
        backend.external_ip()
    assert backend.external_ip() == EXTERNAL
    assert str(backend) == "PCP 127.0.0.1"


def test_after_a_restart_pcp_is_asked_first_again(peer: "MakePeer", make: Make) -> None:
    old, restarted = "00 80 0000 00001388 cb007107", "00 80 0000 00000000 cb007107"
    server = peer(NATPMP_ONLY, old, restarted, mapped(), announced(6))
    backend, alerts = make(server.port), list[str]()
    close = backend.watch(alerts.append)
    backend.external_ip()
    backend.external_ip()
    assert alerts == ["gateway restarted: its clock went from 5000 s to 0 s"]
    assert backend.add_mapping(TCP, 0, 30303, 600, "", exact=False, client=None).token
    assert backend.external_ip() == EXTERNAL
    close()


def test_a_server_that_has_not_learnt_pcp_is_stood_in_for_again(peer: "MakePeer", make: Make) -> None:
    old, restarted = "00 80 0000 00001388 cb007107", "00 80 0000 00000000 cb007107"
    server = peer(NATPMP_ONLY, old, restarted, NATPMP_ONLY, GRANT)
    backend, alerts = make(server.port), list[str]()
    backend.external_ip()
    close = backend.watch(alerts.append)
    backend.external_ip()
    assert backend.add_mapping(TCP, 0, 30303, 600, "", exact=False, client=None) == Grant(30303, 600)
    assert len(alerts) == 1
    close()


def test_nothing_is_said_after_the_watch_has_ended(peer: "MakePeer", make: Make) -> None:
    server = peer(NATPMP_ONLY, "00 80 0000 00001388 cb007107", "00 80 0000 00000000 cb007107")
    backend, alerts = make(server.port), list[str]()
    backend.external_ip()
    close = backend.watch(alerts.append)
    close()
    close()
    backend.external_ip()
    assert alerts == []
