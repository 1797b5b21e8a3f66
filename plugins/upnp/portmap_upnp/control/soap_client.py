"""SoapClient: calls actions of one UPnP service, bounded in time and bytes, with the pause that some routers need.

Raises portmap errors only. Bounded.
"""

import logging
import time
from dataclasses import dataclass, field

from portmap.errors import Garbled, GatewayTimeout, NATError, Refused
from portmap.model import Address
from portmap_upnp.control import soap
from portmap_upnp.control.soap import ActionMissing
from portmap_upnp.control.upnp_errors import ACTION_FAILED
from portmap_upnp.http import exchange
from portmap_upnp.location import Location

REPLY_LIMIT = 64 * 1024  # bytes; real replies have under 1 KiB
CALL_TIMEOUT = 4.0  # seconds for one call
PAUSE = 0.25  # seconds: some gateways fail (501) when a call follows the last too soon; geth leaves 0.2 (geth#21370)
_SHOWN = 2000  # bytes of a reply that the log shows
_log = logging.getLogger("portmap.upnp")


@dataclass(slots=True)
class CallPacing:
    """How fast a gateway answers, and whether it needs a pause before each call; for as long as the gateway is used."""

    pause_needed: bool = False
    seconds: float = 0.0
    """What a call takes, averaged over the last few."""

    def took(self, seconds: float) -> None:
        """Take in how long a call took."""
        self.seconds += (seconds - self.seconds) / 4 if self.seconds else seconds


@dataclass(slots=True)
class SoapClient:
    """Calls actions of one service until `deadline` (time.monotonic).

    `source` is our own address to call from, where there are several. After an error 501 that may mean "too soon" the
    call is repeated once, after a pause; if that helps, `pacing` remembers that every call needs one.
    """

    service_type: str
    control: Location
    deadline: float
    source: Address | None = None
    pacing: CallPacing = field(default_factory=CallPacing)
    _has_repeated: bool = False

    def call(self, action: str, **arguments: object) -> dict[str, str]:
        """The output arguments of the action.

        Raises Refused with the UPnP error code, NoGateway, GatewayTimeout or Garbled.
        """
        if self.pacing.pause_needed:
            time.sleep(PAUSE)
        try:
            return self._call_once(action, arguments)
        except Refused as refusal:
            if refusal.code != ACTION_FAILED or self.pacing.pause_needed or self._has_repeated:
                raise
        self._has_repeated = True
        time.sleep(PAUSE)
        try:
            values = self._call_once(action, arguments)
        except NATError as error:
            self.pacing.pause_needed = _is_another_answer(error)
            raise
        self.pacing.pause_needed = True
        return values

    def _call_once(self, action: str, arguments: dict[str, object]) -> dict[str, str]:
        timeout = min(CALL_TIMEOUT, self.deadline - time.monotonic())
        if timeout <= 0:
            raise GatewayTimeout(f"no time left for {action}: {self.control.host} answers too slowly")
        request = soap.build_request(self.service_type, action, arguments)
        _log.debug("-> %s %r", self.control, request.body)
        began = time.monotonic()
        reply = exchange(self.control, request, limit=REPLY_LIMIT, timeout=timeout, source=self.source)
        self.pacing.took(time.monotonic() - began)
        _log.debug("<- %s %d %r", self.control, reply.status, reply.body[:_SHOWN])
        return soap.parse_reply(action, reply.status, reply.body)


def _is_another_answer(error: NATError) -> bool:
    """Whether the gateway answered, and otherwise than with 501: then the pause helped."""
    if isinstance(error, Refused):
        return error.code != ACTION_FAILED
    return isinstance(error, Garbled | ActionMissing)
