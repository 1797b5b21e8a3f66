"""The PCP backend `pcp` (RFC 6887) for IPv4: the hooks of `portmap.hookspecs` as questions to one gateway.

Nothing is opened to learn something. PCP tells the external address with a mapping only, so it is asked for in NAT-PMP
at each check: most PCP servers speak that as well. A gateway that speaks no PCP at all is left to `natpmp_fallback`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, TypeVar

from portmap import Nat
from portmap.errors import SILENCE, NoPublicAddress, NotYet, Refused, UnverifiedGateway
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, Protocol
from portmap.network import routes
from portmap_pcp import natpmp_address
from portmap_pcp.announcement import ANNOUNCED_AT
from portmap_pcp.argument import parse_gateway
from portmap_pcp.client import Client
from portmap_pcp.exchanges import SPEAKS
from portmap_pcp.natpmp_address import StatedAddress
from portmap_pcp.natpmp_fallback import Load, NatPmpFallback, load_natpmp
from portmap_pcp.pinholes import PcpPinholes
from portmap_pcp.results import ADDRESS_MISMATCH, SpeaksNatPmp
from portmap_pcp.settings import Settings
from portmap_pcp.stated_addresses import StatedAddresses

T = TypeVar("T")


class Pcp:
    """Speaks PCP to the given gateway, or to the first of `candidates` that answers.

    `guesses` are asked only while there are no candidates. `fallback` loads the backend that speaks NAT-PMP to a
    gateway that speaks nothing newer; None: such a gateway counts as none.
    """

    kind: ClassVar[Kind] = Kind.LOOP
    preference: ClassVar[int] = 3  # its requests say more than NAT-PMP's, and a nonce protects our mappings

    def __init__(
        self,
        gateway: IPv4Address | None = None,
        settings: Settings = Settings(),  # noqa: B008  # frozen
        *,
        candidates: Callable[[], Sequence[IPv4Address]] | None = None,
        guesses: Callable[[], Sequence[IPv4Address]] | None = None,
        own_address: Callable[[IPv4Address], IPv4Address] | None = None,
        fallback: Load | None = load_natpmp,
    ) -> None:
        interface = settings.interface
        self._client = Client(
            gateway,
            partial(routes.default_gateways, interface) if candidates is None else candidates,
            partial(routes.guessed_gateways, interface) if guesses is None else guesses,
            own_address or partial(routes.local_address_to, interface=interface),
            ANNOUNCED_AT,
            settings,
        )
        self._stated = StatedAddresses(settings)
        self._fallback = NatPmpFallback(fallback)

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "Pcp | PcpPinholes":
        """`pcp` or `pcp:192.168.1.1`; to an IPv6 gateway there are pinholes only.

        Raises SpecError for an argument that is no gateway's address.
        """
        return cls._made(argument, interface, partial(load_natpmp, interface=interface))

    @classmethod
    def race_from_argument(cls, argument: str | None, interface: str | None = None) -> "Pcp | PcpPinholes":
        """The same for a race in which NAT-PMP takes part itself: there is no fallback for a gateway without PCP."""
        return cls._made(argument, interface, None)

    @classmethod
    def ipv6_from_argument(cls, argument: str | None, interface: str | None = None) -> PcpPinholes:
        """The IPv6 firewall of the default router, or of the given IPv6 gateway. Raises SpecError for an IPv4 one."""
        return PcpPinholes.from_argument(argument, interface)

    def __str__(self) -> str:
        return str(self._fallback.backend or self._client)

    @hookimpl
    def external_ip(self) -> Address:
        """The gateway's external address. Raises NotYet where the gateway is there and the address not known.

        That is UnverifiedGateway where neither a route nor the user names the gateway.
        """
        address = self._either(self._external_ip, Nat.external_ip)
        if not self._client.is_named:
            raise UnverifiedGateway(
                f"{self} answers, but no default route leads there, so its word on our address is not taken: "
                "if it is your router, name it, as in --nat pcp:192.168.1.1"
            )
        return address

    @hookimpl
    def add_mapping(
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        lifetime: int,
        token: str,
        exact: bool,
        client: Address | None,
    ) -> Grant:
        """Open the port or extend its lease. PCP has no names; the token is the mapping's nonce.

        Where the gateway may choose, the internal port is suggested: some refuse to be asked for port 0. `exact`: it is
        asked to prefer failure to another port.
        """
        port = external_port or internal_port
        return self._either(
            lambda: self._client.map(protocol, port, internal_port, lifetime, token, exact=exact, client=client),
            lambda nat: nat.add_mapping(protocol, external_port, internal_port, "", lifetime, client=client),
        )

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        """Shut the port. The gateway shuts it only for the nonce that opened it."""
        self._either(
            lambda: self._client.unmap(protocol, internal_port, token, client=client),
            lambda nat: nat.delete_mapping(protocol, external_port, internal_port, client=client),
        )

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Alert when the gateway lost its state or changed its address, or when another took its place."""

        def pass_on(reason: str) -> None:
            self._fallback.recheck()
            self._stated.recheck()
            alert(reason)

        closers = self._client.watch(pass_on), self._fallback.watch(pass_on)

        def close() -> None:
            for end in closers:
                end()

        return close

    @classmethod
    def _made(cls, argument: str | None, interface: str | None, fallback: Load | None) -> "Pcp | PcpPinholes":
        gateway = None if argument is None else parse_gateway(argument)
        settings = Settings.on(interface)
        if isinstance(gateway, IPv6Address):
            return PcpPinholes(gateway, settings)
        return cls(gateway, settings, fallback=fallback)

    def _either(self, by_pcp: Callable[[], T], by_natpmp: Callable[[Nat], T]) -> T:
        """By PCP, or, where the gateway does not speak it, by the fallback."""
        nat = self._fallback.backend
        if nat is None:
            try:
                done = by_pcp()
            except SpeaksNatPmp as why:
                nat = self._fallback.use(why)
            else:
                self._fallback.drop()
                return done
        try:
            return by_natpmp(nat)
        except SILENCE:
            self._fallback.recheck()
            raise

    def _external_ip(self) -> Address:
        known = self._client.server_in_use()
        if known is not None and (unchanged := self._stated.unchanged(known)):
            self._client.answered()
            return unchanged
        mismatch: Refused | None = None
        try:
            gateway = self._client.meet()
        except Refused as error:
            if error.code != ADDRESS_MISMATCH or self._client.server is None:
                raise
            gateway, mismatch = self._client.server, error  # it is there, and may state its address all the same
        stated = self._stated.ask(gateway, self._client.external_ip(gateway))
        address = stated.external_ip or self._client.external_ip(gateway)
        if address is None:
            raise mismatch or _why_none(gateway, stated)
        return address


def _why_none(gateway: IPv4Address, stated: StatedAddress) -> Refused:
    match stated.result:
        case natpmp_address.NETWORK_FAILURE:
            return NoPublicAddress(
                f"{SPEAKS} {gateway} says that it has no public address: another router or the provider's NAT is in "
                "front of it (double NAT), or its uplink is down",
                code=stated.result,
            )
        case natpmp_address.NO_ADDRESS:
            return Refused(f"{SPEAKS} {gateway} says that it has no external address yet: is its uplink connected?")
    return NotYet(
        f"{SPEAKS} {gateway} tells its external address with a mapping only: it is not known before the first mapping"
    )
