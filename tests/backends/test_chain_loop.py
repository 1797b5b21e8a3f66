"""A chain of gateways that follow a script, in the loop."""

import pytest
from tests.backends.chained_gateways import PUBLIC, TCP, Hop

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout
from portmap.events import Event, PortAdded, PortChanged
from portmap.loop.inbox import Message, Register
from portmap.loop.loop import Loop
from portmap.model import PortRequest, Protocol
from portmap.testing.clock import ScriptedInbox

# In the loop


class Recorder:
    """A listener that keeps the events."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_event(self, event: Event) -> None:
        self.events.append(event)

    def on_settled(self) -> None:
        pass


def run(chain: Nat, *story: tuple[float, Message], end: float) -> Recorder:
    """The real loop over the chain, on scripted time."""
    told = Recorder()
    Loop(chain, ScriptedInbox(story, end=end), told, random=lambda: 0.0).run()
    return told


WEB = PortRequest(TCP, 8080, 443)


def test_the_loop_tells_the_outermost_address_and_port_and_leaves_nothing(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    inner.port_for = lambda _: 40001
    told = run(chain, (0, Register(WEB)), end=5)
    (added,) = [event for event in told.events if isinstance(event, PortAdded)]
    assert (added.external_ip, added.external_port, added.internal_port) == (PUBLIC, 443, 8080)
    assert not inner.table | outer.table


def test_tcp_and_udp_together_have_one_outermost_port(chain: ChainNat, inner: Hop, outer: Hop) -> None:
    ports = iter([40001, 40002, 40003, 40004])
    inner.port_for = lambda _: next(ports)
    both = [PortRequest(protocol, 8080, paired=True) for protocol in Protocol]
    told = run(chain, *((0, Register(it)) for it in both), end=5)
    assert {event.external_port for event in told.events if isinstance(event, PortAdded)} == {8080}


def test_a_port_that_follows_is_the_same_outside_and_inside(chain: ChainNat, outer: Hop) -> None:
    outer.port_for = lambda port: port if port != 8080 else 9090
    told = run(chain, (0, Register(PortRequest(TCP, 8080, follow=True))), end=5)
    last = [event for event in told.events if isinstance(event, PortAdded | PortChanged)][-1]
    assert last.external_port == 9090


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_a_gateway_that_lost_its_table_is_given_its_mapping_again(
    which: str, chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    gateway = {"inner": inner, "outer": outer}[which]
    inbox = ScriptedInbox([(0, Register(WEB))], end=200)
    gateway.reboots = (inbox, 10)
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert gateway.seen == ["open", "lost", "open"]


def test_a_renewal_that_is_refused_until_the_end_leaves_nothing_at_the_inner_gateway(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    inbox = ScriptedInbox([(0, Register(WEB))], end=2000)
    outer.refuses_from = (inbox, 100)
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert (TCP, 443) in outer.table  # it refuses deletions as well
    assert not inner.table


def test_a_silent_outer_gateway_leaves_nothing_at_the_inner_one_of_many_ports(
    chain: ChainNat, inner: Hop, outer: Hop
) -> None:
    inbox = ScriptedInbox([(0, Register(PortRequest(TCP, port))) for port in range(8080, 8090)], end=100)
    outer.refuses_from = (inbox, 99)
    outer.refusal = GatewayTimeout("silent")
    Loop(chain, inbox, Recorder(), random=lambda: 0.0).run()
    assert not inner.table
