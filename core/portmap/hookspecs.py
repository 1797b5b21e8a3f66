"""The hooks: what a backend and a publisher may implement. This page is the plugin author's guide.

A **backend** speaks to one kind of gateway. It is a class, found through the entry point group
`portmap.backends`; the entry point's name is the NAME of a spec `NAME[:ARGUMENT]`::

    [project.entry-points."portmap.backends"]
    acme = "portmap_acme:Acme"

    class Acme:
        kind: ClassVar[Kind] = Kind.LOOP

        @classmethod
        def from_argument(cls, argument: str | None) -> "Acme":
            ...                       # parse only, no I/O; raise SpecError for nonsense

        @hookimpl
        def external_ip(self) -> IPv4Address: ...
        @hookimpl
        def add_mapping(self, protocol, external_port, internal_port, name, lifetime) -> Grant: ...
        @hookimpl
        def delete_mapping(self, protocol, external_port, internal_port) -> None: ...

The rules, which `portmap.testing.BackendContract` checks:

- Hooks are synchronous and may block. The core calls a backend from one thread at a time, its own, and gives every
  call a deadline; a hung backend delays nothing else. Set your own, shorter time limits all the same.
- Raise only errors of `portmap.errors`. Anything else is reported with your plugin's name.
- `str(backend)` names the gateway for people, e.g. `NAT-PMP 192.168.1.1`.
- Never give an implementation's argument a default value, and take only the arguments that you need. Without `client`
  you are asked to map to this host only.
- Discovery failed or the gateway is gone? Say so (`NoGateway`, `GatewayTimeout`) and be ready to be asked again:
  look anew at the next call, remember no failure.
- Never touch a mapping that is not ours.

What the class may declare beside its `kind`, each optional::

    opens_ports: ClassVar[bool] = True          # False: it only learns the address (STUN); nothing is said to be open
    relays: ClassVar[bool] = False              # True: you hand on what arrives, to the program at 127.0.0.1
    preference: ClassVar[int | None] = 0        # for `any`: of two that answer together the higher one is taken;
                                                # None: ask me only by name
    ipv6: ClassVar[bool] = False                # True: what it maps are pinholes in the gateway's IPv6 firewall
    default_lifetime: ClassVar[int] = 600       # seconds to ask for where the user did not say
    default_mappings: ClassVar[tuple[str, ...]] # what to map where the user named nothing, as in ("1=follow/both",)

    @classmethod
    def ipv6_from_argument(cls, argument: str | None) -> "AcmePinholes":
        ...     # the same gateway's IPv6 firewall, as a backend of its own: `external_ip` is our own global address,
                # `add_mapping` opens a pinhole to it. Raises SpecError where that argument names no IPv6 gateway.

    @classmethod
    def race_from_argument(cls, argument: str | None) -> "Acme":
        ...     # in place of `from_argument` where `any` races you beside others: skip what they do as well

Each of the three constructors may take a second argument, `interface: str | None = None`: the network interface of this
host to use, where the user chose one (`--interface`). A backend that does not take it is refused then, in words, and
takes no part in `any`. `portmap.network.interface` has what is needed to obey.

`--beyond auto` races the same backends, and gives each the IPv4 address of the gateway that it found as its argument: a
backend of which that makes no sense raises SpecError, and takes no part.

A **publisher** tells another program where we can be reached. Group `portmap.publishers`, again a class with
`from_argument`; `str(publisher)` names it for people, without a secret. It implements at least one of its hooks.
`converge` is the one to start with: it gets the whole state, and is called again, with back-off and always with the
newest state, until it returns without an error. With `reassert_every: ClassVar[float]` (seconds, at least 6) it is
called as often even though nothing changed: for a target that forgets. With `one_instance: ClassVar[bool] = True` no
two instances of a configuration may name the same target: for one that is replaced as a whole. It may be a static
method, too, which is given the argument.
`portmap.testing.PublisherContract` checks all of it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

import pluggy

from portmap.model import Address, Grant, Listed, Protocol

if TYPE_CHECKING:
    from portmap.endpoints import Endpoints
    from portmap.events import Event
    from portmap.node.local_node import Record

PROJECT = "portmap"
BACKENDS = "portmap.backends"
PUBLISHERS = "portmap.publishers"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Alert: TypeAlias = Callable[[str], None]
Closer: TypeAlias = Callable[[], None]


class BackendSpec:
    """The hooks of one gateway. The three without "optional" are required of every backend."""

    @hookspec(firstresult=True)
    def external_ip(self) -> Address:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """The gateway's external address, as it states it. Called at every check, once a minute by default.

        Raises NoGateway, GatewayTimeout, Refused or Garbled; never returns the unspecified address.
        """

    @hookspec(firstresult=True)
    def add_mapping(  # type: ignore[empty-body]  # pluggy: a spec has no body
        self,
        protocol: Protocol,
        external_port: int,
        internal_port: int,
        name: str,
        lifetime: int,
        token: str,
        exact: bool,
        client: Address | None,
    ) -> Grant:
        """Open the port. If it is already open, this renews it.

        `external_port` 0: choose, preferably the internal port. `internal_port` 0: only for gateways that need none.
        `name` is the user's word for the mapping, free text and maybe empty: escape it. `lifetime` in seconds, never
        0. `token` is what the last Grant for this mapping had, maybe in an earlier life; empty the first time. Answer
        with what was really granted; another port or lifetime than asked for is no error. A Grant's `note` is told with
        the mapping: what people should know about it. `exact`: another external port is of no use, so where the
        protocol can say so, say it. `client`: the host that the gateway is to forward to, None for this host; a backend
        that does not name this argument is never asked to map for another host. Raises as `external_ip`, and Conflict
        where no port could be had.
        """

    @hookspec(firstresult=True)
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        """Shut the port, if the mapping is ours. Deleting what is not there is a success, not an error.

        `token` and `client` as in `add_mapping`; the token is empty where none is known.
        """

    @hookspec(firstresult=True)
    def local_port(self, protocol: Protocol, external_port: int, internal_port: int) -> int:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. The port of this host at which the backend itself listens for a mapping, and stays until its end.

        Implement it where no gateway forwards to `internal_port`, but the backend hands on what arrives: then a gateway
        nearer to this host can be asked to forward to that port (`--beyond`). Called before `add_mapping`; ended by
        `delete_mapping`. Raises NoGateway where there is no such port.
        """

    @hookspec
    def watch(self, alert: Alert) -> Closer:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. Call `alert(reason)`, from any thread, whenever the gateway may have forgotten us.

        Returns at once with a function that ends the watch. The core then asks for every mapping again.
        """

    @hookspec(firstresult=True)
    def hint(self) -> str:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. What would help to find this gateway again at the next start, such as a URL; empty for nothing.

        Called after a good answer; kept in the journal. It does no I/O.
        """

    @hookspec(firstresult=True)
    def take_hint(self, hint: str) -> None:
        """Optional. What `hint` said in an earlier life: to be tried at once, while the usual search is under way.

        It may be stale, or tampered with: check it as if it came from the network. It does no I/O.
        """

    @hookspec(firstresult=True)
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> bool | None:
        """Optional. Whether the gateway still holds this mapping of ours, read from its table; None: it cannot tell.

        Implement it where reading is cheaper than asking for the mapping again. The core calls it for one mapping in
        turn at every second check, and asks for everything again where the answer is False. Raises as `external_ip`.
        """

    @hookspec(firstresult=True)
    def list_mappings(self) -> tuple[Listed, ...]:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. The gateway's own table, of all hosts. Where a protocol cannot tell, leave it out."""

    @hookspec(firstresult=True)
    def force_delete(self, protocol: Protocol, external_port: int, internal_port: int) -> bool:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. Delete the mapping though another program made it, if it leads to this host. Returns True.

        For `portmap close --force` only. Never delete a mapping of another host: raise Conflict. Raises as
        `external_ip`. Where a protocol cannot tell whose a mapping is, leave it out.
        """

    @hookspec(firstresult=True)
    def evidence(self) -> tuple[str, ...]:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """Optional. What the last finding of the gateway was based on, one fact each, for people. It does no I/O."""


class PublisherSpec:
    """The hooks of one publisher. It implements one of them at least."""

    @hookspec(firstresult=True)
    def converge(self, state: "Endpoints", again: bool) -> str | None:
        """Make this state true elsewhere, whatever was before; a port that it does not list is closed.

        Called from one thread of the publisher's own, first as soon as anything is known, and at the end with no port
        left. May block: a slow publisher delays nothing else. Look first, and change only what differs. `again`: do all
        of it once more, also what this object remembers to have done.

        Returns what the target has now, in a few words for people (`56164`), which is announced once; empty text where
        the target was left as it is, so that there is nothing to announce. Without a return value the open ports are
        announced. Raises an error of `portmap.errors` where it failed, `Refused` with `retry_after` (seconds) where the
        target asks us to wait.
        """

    @hookspec
    def on_event(self, event: "Event") -> None:
        """Take one event of `portmap.events`; ignore those that do not concern you.

        Each event comes once, in order, in the thread of `converge`, and never again.
        """

    @hookspec(firstresult=True)
    def sign_record(self, record: "Record") -> str:  # type: ignore[empty-body]  # pluggy: a spec has no body
        """The record as signed text, which then travels in `record.changed` (field `enr`)."""
