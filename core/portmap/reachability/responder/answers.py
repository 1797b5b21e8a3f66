"""A request to an answer, or to a port that is to be tried. Pure.

The interface is that of echoip: `GET /` and `/ip` give the client's address as text, `/json` as JSON, `/port/N` tries
TCP port N of that address. Ours adds `?protocol=udp&token=T`: one datagram with the token to UDP port N.

No header names the client but that of the proxy which the operator named.
"""

import re
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from portmap.model import MAX_PORT, Address, Protocol
from portmap.reachability.responder.http import BadRequest, Request, Response, json_response

_TOKEN = re.compile(r"[A-Za-z0-9_-]{8,64}", re.ASCII)
_FORWARDED = ("x-real-ip", "x-forwarded-for")  # nginx sets what it is told to, Caddy the second, Traefik both
_OF_PROXIES = {*_FORWARDED, "forwarded", "via", "x-forwarded-host", "x-forwarded-proto"}  # RFC 7239, RFC 9110 §7.6.3


@dataclass(frozen=True, slots=True)
class Try:
    """A port of the client that is to be tried."""

    address: Address
    port: int
    protocol: Protocol
    token: str = ""

    def answer(self, *, reached: bool) -> Response:
        """What is said when it was tried: TCP was reached or not, the datagram was sent or could not be."""
        if self.protocol is Protocol.UDP:
            return json_response({"ip": str(self.address), "port": self.port, "protocol": "udp", "sent": reached})
        return json_response({"ip": str(self.address), "port": self.port, "reachable": reached})


def answer_to(request: Request, client: Address) -> Response | Try:
    """What a request asks for. Raises BadRequest."""
    match request.path:
        case "/" if not request.wants_json:
            return Response(f"{client}\n", content_type="text/plain")
        case "/ip":
            return Response(f"{client}\n", content_type="text/plain")
        case "/" | "/json":
            return json_response({"ip": str(client), "ip_decimal": int(client)})
        case "/health":
            return json_response({"status": "OK"})
    if request.path.startswith("/port/"):
        return _try(request, client)
    raise BadRequest(HTTPStatus.NOT_FOUND, "404 page not found")


def client_of(request: Request, peer: Address, proxy: Address | None) -> Address:
    """The address that asks: the connection's, or where the named proxy speaks the last one that it states.

    A proxy that sets one of the two headers passes the other on as the client wrote it: so both have to agree.
    A proxy of this network that was not named is not taken for the client: anybody outside could try its ports, which
    may be this host's own. Raises BadRequest for such a one, and where the proxy states no client, or two.
    """
    if not is_proxy(peer, proxy):
        if not peer.is_global and not _OF_PROXIES.isdisjoint(request.headers):
            raise BadRequest(HTTPStatus.BAD_GATEWAY, f"{peer} is a proxy that was not named: --behind {peer}")
        return peer
    stated = {text for name in _FORWARDED if (text := request.headers.get(name, "").rpartition(",")[2].strip())}
    try:
        (client,) = {plain(ip_address(text)) for text in stated}
    except ValueError:
        raise BadRequest(
            HTTPStatus.BAD_GATEWAY, "the proxy does not say who asks: let it set X-Real-IP and X-Forwarded-For"
        ) from None
    return client


def is_proxy(peer: Address, proxy: Address | None) -> bool:
    """Whether the connection is the named proxy's. One on this host comes from either loopback address, in turn."""
    return proxy is not None and (peer == proxy or (proxy.is_loopback and peer.is_loopback))


def plain(address: Address) -> Address:
    """The address without a zone; an IPv4 address that IPv6 carries as IPv4."""
    if not isinstance(address, IPv6Address):
        return address
    return address.ipv4_mapped or IPv6Address(int(address))


def _try(request: Request, client: Address) -> Try:
    text = request.path.removeprefix("/port/")
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_PORT):
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"invalid port: use 1 to {MAX_PORT}")
    if client.is_multicast or client.is_unspecified:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "invalid address")
    match request.query.get("protocol", "tcp").lower():
        case "tcp":
            return Try(client, int(text), Protocol.TCP)
        case "udp":
            return Try(client, int(text), Protocol.UDP, _token(request))
    raise BadRequest(HTTPStatus.BAD_REQUEST, "invalid protocol: use tcp or udp")


def _token(request: Request) -> str:
    token = request.query.get("token", "")
    if not _TOKEN.fullmatch(token):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "invalid token: use 8 to 64 letters, digits, _ or -")
    return token
