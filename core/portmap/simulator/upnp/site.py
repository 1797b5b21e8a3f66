"""The web site of the simulated router: a request -> what it counts as, and the response.

Law: pure. Two things are there: root descriptions and the control URLs of their services; subscriptions to events are
`gena`'s. The SCPD documents, which no port mapper needs, are not.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeAlias

from portmap.simulator.net.http import Request, Response
from portmap.simulator.state import RouterState
from portmap.simulator.upnp import firewall_control, soap
from portmap.simulator.upnp.description import (
    CONTROL_COMMON,
    CONTROL_FIREWALL,
    CONTROL_IP,
    PATH,
    PRINTER,
    SECOND,
    Device,
    printer,
    root,
)
from portmap.simulator.upnp.igd import Action, ActionCall, action_of
from portmap.simulator.upnp.page_quirks import schema_prefix
from portmap.simulator.upnp.soap import Call

Service: TypeAlias = Callable[[Call, RouterState], Action | None]
"""Which action of one service a call names."""


@dataclass(frozen=True, slots=True)
class SiteResponse:
    """What a request counts as in `Heard`, the response, and the call that it made, if it made one."""

    heard: str
    response: Response
    call: Call | None = None


def respond(
    request: Request, client: str, device: Device, states: tuple[RouterState, RouterState], now: float
) -> SiteResponse:
    """Do what is asked. `client` is the asker's address; the second state is behind the second gateway."""
    match request.method, request.path.removeprefix(SECOND):
        case "GET", path if path == PATH and request.path == path:
            return SiteResponse(
                "description", Response(body=root(device, dead_line_first=states[0].quirks.dead_line_first))
            )
        case "GET", path if path == PATH:
            return SiteResponse("second", Response(body=root(replace(device, prefix=SECOND))))
        case "GET", path if path == PRINTER + PATH:
            return SiteResponse("description", Response(body=printer(device)))
        case "POST", path:
            return _posted(request, path, client, device, states, now)
    return SiteResponse("unknown", Response(HTTPStatus.NOT_FOUND))


def _posted(
    request: Request, path: str, client: str, device: Device, states: tuple[RouterState, RouterState], now: float
) -> SiteResponse:
    """`path` is the request's, without that of the second gateway."""
    state, second = states
    if path in (CONTROL_IP, CONTROL_COMMON):
        if path != request.path:
            return replace(_control(request, client, second, state, _igd, now), heard="second")
        return _control(request, client, state, state, _igd, now)
    if request.path == CONTROL_FIREWALL and device.firewall:
        return _control(request, client, state, state, _firewall, now)
    return SiteResponse("unknown", Response(HTTPStatus.NOT_FOUND))


def _igd(call: Call, house: RouterState) -> Action | None:
    return action_of(call, house.igd, schema_prefix(house.quirks))


def _firewall(call: Call, house: RouterState) -> Action | None:
    return firewall_control.action_of(call, schema_prefix(house.quirks))


def _control(
    request: Request, client: str, state: RouterState, house: RouterState, service: Service, now: float
) -> SiteResponse:
    """Make a call on a state; `house` knows the ways of the whole device."""
    heard, call = "unknown", None
    try:
        call = soap.read(request)
        action = service(call, house)
        if action is None:
            raise soap.Fault(401)  # noqa: TRY301  # one way out for every refusal
        heard = action.heard
        _keep_pace(house, now)
        return SiteResponse(heard, soap.answer(call, action.do(ActionCall(call, client, state, now))), call)
    except soap.Fault as fault:
        return SiteResponse(heard, soap.refusal(fault), call)


def _keep_pace(state: RouterState, now: float) -> None:
    """Raises Fault 501 where this router answers nothing, or not so soon."""
    since, state.called = now - state.called, now
    if state.quirks.upnp_off or since < state.quirks.throttle:
        raise soap.Fault(501)
