"""The STUN backend (RFC 8489): the hooks of `portmap.hookspecs` as one question to servers outside.

It learns the external address and opens nothing, and says so. Only the servers that the user named are asked or, for
`stun` alone, those listed here; nothing is told to a server but our address, which it sees anyway.
"""

import logging
from collections.abc import Sequence
from typing import ClassVar, NoReturn

from portmap.errors import Refused
from portmap.hookspecs import hookimpl
from portmap.model import Address, Kind
from portmap.wire.stun.servers import Server, look_up, parse_servers
from portmap_stun.server_poll import SPEAKS, TIMEOUT, LookUp, ServerPoll

log = logging.getLogger("portmap.stun")

# Three of different operators from github.com/pradt2/always-online-stun, which go-ethereum makes its list from
# (p2p/nat/stun-list-update.sh). By name, for addresses go stale; the first is erigon's default, too.
DEFAULT_SERVERS = (
    Server("stun.l.google.com", 19302),
    Server("stun.nextcloud.com"),
    Server("stun.sipgate.net"),
)


class Stun:
    """Asks all `servers` at once; the first good answer counts. `timeout` in seconds and `look_up` are for tests.

    `interface`: the one of this host to ask by; None: the routing table decides.
    """

    kind: ClassVar[Kind] = Kind.STATIC
    opens_ports: ClassVar[bool] = False
    preference: ClassVar[int | None] = None  # a third party: asked only by name

    def __init__(
        self,
        servers: Sequence[Server] = DEFAULT_SERVERS,
        *,
        timeout: float = TIMEOUT,
        look_up: LookUp = look_up,
        interface: str | None = None,
    ) -> None:
        self._servers = tuple(servers)
        self._pollster = ServerPoll(self._servers, timeout, look_up, interface)
        self._evidence: tuple[str, ...] = ()
        self._discord = ""
        self._last: Address | None = None

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "Stun":
        """`stun`, `stun:HOST[:PORT]`, `stun:HOST[:PORT]+HOST[:PORT]`. Raises SpecError for anything else."""
        return cls(parse_servers(argument) if argument else DEFAULT_SERVERS, interface=interface)

    def __str__(self) -> str:
        return SPEAKS if self._servers == DEFAULT_SERVERS else f"{SPEAKS} {'+'.join(map(str, self._servers))}"

    @hookimpl
    def external_ip(self) -> Address:
        """The address that the first server saw us at; of several that come in together IPv4, or what held before.

        Raises NoGateway, GatewayTimeout, Refused or Garbled.
        """
        answers = self._pollster.ask()
        server = min(answers, key=lambda it: (answers[it].version, answers[it] != self._last))
        address = self._last = answers[server]
        others = [other for other in answers if answers[other].version == address.version and answers[other] != address]
        self._evidence = tuple(f"{seer} sees {answers[seer]}" for seer in (server, *others))
        self._note_discord(", ".join(sorted(self._evidence)) if others else "")
        return address

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """Who said so, and who said otherwise."""
        return self._evidence

    @hookimpl
    def add_mapping(self) -> NoReturn:
        """STUN knows no mappings."""
        raise Refused(
            "STUN only learns the external address, it opens no port: forward the port by hand and use "
            "extip:ADDRESS, or ask the gateway with pcp, pmp or upnp"
        )

    @hookimpl
    def delete_mapping(self) -> None:
        """Nothing was opened, so there is nothing to shut."""

    def _note_discord(self, discord: str) -> None:
        """Say once that servers disagree: two uplinks, or one of them is wrong."""
        if discord and discord != self._discord:
            log.warning("the servers disagree on our address: %s", discord)
        self._discord = discord
