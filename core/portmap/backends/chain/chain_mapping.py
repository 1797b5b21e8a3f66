"""ChainMapping: one port through all hops: opened from this host outwards, deleted from the outside in.

Rules:
- What a call opened at the inner hops is deleted where an outer one fails. Where that one was silent it may have opened
  its port all the same, so that is remembered for the deletion.
- Where an inner gateway opens another port, or has another outer address, the mapping of the next one is moved: the old
  one is deleted first, as it holds the external port.
- Where the outermost backend listens at a port of this host (`listener`), the gateways before it forward to that port,
  each with the same number outside: so the backend's own packets leave by the port that is forwarded.
- In a deletion each hop is tried, whatever became of the others. What leads to an old address of an inner gateway may
  be refused: many gateways let only the host itself delete, and that address is ours no more.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from portmap.backends.chain.hop import Hop, Hops, TimeLeft
from portmap.backends.chain.hop_mapping import ChainRequest, HopMapping, from_token, to_token
from portmap.errors import SILENCE, Conflict, NATError, NotYet, PluginError, PortmapError, Refused
from portmap.model import Address, Grant, Key, Protocol, is_nominal

LOCAL_PORTS = 3  # how many are tried where the outermost backend listens at one that a gateway does not give
MOMENT = 0.3  # seconds; a gateway that answers does so by then
DELETE_TIME = 1.5  # seconds for an outer hop, so that the inner ones have time left when the session ends
_log = logging.getLogger("portmap.chain")


class ChainMapping:
    """What each of `hops` holds, or may hold, of one port. `learn` is called with the outer address of a hop."""

    def __init__(self, hops: Hops, protocol: Protocol, learn: Callable[[Hop, Address], None]) -> None:
        self._hops = hops
        self._protocol = protocol
        self._learn = learn
        self._held: dict[Hop, HopMapping] = {}
        self._opening = threading.Lock()
        self._is_over = False
        self._local_port = 0

    def take_over(self, token: str, client: Address | None, internal_port: int) -> None:
        """Know what an earlier session held, if the token is that of a mapping to this port."""
        hops = from_token(token, len(self._hops.all))
        anchor = -1 if self._hops.listener is not None else 0
        if hops and hops[anchor].leads_to(client, internal_port):
            self._held = dict(zip(self._hops.all, hops, strict=False))

    def open(self, request: ChainRequest) -> Grant:
        """Open the port at every hop, or extend it there. Raises as the hook."""
        with self._opening:
            for _ in range(LOCAL_PORTS - 1):
                try:
                    return self._open(request)
                except Conflict:  # with another local port there may be none
                    if self._hops.listener is None:
                        raise
                    self._take_back({})
                    request = request._replace(external_port=0)
            return self._open(request)

    def _open(self, request: ChainRequest) -> Grant:
        left = TimeLeft()
        before = dict(self._held)
        grants: list[Grant] = []
        self._find_way(left)
        self._listen(request, left)
        for hop in self._hops.in_use:
            with hop.place_told():
                hop.check_is_beyond()
        for hop in self._hops.all:
            try:
                if self._leads_through(hop, left):
                    grants.append(self._open_at(hop, request, left))
            except (NATError, PluginError) as error:
                self._take_back(before, at_silent=hop if isinstance(error, SILENCE) else None)
                raise
        if is_nominal(request.internal_port) and len({grant.external_port for grant in grants}) > 1:
            self._take_back({})
            raise Conflict("the gateways gave different ports, and the application can listen on one only")
        return self._joined(grants)

    def end(self) -> None:
        """The session ends, on any thread: delete what is held; no gateway that is silent is waited for.

        What a gateway is just opening is deleted here if it answers within a moment, else where it is opened.
        """
        self._is_over = True
        if self._opening.acquire(timeout=MOMENT):
            self._opening.release()
        self.delete(skip_silent=True)

    def delete(self, *, skip_silent: bool = False) -> list[tuple[Hop, PortmapError]]:
        """Delete it at every hop, from the outside in; what could not be deleted, and why.

        `skip_silent`: ask no gateway that gave no answer to the last call, or has not come back from it.
        """
        left = TimeLeft()
        failures: list[tuple[Hop, PortmapError]] = []
        for hop in reversed(self._hops.all):
            held = self._held.pop(hop, None)
            if held is None or (skip_silent and (hop.is_silent or hop.nat.busy)):
                continue
            try:
                self._delete_at(hop, held, left)
            except (NATError, PluginError) as error:
                if isinstance(error, Refused) and _is_stale(hop, held):
                    _log.info("%s keeps what led to %s until its lease ends: %s", hop, held.client, error)
                else:
                    failures.append((hop, error))
        return failures

    def delete_innermost(self, external_port: int, internal_port: int, client: Address | None) -> None:
        """Where nothing is known: delete what the innermost gateway has for this port. Raises as the hook.

        The other gateways know it by ports that are not known, and by an address that other hosts share.
        """
        self._delete_at(self._hops.all[0], HopMapping(client, internal_port, external_port), TimeLeft())

    @property
    def is_known(self) -> bool:
        """Whether a hop holds, or may hold, something."""
        return bool(self._held)

    def is_listed(self) -> bool | None:
        """Whether every hop lists it; None where one cannot tell. Raises as the hook."""
        left = TimeLeft()
        answers: list[bool | None] = []
        for hop in self._hops.in_use:
            held = self._held.get(hop)
            if held is None or _is_stale(hop, held):
                return False
            with hop.place_told():
                answers.append(
                    hop.nat.has_mapping(
                        self._protocol,
                        held.external_port,
                        held.internal_port,
                        left.seconds(),
                        held.token,
                        client=held.client,
                    )
                )
        return False if False in answers else None if None in answers else True

    def _find_way(self, left: TimeLeft) -> None:
        """Know whether a gateway has to be looked for: the outermost one is asked for the wanted port."""
        for hop in self._hops.all:
            if hop.is_found and hop.inner is not None and hop.inner.is_needed:
                with suppress(NotYet):  # its mapping tells
                    self._know_address(hop.inner, left)

    def _listen(self, request: ChainRequest, left: TimeLeft) -> None:
        """Have the listener's local port, if there is a listener."""
        listener = self._hops.listener
        if listener is None:
            return
        if request.client is not None or is_nominal(request.internal_port):
            raise Refused(f"{listener} hands on to a port of this host only: name one, without @HOST")
        with listener.place_told():
            self._local_port = listener.nat.local_port(
                request.protocol, request.external_port, request.internal_port, left.seconds()
            )
        if listener not in self._held:
            self._held[listener] = HopMapping(None, request.internal_port, self._local_port)

    def _leads_through(self, hop: Hop, left: TimeLeft) -> bool:
        """Whether the way out leads through this hop; where it does not any more, what it holds is deleted."""
        if hop.is_needed:
            return True
        if held := self._held.pop(hop, None):
            self._move_away(hop, held, left)
        return False

    # At one hop ----------------------------------------------------------------------------------------------

    def _open_at(self, hop: Hop, request: ChainRequest, left: TimeLeft) -> Grant:
        client, port = self._target_of(hop, request, left)
        had = self._held.get(hop)
        wish = self._wish(hop, request, port)
        if had is not None and not had.leads_to(client, port):
            self._move_away(hop, had, left)
            had = None
        asked = HopMapping(client, port, wish or port, had.token if had else "")
        self._held[hop] = asked  # from now on the gateway may hold it
        try:
            grant = self._ask(hop, asked, wish, request, left.seconds())
        except SILENCE:
            raise
        except (NATError, PluginError):
            self._put(hop, had)
            raise
        self._held[hop] = HopMapping(client, port, grant.external_port, grant.token)
        if hop is not self._hops.listener and self._hops.listener is not None and grant.external_port != port:
            raise Conflict(f"{hop} gave port {grant.external_port} instead of {port}, which this host needs for itself")
        if self._is_over:
            raise Refused(f"{hop} answered when the session had ended: what it opened is deleted")
        if grant.external_ip is not None:
            self._learn(hop, grant.external_ip)
        return grant

    def _ask(self, hop: Hop, asked: HopMapping, wish: int, request: ChainRequest, timeout: float) -> Grant:
        with hop.place_told():
            return hop.nat.add_mapping(
                self._protocol,
                wish,
                asked.internal_port,
                request.name,
                request.lifetime,
                timeout,
                asked.token,
                exact=request.exact if hop is self._hops.outermost else self._hops.listener is not None,
                client=asked.client,
            )

    def _target_of(self, hop: Hop, request: ChainRequest, left: TimeLeft) -> tuple[Address | None, int]:
        """Where this hop forwards to: what the one before it granted."""
        listener = self._hops.listener
        if hop is listener:
            return None, request.internal_port
        if hop.inner is None:
            return request.client, request.internal_port if listener is None else self._local_port
        self._know_address(hop.inner, left)
        return hop.inner.address, self._held[hop.inner].external_port

    def _know_address(self, hop: Hop, left: TimeLeft) -> None:
        """Ask for the outer address, where it is not known. Raises as the hook `external_ip`."""
        if hop.address is None:
            with hop.place_told():
                self._learn(hop, hop.nat.external_ip(left.seconds()))

    def _wish(self, hop: Hop, request: ChainRequest, port: int) -> int:
        """The external port to ask this hop for; 0: it may choose, rather the internal one."""
        if is_nominal(request.internal_port) and hop.inner is not None:
            return port
        if self._hops.listener not in (None, hop):
            return port
        if hop is self._hops.outermost:
            return request.external_port or request.internal_port
        held = self._held.get(hop)
        return held.external_port if held else 0

    def _move_away(self, hop: Hop, held: HopMapping, left: TimeLeft) -> None:
        """The hop before it gave another port, or has another address: what leads to the old one goes."""
        try:
            self._delete_at(hop, held, left)
        except (NATError, PluginError) as error:
            _log.info("%s may still forward %d to %s: %s", hop, held.external_port, held.client, error)

    def _delete_at(self, hop: Hop, held: HopMapping, left: TimeLeft) -> None:
        time = left.seconds() if hop.inner is None else left.seconds(DELETE_TIME)
        with hop.place_told():
            hop.nat.delete_mapping(
                self._protocol, held.external_port, held.internal_port, time, held.token, client=held.client
            )

    def _take_back(self, before: dict[Hop, HopMapping], at_silent: Hop | None = None) -> None:
        """Delete what was opened since; what a hop held before may be extended again, a silent one may hold it."""
        new = ChainMapping(self._hops, self._protocol, self._learn)
        left = {*before, at_silent}
        new._held = {hop: held for hop, held in self._held.items() if hop not in left}
        self._held = {hop: held for hop, held in self._held.items() if hop in left}
        for hop, error in new.delete():
            _log.warning("%s may keep a port open that leads nowhere: %s", hop, error)

    def _put(self, hop: Hop, held: HopMapping | None) -> None:
        if held is None:
            self._held.pop(hop, None)
        else:
            self._held[hop] = held

    def _joined(self, grants: Sequence[Grant]) -> Grant:
        """What the chain as a whole was granted: the outermost port, until the first lease ends."""
        leases = [grant.lifetime for grant in grants if grant.lifetime]
        held = [self._held[hop] for hop in self._hops.all if hop in self._held]
        notes = ((hop, hop.nat.grant_note(Key(self._protocol, it.internal_port))) for hop, it in self._held.items())
        return Grant(
            grants[-1].external_port,
            min(leases, default=0),
            grants[-1].external_ip,
            to_token(held),
            static=all(grant.static for grant in grants),
            note="; ".join(f"hop {hop.number}: {note}" for hop, note in notes if note),
        )


def _is_stale(hop: Hop, held: HopMapping) -> bool:
    """Whether it leads to an address that the hop before no longer has."""
    return hop.inner is not None and hop.inner.address not in (None, held.client)
