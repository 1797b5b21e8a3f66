"""EchoClient: asks a responder outside whether a port of ours can be reached.

The interface is that of echoip (github.com/mpolden/echoip): `GET /port/N` answers
`{"ip": …, "port": N, "reachable": true}`; TCP only. The responder of `portmap echo` adds UDP
(`?protocol=udp&token=…`), and says so in its answer. Raises portmap errors only.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Any, Self

from portmap.errors import Garbled, Refused, SpecError
from portmap.model import Address, Protocol
from portmap.wire.http import SiteResponse, request
from portmap.wire.site import Site

DEADLINE = 8.0  # seconds; echoip gives a port 5
_JSON = {"Accept": "application/json"}


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """What a responder said of one port. `reachable` is None for UDP: it sent a datagram and cannot know more."""

    address: Address
    port: int
    reachable: bool | None

    @classmethod
    def parse(cls, content: Any, port: int, protocol: Protocol) -> Self:
        """Check an answer's JSON. Raises Garbled, and Refused for a responder that knows no UDP."""
        try:
            address, answered, word = _address(content["ip"]), content["port"], content.get("reachable")
            spoken = content.get("protocol", "tcp")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Garbled(f"the responder's answer is not understood ({type(error).__name__})") from error
        if isinstance(answered, bool) or answered != port:
            raise Garbled("the responder answered for another port")
        if protocol is Protocol.UDP:
            if spoken == "udp" and content.get("sent") is False:
                raise Refused(f"the responder has no way to send a datagram to {address}")
            if spoken != "udp" or content.get("sent") is not True:
                raise Refused("this responder checks TCP only: `portmap echo` on a host outside checks UDP, too")
            return cls(address, port, None)
        if not isinstance(word, bool):
            raise Garbled("the responder's answer does not say whether the port is reachable")
        return cls(address, port, word)


@dataclass(frozen=True, slots=True)
class EchoClient:
    """One responder, by its URL. `interface`: the one of this host to ask it by; None: the routing table decides."""

    site: Site
    interface: str | None = None

    @classmethod
    def parse(cls, url: str, interface: str | None = None) -> Self:
        """Take the URL. Raises SpecError, which does not repeat it."""
        try:
            return cls(Site.parse(url), interface)
        except SpecError as error:
            raise SpecError(f"the responder (--via, --prove) cannot be asked: {error}") from None

    def __str__(self) -> str:
        return str(self.site)

    def check(self, port: int, protocol: Protocol, token: str = "", version: int | None = None) -> EchoAnswer:
        """Have the port tried from outside. Raises PortmapError: no answer, a refusal, an answer without sense.

        `version`: of IP, to ask over, as the responder tries the address that asks; None: IPv4 where it has that and we
        do, as it is IPv4 ports that gateways map.
        """
        query = f"?protocol=udp&token={token}" if protocol is Protocol.UDP else ""
        path = f"{self._base}/port/{port}{query}"
        response = request(
            self.site,
            path,
            headers=_JSON | self.site.basic,
            deadline=DEADLINE,
            interface=self.interface,
            version=version,
            ipv4_first=True,
        )
        if not response.good:
            raise Refused(self._refusal(response), code=response.status)
        return EchoAnswer.parse(response.json(), port, protocol)

    @property
    def _base(self) -> str:
        return self.site.path.partition("?")[0].rstrip("/")

    def _refusal(self, response: SiteResponse) -> str:
        reasons = dict.fromkeys((301, 302, 307, 308), "it redirects: name the URL that it leads to, maybe https://") | {
            401: "it wants user and password: write them in the URL, as in https://USER:PASSWORD@HOST",
            404: "it checks no ports (echoip does with -p), or the URL is wrong",
            429: "it was asked too often: try again in a second",
            503: "it is busy: try again in a moment",
        }
        return f"{self.site} answered with HTTP status {response.status}: " + reasons.get(
            response.status, "is that a responder's URL?"
        )


def _address(text: Any) -> Address:
    """The address that the responder saw; an IPv4 one that IPv6 carries as IPv4. Raises TypeError and ValueError."""
    if not isinstance(text, str):
        raise TypeError("no text")
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    if "%" in text or address.is_unspecified or address.is_multicast:
        raise ValueError("no host's address")
    return address
