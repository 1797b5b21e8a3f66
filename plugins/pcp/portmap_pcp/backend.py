"""The PCP backend (RFC 6887) for IPv4: the hooks of `portmap.hookspecs` as questions to one gateway.

Law: nothing is opened to learn something. PCP tells the external address with a mapping only, so before the first one
it is asked for in NAT-PMP, which most PCP servers speak as well; else it is not known yet, and that is said. A gateway
that speaks no PCP at all is left to `standin`.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, TypeVar

from portmap import Nat
from portmap.errors import SILENCE, NATError, NotYet, Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, Protocol
from portmap.network import routes
from portmap.wire import Timeouts, exchange
from portmap_pcp.announcement import ANNOUNCED_AT
from portmap_pcp.argument import parse_gateway
from portmap_pcp.client import SPEAKS, Client
from portmap_pcp.natpmp_address import NO_ADDRESS_YET, AddressQuestion
from portmap_pcp.natpmp_fallback import Load, NatPmpFallback, load_natpmp
from portmap_pcp.pinholes import PcpPinholes
from portmap_pcp.results import SpeaksNatPmp
from portmap_pcp.settings import Settings

T = TypeVar("T")

_ASIDE = Timeouts(first_wait=0.25, deadline=0.75)  # it has just answered: two packets are enough to know


class Pcp:
    """Speaks PCP to the given gateway, or to the first of `candidates` that answers.

    `stand_in` loads whoever speaks NAT-PMP to a gateway that speaks nothing newer; None: such a gateway is none for us.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int] = 3  # it says more than NAT-PMP, and what is ours is protected by a nonce

    def __init__(
        self,
        gateway: IPv4Address | None = None,
        settings: Settings = Settings(),  # noqa: B008  # frozen
        *,
        candidates: Callable[[], Sequence[IPv4Address]] = routes.gateway_candidates,
        own_address: Callable[[IPv4Address], IPv4Address] = routes.local_address_to,
        stand_in: Load | None = load_natpmp,
    ) -> None:
        self._settings = settings
        self._client = Client(gateway, candidates, own_address, ANNOUNCED_AT, settings)
        self._stand_in = NatPmpFallback(stand_in)

    @classmethod
    def from_argument(cls, argument: str | None) -> "Pcp | PcpPinholes":
        """`pcp` or `pcp:192.168.1.1`; to an IPv6 gateway there are pinholes only.

        Raises SpecError for an argument that is no gateway's address.
        """
        return cls._made(argument, load_natpmp)

    @classmethod
    def race_from_argument(cls, argument: str | None) -> "Pcp | PcpPinholes":
        """The same for a race in which NAT-PMP takes part itself: nobody stands in for a gateway without PCP."""
        return cls._made(argument, None)

    @classmethod
    def ipv6_from_argument(cls, argument: str | None) -> PcpPinholes:
        """The IPv6 firewall of the default router, or of the given IPv6 gateway. Raises SpecError for an IPv4 one."""
        return PcpPinholes.from_argument(argument)

    def __str__(self) -> str:
        return str(self._stand_in.backend or self._client)

    @hookimpl
    def external_ip(self) -> Address:
        """The gateway's external address; at least, that the gateway is there."""
        return self._either(self._external_ip, Nat.external_ip)

    @hookimpl
    def add_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, lifetime: int, token: str, exact: bool
    ) -> Grant:
        """Open the port or extend its lease. PCP has no names; the token is the mapping's nonce.

        Where the gateway may choose, the internal port is suggested: some refuse to be asked for port 0. `exact`: it is
        asked to prefer failure to another port.
        """
        port = external_port or internal_port
        return self._either(
            lambda: self._client.map(protocol, port, internal_port, lifetime, token, exact=exact),
            lambda door: door.add_mapping(protocol, external_port, internal_port, "", lifetime),
        )

    @hookimpl
    def delete_mapping(self, protocol: Protocol, external_port: int, internal_port: int, token: str) -> None:
        """Shut the port. The gateway shuts it only for the nonce that opened it."""
        self._either(
            lambda: self._client.unmap(protocol, internal_port, token),
            lambda door: door.delete_mapping(protocol, external_port, internal_port),
        )

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway lost its state or changed its address, or when another took its place."""

        def told(reason: str) -> None:
            self._stand_in.recheck()
            alert(reason)

        closers = self._client.watch(told), self._stand_in.watch(told)

        def close() -> None:
            for end in closers:
                end()

        return close

    @classmethod
    def _made(cls, argument: str | None, stand_in: Load | None) -> "Pcp | PcpPinholes":
        gateway = None if argument is None else parse_gateway(argument)
        return PcpPinholes(gateway) if isinstance(gateway, IPv6Address) else cls(gateway, stand_in=stand_in)

    def _either(self, by_pcp: Callable[[], T], by_natpmp: Callable[[Nat], T]) -> T:
        """By PCP, or, where the gateway does not speak it, through whoever stands in."""
        door = self._stand_in.backend
        if door is None:
            try:
                done = by_pcp()
            except SpeaksNatPmp as why:
                door = self._stand_in.use(why)
            else:
                self._stand_in.drop()
                return done
        try:
            return by_natpmp(door)
        except SILENCE:
            self._stand_in.recheck()
            raise

    def _external_ip(self) -> Address:
        gateway = self._client.meet()
        return self._client.external_ip(gateway) or self._ask_aside(gateway)

    def _ask_aside(self, gateway: IPv4Address) -> IPv4Address:
        """The address, asked for in NAT-PMP. Raises Refused, for the gateway has just answered, where it says none."""
        settings = self._settings
        peer = str(gateway), settings.port
        try:
            stated = exchange(peer, AddressQuestion(), _ASIDE, settings.clock, speaks="NAT-PMP")
        except NATError as error:
            raise _not_known(gateway) from error
        if stated.external_ip is None:
            raise Refused(_down(gateway)) if stated.result == NO_ADDRESS_YET else _not_known(gateway)
        return stated.external_ip


def _not_known(gateway: IPv4Address) -> NotYet:
    return NotYet(
        f"{SPEAKS} {gateway} tells its external address with a mapping only: it is not known before the first mapping"
    )


def _down(gateway: IPv4Address) -> str:
    return f"{SPEAKS} {gateway} says that it has no external address yet: is its uplink connected?"
