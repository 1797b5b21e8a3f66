"""The web site of the simulated router: a request -> what it counts as, and the response.

Pure but for the RouterStates that it is given. It has root descriptions, service descriptions and the control URLs of
the services; subscriptions to events are in `gena`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import TypeAlias

from portmap.simulator.net.http import WebRequest, WebResponse
from portmap.simulator.quirks import PPP, Quirks
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import firewall_control, soap
from portmap.simulator.upnp.action_call import ActionCall
from portmap.simulator.upnp.description import (
    CONTROL_COMMON,
    CONTROL_FIREWALL,
    CONTROL_IP,
    LINE,
    PATH,
    PRINTER,
    SECOND,
    Device,
    printer,
    root,
)
from portmap.simulator.upnp.igd import Action, action_of
from portmap.simulator.upnp.page_quirks import schema_prefix
from portmap.simulator.upnp.scpd import scpd
from portmap.simulator.upnp.soap import COMMON, FIREWALL, WAN_IP, WAN_PPP, SoapCall

Service: TypeAlias = Callable[[SoapCall, RouterState], Action | None]
"""Which action of one service a call names."""
_SERVICE_DESCRIPTIONS = {
    "/WANIPConn1.xml": WAN_IP,
    "/WANPPPConn1.xml": WAN_PPP,
    "/WANCommonIFC1.xml": COMMON,
    "/WANIPv6Firewall1.xml": FIREWALL,
}
# The routers behind the WAN services of the quirk `first_lines`; `up` is the router itself.
_LINE_QUIRKS = {
    "down": Quirks(no_wan=True),
    "private": Quirks(private_wan=True),
    "cgnat": Quirks(cgnat_wan=True),
    "zero": Quirks(zero_wan=True),
    "empty": Quirks(states=""),
    "nonsense": Quirks(states="nonsense"),
}


@dataclass(frozen=True, slots=True)
class SiteReply:
    """What a request counts as in `Heard`, the response, and the call that it made, if it made one."""

    heard: str
    response: WebResponse
    call: SoapCall | None = None


_NOT_FOUND = SiteReply("unknown", WebResponse(HTTPStatus.NOT_FOUND))


@dataclass(frozen=True, slots=True)
class RouterSite:
    """The pages of one router. `second`: behind the second gateway; `lines`: behind each other WAN service."""

    state: RouterState
    second: RouterState = field(default_factory=lambda: RouterState("", Quirks(no_wan=True)))
    lines: Mapping[str, RouterState] = field(
        default_factory=lambda: {line: RouterState(quirks=quirks) for line, quirks in _LINE_QUIRKS.items()}
    )

    def respond(self, request: WebRequest, client: str, device: Device, other_host: str, now: float) -> SiteReply:
        """Do what is asked. `client` is the asker's address; `other_host` the URL to which a foreign one leads."""
        if not _is_for_an_address(request):
            return _NOT_FOUND
        match request.method:
            case "GET":
                return self._page(request.path, device, other_host)
            case "POST":
                return self._posted(request, client, device, now)
        return _NOT_FOUND

    def _page(self, path: str, device: Device, other_host: str) -> SiteReply:
        if path == PATH:
            body = root(device, self.state.quirks.first_lines, other_host)
            return SiteReply("description", WebResponse(body=body))
        if path == SECOND + PATH:
            return SiteReply("second", WebResponse(body=root(replace(device, prefix=SECOND))))
        if path == PRINTER + PATH:
            return SiteReply("description", WebResponse(body=printer(device)))
        if path in _SERVICE_DESCRIPTIONS:
            return SiteReply("scpd", WebResponse(body=scpd(_SERVICE_DESCRIPTIONS[path], device.igd)))
        return _NOT_FOUND

    def _posted(self, request: WebRequest, client: str, device: Device, now: float) -> SiteReply:
        path = request.path
        if path in (CONTROL_IP, CONTROL_COMMON):
            return self._control(request, client, self.state, _igd, now)
        if path in (SECOND + CONTROL_IP, SECOND + CONTROL_COMMON):
            return replace(self._control(request, client, self.second, _igd, now), heard="second")
        if path == CONTROL_FIREWALL and device.firewall:
            return self._control(request, client, self.state, _firewall, now)
        return self._posted_to_line(request, client, now)

    def _posted_to_line(self, request: WebRequest, client: str, now: float) -> SiteReply:
        """The same at the control URL of another WAN service."""
        line = self._line_at(request.path)
        if line is None:
            return _NOT_FOUND
        if line == "denied":
            return SiteReply("second", WebResponse(HTTPStatus.UNAUTHORIZED))
        if line == "up":
            return self._control(request, client, self.state, _any_igd, now)
        return replace(self._control(request, client, self.lines[line], _any_igd, now), heard="second")

    def _line_at(self, path: str) -> str | None:
        """What the WAN service at this path is, if there is one."""
        for number, line in enumerate(self.state.quirks.first_lines):
            kind = line.removeprefix(PPP)
            if path == f"{LINE}/{number}{CONTROL_IP}" and (kind in self.lines or kind in ("up", "denied")):
                return kind
        return None

    def _control(self, request: WebRequest, client: str, state: RouterState, service: Service, now: float) -> SiteReply:
        """Make a call on a state; the ways of the whole device are in `self.state`."""
        heard, call = "unknown", None
        try:
            call = soap.read(request)
            action = service(call, self.state)
            if action is None:
                raise soap.Fault(401)  # noqa: TRY301  # one way out for every refusal
            heard = action.heard
            self._keep_pace(now)
            return SiteReply(heard, soap.answer(call, action.do(ActionCall(call, client, state, now))), call)
        except soap.Fault as fault:
            return SiteReply(heard, soap.refusal(fault), call)
        except soap.BareFault as fault:
            return SiteReply(heard, WebResponse(fault.status), call)

    def _keep_pace(self, now: float) -> None:
        """Raises Fault 501 where this router answers nothing, or not so soon."""
        since, self.state.called = now - self.state.called, now
        if self.state.quirks.upnp_off or since < self.state.quirks.throttle:
            raise soap.Fault(501)


def _is_for_an_address(request: WebRequest) -> bool:
    """Whether the Host header has an address, if there is one: miniupnpd's guard against DNS rebinding."""
    host = request.headers.get("host", "")
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        ip_address(name.partition("%")[0])
    except ValueError:
        return not host
    return True


def _igd(call: SoapCall, state: RouterState) -> Action | None:
    return action_of(call, state, schema_prefix(state.quirks))


def _any_igd(call: SoapCall, state: RouterState) -> Action | None:
    """The same for another WAN service, which has the usual types."""
    usual = RouterState(quirks=replace(state.quirks, wan_service=None), igd=state.igd)
    return action_of(call, usual, schema_prefix(state.quirks))


def _firewall(call: SoapCall, state: RouterState) -> Action | None:
    return firewall_control.action_of(call, schema_prefix(state.quirks), odd_types=state.quirks.odd_types)
