"""ProtonVPN's port forwarding: NAT-PMP to the far end of the tunnel, in the way its instructions prescribe.

It sends what `natpmpc -a 1 0 udp 60 -g 10.2.0.1` sends (ProtonVPN, "How to manually set up port forwarding"): 60
seconds at the most, internal port 0. The gateway draws the external port and forwards it to the same port of our
tunnel address, so the application is to listen there. A mapping with internal port 0 is never deleted - that would be
every program's - but runs out within those 60 seconds.
"""

from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any, ClassVar, TypeVar

from portmap.errors import GatewayTimeout, NoGateway, Refused
from portmap.hookspecs import hookimpl
from portmap.model import Address, Grant, Protocol
from portmap.wire import TimedAnswer
from portmap_natpmp.argument import parse_gateway
from portmap_natpmp.backend import NatPmp
from portmap_natpmp.packets import Answer, Refusal, Request

GATEWAY = IPv4Address("10.2.0.1")
LEASE = 60  # seconds
NOMINAL = (0, 1)  # internal ports that stand for none, as `portmap.model.PortRequest` has it

CHECK = (
    "With ProtonVPN, check that the tunnel is up, that NAT-PMP (port forwarding) is ticked for it - with OpenVPN that "
    "the user name ends in +pmp - and that the server is one for P2P"
)

AnswerT = TypeVar("AnswerT", bound=Answer)


class ProtonVpn(NatPmp):
    """NAT-PMP to ProtonVPN's gateway, or to another that works in the same way; arguments as for `NatPmp`."""

    preference: ClassVar[int | None] = None  # 10.2.0.1 may be another router's address: asked by name only
    default_lifetime: ClassVar[int] = LEASE
    default_mappings: ClassVar[tuple[str, ...]] = ("1=follow/both",)

    def __init__(self, gateway: IPv4Address | None = None, *positional: Any, **named: Any) -> None:
        super().__init__(gateway or GATEWAY, *positional, **named)

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "ProtonVpn":
        """`protonvpn` or `protonvpn:10.2.0.1`. Raises SpecError for an argument that is no gateway's IPv4 address."""
        gateway = None if argument is None else parse_gateway(argument, "protonvpn:10.2.0.1")
        return cls(gateway, interface=interface)

    def __str__(self) -> str:
        return f"ProtonVPN {self._gateway}"

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, client: Address | None
    ) -> Grant:
        """Have a port forwarded, or extend that, for a minute at the most."""
        return super().add_mapping(protocol, external_port, _as_sent(internal_port), min(lifetime, LEASE), client)

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, internal_port: int, external_port: int, client: Address | None
    ) -> None:
        """Shut the port, if it was asked for by a number; else it is refused, and runs out."""
        super().delete_mapping(protocol, _as_sent(internal_port), external_port, client)

    def _ask(self, request: Request, exchange: Callable[[IPv4Address], TimedAnswer[AnswerT | Refusal]]) -> AnswerT:
        """The same as for NAT-PMP; an error says, too, what users of ProtonVPN forget."""
        try:
            return super()._ask(request, exchange)
        except (NoGateway, GatewayTimeout) as error:
            raise type(error)(f"{error} {CHECK}") from error
        except Refused as error:
            raise type(error)(f"{error}. {CHECK}", code=error.code, text=error.text) from error


def _as_sent(internal_port: int) -> int:
    """The internal port as the gateway expects it."""
    return 0 if internal_port in NOMINAL else internal_port
