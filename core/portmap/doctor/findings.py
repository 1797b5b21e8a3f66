"""What the doctor found out, as values: from the network, the kernel and the user. What is not known is None."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from portmap.errors import SILENCE, NoPublicAddress, PluginError, PortmapError
from portmap.gateway_names import ipv4_gateway_address
from portmap.model import Address, Key, Listed, PortRequest, Protocol, Scope, scope_of
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.nat_type import NatType
from portmap.reachability.verdict import Reachability


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """Our host's side of the network.

    `gateways`: those of the default routes, best first; `ignored`: interfaces without a default route.
    `us`: our address towards the first gateway, or towards the outside where there is none; `interface` has it.
    `outward`: our address towards the outside, as the kernel would choose it; `outward_interface` has it. It differs
    from `us` where a VPN takes the traffic. `ipv6`: our global IPv6 address.
    `bridged`: we are in a container behind a bridge, which no multicast crosses. `chosen`: the interface that the user
    chose, so that all of it is of its network; `outward` then differs from `us` where answers leave by another one.
    """

    gateways: tuple[IPv4Address, ...] = ()
    interface: str = ""
    us: IPv4Address | None = None
    ignored: tuple[str, ...] = ()
    bridged: bool = False
    outward: IPv4Address | None = None
    outward_interface: str = ""
    ipv6: IPv6Address | None = None
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class BackendAnswer:
    """What one backend answered. `name`: its spec; `gateway`: how it names the gateway that it speaks to.

    `chosen`: the user named it, or named none; other backends are asked only to compare.
    `placed`: the user named its gateway's address. `us`: our own address on the way to it.
    `host`: the gateway's address, read from `gateway` where it is not given.
    `table`: the gateway's own list of mappings; None where that cannot be told.
    """

    name: str
    gateway: str
    ms: int = 0
    address: Address | None = None
    error: PortmapError | None = None
    evidence: tuple[str, ...] = ()
    us: IPv4Address | None = None
    table: tuple[Listed, ...] | None = None
    chosen: bool = True
    placed: bool = False
    host: IPv4Address | None = None

    def __post_init__(self) -> None:
        if self.host is None:
            object.__setattr__(self, "host", ipv4_gateway_address(self.gateway))

    @property
    def good(self) -> bool:
        """Whether it gave its external address."""
        return self.error is None

    @property
    def silent(self) -> bool:
        """Whether nothing answered in this protocol."""
        return isinstance(self.error, SILENCE)

    @property
    def broken(self) -> bool:
        """Whether it is the plugin that failed."""
        return isinstance(self.error, PluginError)

    @property
    def scope(self) -> Scope:
        """The scope of its external address."""
        return scope_of(self.address)

    @property
    def protocol(self) -> str:
        """The first word of the gateway's name: the protocol as its backend spells it."""
        return self.gateway.split(" ")[0]

    @property
    def backend(self) -> str:
        """The backend's name, without its argument."""
        return self.name.partition(":")[0]

    def leads_here(self, row: Listed) -> bool:
        """Whether the row leads to this host."""
        return row.client == str(self.us)

    def answers(self, row: Listed, request: PortRequest) -> bool:
        """Whether the row is the mapping that the request asks for."""
        return self.leads_here(row) and row.internal_port == request.internal_port

    def whose(self, row: Listed) -> str:
        """Who has the row's port, as far as the row tells."""
        who = "another program on this computer" if self.leads_here(row) else row.client
        return f'{who} ("{row.description}")' if row.description else who

    def row(self, protocol: Protocol, external_port: int) -> Listed | None:
        """The gateway's row for the external port, if it lists one."""
        rows = (row for row in self.table or () if (row.protocol, row.external_port) == (protocol, external_port))
        return next(rows, None)


@dataclass(frozen=True, slots=True)
class Beyond:
    """The gateway beyond the router. `places`: where it was asked for; none: no router makes itself known there."""

    places: tuple[IPv4Address, ...]
    answers: tuple[BackendAnswer, ...] = ()

    @property
    def best(self) -> BackendAnswer | None:
        """The quickest answer with an address; None where nothing answers."""
        return min((answer for answer in self.answers if answer.good), key=lambda answer: answer.ms, default=None)


