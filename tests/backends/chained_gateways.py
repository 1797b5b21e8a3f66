"""Two gateways that follow a script, one behind the other, which the tests of a chain share."""

import threading
from collections.abc import Callable
from ipaddress import IPv4Address

from portmap.backends.chain.chain_nat import ChainNat
from portmap.backends.nat import Nat
from portmap.errors import Refused
from portmap.hookspecs import Alert, Closer, hookimpl
from portmap.model import Address, Grant, Kind, Protocol
from portmap.testing.clock import ScriptedInbox

TCP, UDP = Protocol.TCP, Protocol.UDP
INNER, OUTER = "10.0.0.1", "10.0.1.1"  # on this side
INNER_OUTSIDE, PUBLIC = IPv4Address("10.0.1.2"), IPv4Address("1.2.3.4")
Log = list[tuple[object, ...]]


class Hop:
    """Has a table of where each external port leads to, and writes every call into a log that all gateways share."""

    kind = Kind.LOOP

    def __init__(self, name: str, address: Address, log: Log) -> None:
        self.name = name
        self.address = address
        self.log = log
        self.table: dict[tuple[Protocol, int], tuple[Address | None, int]] = {}
        self.errors: dict[str, Exception] = {}
        self.states_with_grant = False
        self.lifetime = 600
        self.port_for: Callable[[int], int] = lambda port: port
        self.lists: bool | None = True
        self.alerts: list[Alert] = []
        self.hints: list[str] = []
        self.note = ""
        self.hangs_until: threading.Event | None = None
        self.reboots: tuple[ScriptedInbox, float] | None = None
        self.refuses_from: tuple[ScriptedInbox, float] | None = None
        self.refusal: Exception = Refused("no more")
        self.seen: list[str] = []

    def __str__(self) -> str:
        return f"gateway {self.name}"

    @hookimpl
    def external_ip(self) -> Address:
        self._suffer("external_ip")
        return self.address

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
        self.log.append(("add", self.name, external_port, internal_port, client, token))
        self._suffer("add_mapping")
        if exact:
            self.log.append(("exactly", self.name))
        port = self.port_for(external_port or internal_port)
        self.table[protocol, port] = (client, internal_port)
        self.seen = self.seen if self.seen[-1:] == ["open"] else [*self.seen, "open"]
        told = self.address if self.states_with_grant else None
        return Grant(port, min(lifetime, self.lifetime), told, token=f"{self.name}:{port}", note=self.note)

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        self.log.append(("delete", self.name, external_port, internal_port, client, token))
        self._suffer("delete_mapping")
        if self.table.get((protocol, external_port)) == (client, internal_port):
            del self.table[protocol, external_port]

    @hookimpl
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, client: Address | None
    ) -> bool | None:
        self._suffer("has_mapping")
        return self.lists and self.table.get((protocol, external_port)) == (client, internal_port)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        self.alerts.append(alert)
        return lambda: self.alerts.remove(alert)

    @hookimpl
    def hint(self) -> str:
        return f"hint of {self.name}"

    @hookimpl
    def take_hint(self, hint: str) -> None:
        self.hints.append(hint)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return (f"{self.name} answered",)

    def _suffer(self, hook: str) -> None:
        if self.hangs_until is not None:
            self.hangs_until.wait(5)
        if self.reboots and self.reboots[0].seconds >= self.reboots[1]:
            self.table.clear()
            self.reboots = None
            self.seen.append("lost")
        if self.refuses_from and self.refuses_from[0].seconds >= self.refuses_from[1] and hook != "external_ip":
            raise self.refusal
        if hook in self.errors:
            raise self.errors[hook]


def chain_of(*gateways: object) -> ChainNat:
    return ChainNat([Nat(gateway, str(gateway)) for gateway in gateways], "a chain")


def add(chain: Nat, external_port: int = 0, token: str = "", protocol: Protocol = TCP) -> Grant:
    return chain.add_mapping(protocol, external_port, 8080, "web", 600, token=token)


def delete(chain: Nat, grant: Grant) -> None:
    chain.delete_mapping(TCP, grant.external_port, 8080, token=grant.token)
