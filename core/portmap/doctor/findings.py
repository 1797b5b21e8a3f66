"""What the doctor has found, as values. All that is said here came from the network, the kernel or the user.

Law: values only. What could not be learnt is None, never a guess.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Address

from portmap.errors import SILENCE, PluginError, PortmapError
from portmap.model import Address, Key, Listed, PortRequest, Protocol, Scope, scope_of
from portmap.network.listening_sockets import ListeningSocket

_ADDRESS = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d)")


@dataclass(frozen=True, slots=True)
class HostNetwork:
    """Our side. `gateways` are those of the default routes, best first, `ignored` interfaces that lead to none.

    `bridged`: we are in a container behind a bridge, which no multicast crosses.
    """

    gateways: tuple[IPv4Address, ...] = ()
    interface: str = ""
    us: IPv4Address | None = None
    ignored: tuple[str, ...] = ()
    bridged: bool = False


@dataclass(frozen=True, slots=True)
class BackendAnswer:
    """What one backend came to. `name` is its spec, `gateway` how it names whom it speaks to.

    `chosen`: the user named it, or nobody; else it was asked only to compare. `placed`: the user said where it is.
    `us` is our own address on the way to it; `table` is None where that cannot be told.
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

    @property
    def good(self) -> bool:
        """Whether it gave its external address."""
        return self.error is None

    @property
    def silent(self) -> bool:
        """Whether nobody there speaks the protocol, as far as can be told."""
        return isinstance(self.error, SILENCE)

    @property
    def broken(self) -> bool:
        """Whether it is the plugin that failed."""
        return isinstance(self.error, PluginError)

    @property
    def scope(self) -> Scope:
        """What its external address is worth."""
        return scope_of(self.address)

    @property
    def protocol(self) -> str:
        """The protocol as its backend spells it."""
        return self.gateway.split(" ")[0]

    @property
    def backend(self) -> str:
        """The backend's name, without where its gateway is."""
        return self.name.partition(":")[0]

    @property
    def host(self) -> str:
        """The gateway's address, if its name has one in it."""
        found = _ADDRESS.search(self.gateway)
        return found[0] if found else ""

    def leads_here(self, row: Listed) -> bool:
        """Whether the row leads to this host."""
        return row.client == str(self.us)

    def answers(self, row: Listed, request: PortRequest) -> bool:
        """Whether the row is the very mapping that is wanted."""
        return self.leads_here(row) and row.internal_port == request.internal_port

    def whose(self, row: Listed) -> str:
        """Who has it, as far as the row tells."""
        who = "another program on this computer" if self.leads_here(row) else row.client
        return f'{who} ("{row.description}")' if row.description else who

    def row(self, protocol: Protocol, external_port: int) -> Listed | None:
        """Who has the external port, as far as the gateway tells."""
        rows = (row for row in self.table or () if (row.protocol, row.external_port) == (protocol, external_port))
        return next(rows, None)


@dataclass(frozen=True, slots=True)
class HostFirewall:
    """Our host's own. `shut`: whether it keeps the wanted port out, None if that cannot be told; `reason` why."""

    shut: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class TrialResult:
    """One mapping that was really made, and removed again, or would not be. `left`: why it was not removed.

    `address`: the external one, where it came with the mapping. `skipped`: why it was not tried at all.
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
    """A running portmap of this host that holds a mapping."""

    pid: int
    key: Key
    external_port: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything. `listening` is None where this system does not tell, `outside` where nobody was named to ask."""

    network: HostNetwork
    answers: tuple[BackendAnswer, ...]
    requests: tuple[PortRequest, ...] = ()
    listening: tuple[ListeningSocket, ...] | None = None
    firewall: HostFirewall | None = None
    outside: BackendAnswer | None = None
    attempts: tuple[TrialResult, ...] = ()
    holders: tuple[PortHolder, ...] = ()

    @property
    def rooted(self) -> tuple[PortRequest, ...]:
        """The requests whose ports are known beforehand; those that follow have whatever is granted."""
        return tuple(request for request in self.requests if not request.follow)

    @property
    def chosen(self) -> tuple[BackendAnswer, ...]:
        """The backends that the verdict is about, those that are at fault themselves left out."""
        return tuple(answer for answer in self.answers if answer.chosen and not answer.broken)

    @property
    def good(self) -> tuple[BackendAnswer, ...]:
        """Those that gave an address, the quickest first."""
        return tuple(sorted((answer for answer in self.chosen if answer.good), key=lambda answer: answer.ms))

    @property
    def stated(self) -> tuple[Address, ...]:
        """The external addresses that gateways stated, the first one's first; those that came with a mapping too."""
        tried = (attempt.address for attempt in self.attempts)
        return tuple(address for address in (*(answer.address for answer in self.good), *tried) if address)

    @property
    def elsewhere(self) -> tuple[BackendAnswer, ...]:
        """Good answers of backends that were not chosen."""
        return tuple(answer for answer in self.answers if answer.good and not answer.chosen)

    def holder(self, request: PortRequest) -> PortHolder | None:
        """The running portmap of ours that has this mapping already."""
        return next((holder for holder in self.holders if holder.key == request.key), None)

    def sockets(self, request: PortRequest) -> tuple[ListeningSocket, ...]:
        """Who takes what arrives at the request's internal port."""
        wanted = (request.protocol, request.internal_port)
        return tuple(it for it in self.listening or () if (it.protocol, it.port) == wanted)