@dataclass(frozen=True, slots=True)
class HostFirewall:
    """Our host's own firewall. `shut`: whether it blocks the wanted port, None if unknown; `reason`: why."""

    shut: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One mapping that `--try` made and removed again, or that was refused.

    `address`: the external one, where it came with the mapping. `left`: why the mapping was not removed.
    `skipped`: why it was not tried.
    """

    gateway: str
    request: PortRequest
    external_port: int = 0
    lifetime: int = 0
    address: Address | None = None
    error: PortmapError | None = None
    left: str = ""
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class PortHolder:
    """A portmap of this host that holds a mapping. `pid` 0: `portmap open` left it. `external_port` 0: not known."""

    pid: int
    key: Key
    external_port: int

    def __str__(self) -> str:
        return f"portmap (process {self.pid})" if self.pid else "`portmap open`"


@dataclass(frozen=True, slots=True)
class Findings:
    """All of it. `listening`: None where this system does not tell; `outside`: None where no server was named.

    `beyond`: None where nothing is to be looked for there.
    """

    network: HostNetwork
    answers: tuple[BackendAnswer, ...]
    requests: tuple[PortRequest, ...] = ()
    listening: tuple[ListeningSocket, ...] | None = None
    firewall: HostFirewall | None = None
    outside: BackendAnswer | None = None
    attempts: tuple[TrialResult, ...] = ()
    holders: tuple[PortHolder, ...] = ()
    nat: NatType | str | None = None
    reached: tuple[Reachability, ...] = ()
    beyond: Beyond | None = None

    @property
    def rooted(self) -> tuple[PortRequest, ...]:
        """The requests with a port of their own; the others take the port that the gateway grants."""
        return tuple(request for request in self.requests if not request.follow)

    @property
    def chosen(self) -> tuple[BackendAnswer, ...]:
        """The backends that the verdict is about; broken plugins are left out."""
        return tuple(answer for answer in self.answers if answer.chosen and not answer.broken)

    @property
    def good(self) -> tuple[BackendAnswer, ...]:
        """The chosen answers with an address, the quickest first."""
        return tuple(sorted((answer for answer in self.chosen if answer.good), key=lambda answer: answer.ms))

    @property
    def stated(self) -> tuple[Address, ...]:
        """The external addresses that gateways stated, the quickest first; then those of mappings and refusals."""
        tried = (attempt.address or _refused_with(attempt.error) for attempt in self.attempts)
        refused = (_refused_with(answer.error) for answer in self.chosen)
        told = (*(answer.address for answer in self.good), *tried, *refused)
        return tuple(address for address in told if address)

    @property
    def elsewhere(self) -> tuple[BackendAnswer, ...]:
        """Good answers of backends that were not chosen."""
        return tuple(answer for answer in self.answers if answer.good and not answer.chosen)

    def holder(self, request: PortRequest) -> PortHolder | None:
        """The running portmap that holds this mapping already."""
        return next((holder for holder in self.holders if holder.key == request.key), None)

    def sockets(self, request: PortRequest) -> tuple[ListeningSocket, ...]:
        """The sockets that listen on the request's internal port."""
        wanted = (request.protocol, request.internal_port)
        return tuple(it for it in self.listening or () if (it.protocol, it.port) == wanted)

    def opened(self, request: PortRequest) -> "AlreadyOpen | None":
        """Where the request's port is open already, as far as this host and the gateways' tables tell."""
        if holder := self.holder(request):
            port = holder.external_port or request.suggested_port
            return AlreadyOpen(request, self._open_at, port, str(holder))
        for answer in self.good:
            for row in answer.table or ():
                if row.protocol is request.protocol and answer.answers(row, request):
                    who = "portmap" if row.ours else answer.whose(row)
                    return AlreadyOpen(request, answer.address, row.external_port, who)
        return None

    @property
    def _open_at(self) -> Address | None:
        return self.stated[0] if self.stated else None


def _refused_with(error: PortmapError | None) -> Address | None:
    """The gateway's own outer address, where its refusal has it."""
    return error.external_ip if isinstance(error, NoPublicAddress) else None


@dataclass(frozen=True, slots=True)
class AlreadyOpen:
    """A port that is open at the gateway. `who` opened it; `address` is the external one, if known."""

    request: PortRequest
    address: Address | None
    external_port: int
    who: str

    @property
    def where(self) -> str:
        """ADDRESS:PORT, as it is typed on another host."""
        host = "?" if self.address is None else f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.external_port}"
