"""The backend `any`, which has no gateway of its own: it races all the others, or those of a list."""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from typing import ClassVar

from portmap.backends.any.candidates import (
    installed_candidates,
    installed_ipv6_candidates,
    listed_candidates,
    listed_ipv6_candidates,
)
from portmap.backends.any.combined_watch import CombinedWatch
from portmap.backends.any.mapping_owners import MappingOwners
from portmap.backends.any.race import Race
from portmap.backends.nat import Nat
from portmap.errors import SILENCE, NATError, NoGateway, PluginError, PortmapError, Refused, SpecError
from portmap.hookspecs import BACKENDS, Alert, Closer, hookimpl
from portmap.loading.catalog import Catalogue
from portmap.model import CALL_DEADLINE, Address, Grant, Key, Kind, Listed, Protocol
from portmap.network.routes import own_public_address
from portmap.syntax.plugin_specs import ANY, without_arguments

MOMENT = 0.5  # seconds: a gateway answers within milliseconds, and at the end there are 2 s for all mappings
_SHOWN = 80  # characters of a list, where no gateway has a name yet
_log = logging.getLogger("portmap.any")


class AnyBackend:
    """`any`, `auto` or `on`: every installed LOOP backend is asked at once, the first good answer wins.

    `any:LIST`, or the list alone, asks just its members. A runner-up is kept for when the winner refuses to map. No
    failure is remembered: when the winner falls silent or none answered, the next call races again. `own_address` gives
    our own address where that is public: then there is no gateway to ask and nothing to map. `name` is what it is
    called before a gateway is found.
    """

    kind: ClassVar[Kind] = Kind.LOOP

    def __init__(self, race: Race, own_address: Callable[[], Address | None] = lambda: None, name: str = ANY) -> None:
        self._race = race
        self._own_address = own_address
        self._name = name[:_SHOWN]
        self._public: Address | None = None
        self._winner: Nat | None = None
        self._owners = MappingOwners()
        self._watch: CombinedWatch | None = None

    @classmethod
    def from_argument(cls, argument: str | None, interface: str | None = None) -> "AnyBackend":
        """Nothing, or a list; go-ethereum drops what makes no sense here silently, we do not.

        Raises SpecError, or PluginError for a member that is broken.
        """
        catalogue = Catalogue(BACKENDS)
        if argument is None:
            race = Race(lambda: installed_candidates(catalogue, without=cls, interface=interface))
            return cls(race, lambda: own_public_address(interface))
        candidates = listed_candidates(_list(argument), catalogue, without=cls, interface=interface)
        return cls(Race(lambda: candidates), name=without_arguments(argument))

    @classmethod
    def ipv6_from_argument(cls, argument: str | None, interface: str | None = None) -> "AnyBackend":
        """The same race between the IPv6 firewalls of those backends that know one. Raises SpecError where none does.

        What is installed is not known before it is loaded, so without a list that is an error of the race.
        """
        catalogue = Catalogue(BACKENDS)
        if argument is None:
            return cls(Race(lambda: installed_ipv6_candidates(catalogue, without=cls, interface=interface)))
        candidates = listed_ipv6_candidates(_list(argument), catalogue, without=cls, interface=interface)
        return cls(Race(lambda: candidates), name=without_arguments(argument))

    def __str__(self) -> str:
        if self._public is not None:
            return f"no NAT: our own address {self._public} is public"
        return str(self._winner or next(iter(self._race.refused_by), self._name))

    # The hooks -----------------------------------------------------------------------------------------------

    @hookimpl
    def external_ip(self) -> Address:
        """Our own address if that is public, else the winner's; a winner that has fallen silent is raced for anew."""
        if own := self._check_own_address():
            return own
        if self._winner is not None:
            try:
                self._watch_those_in_use()
                return self._winner.external_ip()
            except (*SILENCE, PluginError) as error:
                _log.info("%s no longer answers, so all are asked again: %s", self._winner, error)
        return self._run_race()[1].result()

    @hookimpl
    def add_mapping(
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
        """Ask the owner of the mapping, else the winner, then the runners-up.

        Where no gateway states an address, those that refused to are asked: many map all the same. Raises the first
        refusal; the winner's silence at once, without asking another: the loop then looks again.
        """
        key = Key.to_client(protocol, internal_port, client)
        if self._check_own_address():
            self._owners.forget(key)
            return _static_grant(internal_port or external_port, client)
        refusal: PortmapError | None = None
        silence: PortmapError | None = None
        for nat in self._backends_for(key):
            own = self._strip_backend_name(nat, token)
            try:
                grant = nat.add_mapping(
                    protocol, external_port, internal_port, name, lifetime, token=own, exact=exact, client=client
                )
            except (NATError, PluginError) as error:
                self._note_failure(key, nat, error)
                if isinstance(error, SILENCE):
                    silence = silence or error
                else:
                    refusal = refusal or error
            else:
                self._owners.granted(key, nat)
                if self._watch:
                    self._watch.add((nat,))
                return replace(grant, token=self._add_backend_name(nat, grant.token))
        raise refusal or silence or NoGateway("no gateway was found yet")

    @hookimpl
    def delete_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> None:
        """Ask the owner of the mapping, else the winner; and those that may hold it, too, for a moment.

        One of these that is silent does not hold up the deletion of other mappings: it is asked once.
        """
        key = Key.to_client(protocol, internal_port, client)
        owner, others = self._owners.take(key)
        first = owner or self._winner

        def delete(nat: Nat, timeout: float) -> None:
            own = self._strip_backend_name(nat, token)
            nat.delete_mapping(protocol, external_port, internal_port, timeout, own, client=client)

        try:
            if first is not None:
                delete(first, CALL_DEADLINE)
        finally:
            for nat in others - {first}:
                try:
                    delete(nat, 0.0 if nat.busy else MOMENT)
                except (NATError, PluginError) as error:
                    _log.info("%s may still map %s: %s", nat, key, error)

    @hookimpl
    def has_mapping(
        self, protocol: Protocol, external_port: int, internal_port: int, token: str, client: Address | None
    ) -> bool | None:
        """What the owner of the mapping says; None where it cannot tell."""
        owner = self._owners.owner_of(Key.to_client(protocol, internal_port, client))
        if owner is None:
            return None
        own = self._strip_backend_name(owner, token)
        return owner.has_mapping(protocol, external_port, internal_port, token=own, client=client)

    @hookimpl
    def list_mappings(self) -> tuple[Listed, ...] | None:
        """The table as the winner tells it, else a runner-up; None where none can."""
        if self._check_own_address():
            return ()
        tables = (nat.list_mappings() for nat in self._backends_for(None))
        return next((table for table in tables if table is not None), None)

    @hookimpl
    def watch(self, alert: Alert) -> Closer:
        """Watch by the winner and the owners of mappings, by all candidates where none won; pass on their alerts."""
        self._watch = watch = CombinedWatch(lambda nat: self._alert_of(nat, alert))
        self._watch_those_in_use()

        def close() -> None:
            if self._watch is watch:  # else a later one has taken over
                self._watch = None
            watch.close()

        return close

    @hookimpl
    def hint(self) -> str:
        """The winner's name, and its own hint."""
        return self._add_backend_name(self._winner, self._winner.hint()) if self._winner else ""

    @hookimpl
    def take_hint(self, hint: str) -> None:
        """The candidate to prefer in the next race, and its own hint."""
        self._race.prefer(hint)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        """Which candidates answered in the last race and when, and which did not; then the winner's own evidence."""
        if self._public is not None:
            return (f"our own address {self._public} is public: no gateway was asked",)
        return self._race.evidence + (self._winner.evidence() if self._winner else ())

    # Who is asked --------------------------------------------------------------------------------------------

    def _note_failure(self, key: Key, nat: Nat, error: PortmapError) -> None:
        """A backend did not map. Raises the error if it is the winner's silence.

        Whatever the answer was, but for a refusal, the backend may hold the mapping: silence passes, and the lease of
        an earlier answer goes on.
        """
        if not isinstance(error, Refused):
            self._owners.may_hold(key, nat)
        if isinstance(error, SILENCE):
            self._owners.forget(key)
            if nat is self._winner:
                raise error
            _log.info("%s no longer answers: %s", nat, error)
            return
        _log.info("%s would not map %s: %s", nat, key, error)

    def _check_own_address(self) -> Address | None:
        """Our own address if that is public; a gateway found elsewhere is ours no more."""
        self._public = self._own_address()
        if self._public is not None:
            self._winner = None
        return self._public

    def _run_race(self) -> "tuple[Nat, Future[Address]]":
        self._winner = None
        try:
            self._winner, answer = self._race.run()
            return self._winner, answer
        finally:
            self._watch_those_in_use()

    def _watch_those_in_use(self) -> None:
        """Add what is not watched yet. A watch of UPnP subscribes, and is then told of each renewal."""
        if self._watch:
            self._watch.add(self._owners.all | {self._winner} if self._winner else self._race.candidates)

    def _backends_for(self, key: Key | None) -> Iterator[Nat]:
        owner = self._owners.owner_of(key) if key else None
        if owner is not None:
            yield owner
        yield from (nat for nat in self._winner_and_others() if nat is not owner)

    def _winner_and_others(self) -> Iterator[Nat]:
        """The winner, then the runners-up; where none won because all refused to state an address, those."""
        try:
            winner = self._winner or self._run_race()[0]
        except Refused:
            if not self._race.refused_by:
                raise
            yield from self._race.refused_by
            return
        yield winner
        yield from self._race.runners_up(winner)

    def _alert_of(self, nat: Nat, alert: Alert) -> Alert:
        def pass_on(reason: str) -> None:
            if self._winner in (None, nat) or nat in self._owners:
                alert(reason)

        return pass_on

    # Tokens and hints begin with the name of their backend: another one could not use them.

    def _add_backend_name(self, nat: Nat, text: str) -> str:
        return f"{self._race.name_of(nat)} {text}".rstrip()

    def _strip_backend_name(self, nat: Nat, text: str) -> str:
        mark = f"{self._race.name_of(nat)} "
        bare = " " not in text  # from another portmap of this host; each backend checks what it is given
        return text.removeprefix(mark) if bare or text.startswith(mark) else ""


def _list(argument: str) -> str:
    """The argument, if it may be a list; what is wrong with its members is found where they are loaded."""
    if "," not in argument:
        raise SpecError("any takes no argument but a list: write 'any' alone, or any:NAME,NAME")
    return argument


def _static_grant(port: int, client: Address | None) -> Grant:
    if client is not None:
        raise Refused(f"this host has a public address of its own: no gateway was asked to map to {client}")
    if not port:
        raise Refused("there is no NAT here that could choose a port: name the one that the application listens on")
    return Grant(port, lifetime=0, static=True)
