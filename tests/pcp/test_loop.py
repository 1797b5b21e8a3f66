"""The core loop with the real backend, at a router that speaks PCP and nothing else."""

import threading
from ipaddress import IPv4Address

import pytest
from tests.pcp.conftest import HERE, Until

from portmap.backends.nat import Nat
from portmap.events import Event, ExternalIPChanged, PortAdded
from portmap.loop.inbox import Inbox, Register, Stop
from portmap.loop.loop import Loop
from portmap.model import PortRequest, Protocol
from portmap.testing import Router
from portmap.wire import Timeouts
from portmap_pcp import Pcp, Settings


class Notes(list[Event]):
    """All that was told."""

    def on_event(self, event: Event) -> None:
        self.append(event)

    def on_settled(self) -> None:
        pass


@pytest.mark.parametrize("pmp", [True, False])
def test_the_external_address_is_told_before_the_first_mapping(pmp: bool, patient: Timeouts, until: Until) -> None:
    told, inbox = Notes(), Inbox()
    with Router(upnp=False, pmp=pmp, pcp=True, pmp_port=0) as router:
        backend = Pcp(HERE, Settings(port=router.pmp_port, timeouts=patient, announced_at=()))
        loop = threading.Thread(target=Loop(Nat(backend, "pcp"), inbox, told).run)
        loop.start()
        inbox.put(Register(PortRequest(Protocol.TCP, 30303)))
        until(lambda: any(isinstance(event, PortAdded) for event in told))
        inbox.put(Stop())
        loop.join(5)
    assert [event.event for event in told][:3] == ["gateway.found", "external_ip.changed", "mapping.added"]
    addresses = [event.external_ip for event in told if isinstance(event, ExternalIPChanged | PortAdded)]
    assert addresses == [IPv4Address("1.2.3.4")] * 2
