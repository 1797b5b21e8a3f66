"""The web site of the simulated router: a request -> what it counts as, and the response.

Law: pure. Three things are there: the root description and the control URLs of two services. The SCPD documents, which
no port mapper needs, are not.
"""

from http import HTTPStatus

from portmap.testing import soap
from portmap.testing.box import Box
from portmap.testing.description import CONTROL_COMMON, CONTROL_IP, PATH, Device, root
from portmap.testing.igd import Asked, action_of
from portmap.testing.web import Request, Response


def respond(request: Request, client: str, device: Device, box: Box, now: float) -> tuple[str, Response]:
    """Do what is asked; the name of the counter in `Heard`, and the response. `client` is the asker's address."""
    match request.method, request.path:
        case "GET", path if path == PATH:
            return "description", Response(body=root(device))
        case "POST", path if path in (CONTROL_IP, CONTROL_COMMON):
            return _control(request, client, box, now)
    return "unknown", Response(HTTPStatus.NOT_FOUND)


def _control(request: Request, client: str, box: Box, now: float) -> tuple[str, Response]:
    heard = "unknown"
    try:
        call = soap.read(request)
        action = action_of(call, box.igd)
        if action is None:
            raise soap.Fault(401)  # noqa: TRY301  # one way out for every refusal
        heard = action.heard
        return heard, soap.answer(call, action.do(Asked(call, client, box, now)))
    except soap.Fault as fault:
        return heard, soap.refusal(fault)
