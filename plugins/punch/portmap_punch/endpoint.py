"""What several servers saw of one local port: one endpoint, or none that can be given to others. Pure.

Rules:
- Two answers from two addresses must agree: a NAT that maps by destination gives each peer another port.
- One answer alone proves nothing, so a second server, or a server with two addresses (RFC 5780), is needed. Later one
  server that still sees the endpoint is enough: the other may be away for a day.
"""

from collections.abc import Sequence

from portmap.errors import GatewayTimeout, Refused
from portmap.model import Protocol
from portmap.wire.stun.message import Endpoint


def agreed_endpoint(protocol: Protocol, seen: Sequence[Endpoint | None], known: Endpoint | None = None) -> Endpoint:
    """The endpoint on which all answers agree. None in `seen` is a server that did not answer.

    `known`: the one on which several agreed before.

    Raises GatewayTimeout where too few answered, Refused where the answers differ.
    """
    answers = [endpoint for endpoint in seen if endpoint is not None]
    if not answers:
        raise GatewayTimeout(f"no STUN server answers over {protocol}: are the names right, and the network up?")
    if len(set(answers)) > 1:
        ports = " and ".join(f"{address}:{port}" for address, port in dict.fromkeys(answers))
        raise Refused(
            f"this NAT maps each destination to another port ({protocol}: {ports}), so no port can be given to others: "
            "ask the provider for a public address, or use a VPN with port forwarding"
        )
    if len(answers) < 2 and answers[0] != known:
        raise GatewayTimeout(
            f"only one STUN address answers over {protocol}, which does not show how this NAT maps: "
            "name a second server, as in punch:A+B"
        )
    return answers[0]
