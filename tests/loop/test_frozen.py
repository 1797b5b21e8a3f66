"""The loop on scripted time: the process was frozen for longer than its leases, and goes on."""

import pytest
from tests.loop.scripted_loop import DNS, MINUTELY, TCP, UDP, WEB, Readable

from portmap.backends.nat import Nat
from portmap.events import PortEvent
from portmap.loop.inbox import Message, Register
from portmap.loop.loop import Loop
from portmap.model import PortRequest
from portmap.testing.clock import ScriptedInbox
from portmap.testing.scripted import Recording, ScriptedBackend

FROZEN = 1000  # seconds; a lease is 600
MOMENTS = range(1, 400, 7)
PORTS = pytest.mark.parametrize(
    "requests", [(WEB, DNS), (PortRequest(TCP, 80), PortRequest(UDP, 80))], ids=["two ports", "both protocols"]
)
BACKENDS = pytest.mark.parametrize("kind", [ScriptedBackend, Readable])


class FreezingInbox(ScriptedInbox):
    """The first wait that lasts until second `at` ends FROZEN seconds later, and the gateway has forgotten all."""

    def __init__(self, backend: ScriptedBackend, requests: tuple[PortRequest, ...], at: float) -> None:
        super().__init__([(0.0, Register(request)) for request in requests], end=at + FROZEN + 1)
        self._backend = backend
        self._at = at

    def next(self, until: float) -> Message | None:
        if self.seconds < self._at <= until:
            self.seconds = self._at + FROZEN
            self._backend.table.clear()
            return None
        return super().next(until)


def freeze(backend: ScriptedBackend, requests: tuple[PortRequest, ...], at: float) -> Recording:
    inbox = backend.inbox = FreezingInbox(backend, requests, at)
    told = Recording(inbox)
    Loop(Nat(backend, "scripted"), inbox, told, MINUTELY, random=lambda: 0.0).run()
    return told


@BACKENDS
@PORTS
@pytest.mark.parametrize("at", MOMENTS)
def test_every_mapping_that_ran_out_while_frozen_is_told_lost_and_then_added(
    kind: type[ScriptedBackend], requests: tuple[PortRequest, ...], at: int
) -> None:
    told = freeze(kind(), requests, at)
    after = [event for when, event in told.events if when == at + FROZEN and isinstance(event, PortEvent)]
    for request in requests:
        names = [event.event for event in after if event.key == request.key]
        assert names == ["mapping.lost", "mapping.added"]


@BACKENDS
@PORTS
@pytest.mark.parametrize("at", MOMENTS)
def test_what_ran_out_while_frozen_is_no_restart_of_the_gateway(
    kind: type[ScriptedBackend], requests: tuple[PortRequest, ...], at: int
) -> None:
    assert not freeze(kind(), requests, at).of("gateway.rebooted")
