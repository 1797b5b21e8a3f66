"""One mapping's state, and what each outcome implies. Pure; `now` (seconds) and `spread` (0 to 1) are arguments.

Rules:
- A lease is renewed between 1/2 and 5/8 of its granted lifetime, but never sooner than MIN_RENEWAL after the last time.
- After a failure, several tries fit before the lease runs out, whatever wait the gateway asked for.
- The wanted external port is asked for first. If another one was held, it is the second choice.
"""

from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from math import inf

from portmap.backoff import backoff
from portmap.loop.lease_parts import NO_DOUBT, NO_TROUBLE, UNPAIRED, Doubt, Held, PairState, Trouble
from portmap.model import Address, Grant, Key, Mapping, PortRequest, Protocol, is_nominal

MIN_RENEWAL = 4.0  # seconds between two renewals at the least: RFC 6887 §11.2.1
RETRY_FIRST = 1.0  # seconds after the first failure, doubling
MAX_RETRY = 60.0  # seconds between tries at the most
TRIES_BEFORE_EXPIRY = 4  # a retry comes after at most this part of what is left of the lease
MIN_RETRY = 0.25  # seconds; RFC 6886 §3.1 sends no faster
MAX_RETRY_AFTER = 3600.0  # seconds; a gateway may say years, and be mended in a minute
SUGGESTED_INTERVAL = 600.0  # seconds between two tries to have the wanted port in place of an open one
MAX_MOVES = 8  # at least as many as the longest list of steps in `pairing`: then nothing is moved any more


@dataclass(frozen=True, slots=True)
class Lease:
    """A request and what became of it. Times are seconds of the loop's clock.

    What to ask, and when: `attempt_at`, `requested_port` (0: any), `target_port` (the internal port that it leads to,
    another than the request's where the application follows), `client` (the address of the host that it leads to, as
    last looked up; None for this host), `token`, `second_choice` (asked for where the wanted port is taken, 0: none),
    `checked_at` (when the gateway was last asked about it), `suggested_tried_at` (when the wanted port was last asked
    for in place of an open one).
    What is known: `at_gateway` (None: the port is not open), `trouble`, `doubt`, `pair`.
    """

    request: PortRequest
    attempt_at: float
    requested_port: int
    target_port: int = 0
    client: IPv4Address | None = None
    token: str = ""
    second_choice: int = 0
    checked_at: float = -inf
    suggested_tried_at: float = -inf
    at_gateway: Held | None = None
    trouble: Trouble = NO_TROUBLE
    doubt: Doubt = NO_DOUBT
    pair: PairState = UNPAIRED

    @classmethod
    def of(
        cls,
        request: PortRequest,
        now: float,
        remembered_port: int = 0,
        token: str = "",
        inner_port: int = 0,
        client: IPv4Address | None = None,
        *,
        still_held: bool = False,
    ) -> "Lease":
        """A new request: due at once. `remembered_port`: the external port that it had in an earlier session, 0: none.

        `still_held`: the gateway may hold it there still. Then that port is asked for again, unless another one is
        wanted by number. Else the wanted port goes first, the remembered one second. `inner_port`, `client`: where it
        led then, 0 and None where that is not known.
        """
        sticky = still_held or request.follow
        wanted = request.external_port or (remembered_port if sticky else 0)
        new = cls(
            request,
            attempt_at=now,
            requested_port=wanted,
            token=token,
            client=client,
            target_port=request.internal_port,
            second_choice=0
            if request.follow or remembered_port in (wanted, request.suggested_port)
            else remembered_port,
        )
        if not request.follow or new.nominal:
            return new
        likely = inner_port or (0 if request.external_port else remembered_port)
        return replace(new, target_port=likely or request.internal_port)

    @property
    def key(self) -> Key:
        """The identity of the mapping."""
        return self.request.key

    @property
    def companion(self) -> Key:
        """The other protocol's mapping of the same internal port (the term is RFC 6886's, §3.3)."""
        return self.key._replace(protocol=Protocol.UDP if self.key.protocol is Protocol.TCP else Protocol.TCP)

    @property
    def held(self) -> bool:
        """Whether the port is open, as far as we know."""
        return self.at_gateway is not None

    @property
    def external_port(self) -> int:
        """The port that is open outside; 0 where none is."""
        return self.at_gateway.external_port if self.at_gateway else 0

    @property
    def expires(self) -> float:
        """When the lease runs out; never where none is open."""
        return self.at_gateway.expires if self.at_gateway else inf

    @property
    def static(self) -> bool:
        """Whether it is open and nothing was sent for it."""
        return self.at_gateway is not None and self.at_gateway.static

    @property
    def nominal(self) -> bool:
        """Whether the gateway needs no internal port: it forwards to the port that it opens outside (VPN gateways)."""
        return self.request.follow and is_nominal(self.request.internal_port)

    @property
    def ports_agree(self) -> bool:
        """Whether an application that follows is reached where it listens: outside and inside the same port."""
        follows = self.request.follow and not self.nominal and not self.static
        return not follows or self.target_port == self.external_port

    @property
    def wake_at(self) -> float:
        """When this lease next needs attention: to ask, or to be declared lost."""
        return min(self.attempt_at, self.expires)

    @property
    def mapping(self) -> Mapping:
        """The open port as its users see it."""
        request, held = self.request, self.at_gateway or Held(0)
        return Mapping(
            request.protocol,
            request.internal_port,
            held.external_port,
            held.lifetime,
            held.external_ip,
            request.name,
            held.static,
            request.follow and self.ports_agree,
            request.host,
        )

    def granted(self, grant: Grant, address: Address | None, now: float, spread: float) -> "Lease":
        """The gateway said yes to what was asked at `now`.

        The renewal is at a random time between 1/2 and 5/8 of the granted lifetime (RFC 6887 §11.2.1), or of the
        requested one if more was granted. Permanent and static mappings are asked for again just as often, for routers
        forget those too.
        """
        asked = self.request.lifetime
        lifetime = 0 if grant.static else grant.lifetime
        term = min(asked, lifetime or asked)
        expires = now + lifetime if lifetime else inf
        return replace(
            self,
            attempt_at=now + max(term * (1 / 2 + spread / 8), MIN_RENEWAL),
            requested_port=grant.external_port,
            token=grant.token or self.token,
            checked_at=now,
            at_gateway=Held(grant.external_port, grant.external_ip or address, lifetime, expires, grant.static),
            trouble=NO_TROUBLE,
            doubt=NO_DOUBT,
            pair=self.pair._replace(companion_asked=False),
        )

    def failed(
        self,
        reason: str,
        now: float,
        spread: float,
        *,
        unsure: bool = False,
        retry_after: float = 0,
        kind: str = "",
    ) -> "Lease":
        """The gateway said no, or nothing (`unsure`). Back off, but never past the end of the lease.

        `retry_after`: for how many seconds the gateway says that it would answer the same. While the port is open this
        changes nothing: an answer that may be forged must not shut it. `kind`: the error's `errors.error_kind`.
        """
        delay = backoff(self.trouble.failures, RETRY_FIRST, MAX_RETRY) * (1 + spread / 4)
        if retry_after > delay:
            delay = min(retry_after, MAX_RETRY_AFTER)
        if self.held:
            delay = min(delay, max((self.expires - now) / TRIES_BEFORE_EXPIRY, MIN_RETRY))
        return replace(
            self,
            attempt_at=now + delay,
            trouble=Trouble(self.trouble.failures + 1, reason, kind),
            doubt=self.doubt._replace(may_be_held=self.doubt.may_be_held or unsure),
            pair=self.pair._replace(companion_asked=False),
        )

    def leading_to(self, client: IPv4Address) -> "Lease":
        """Its host has this address now."""
        return replace(self, client=client)

    def seen(self, now: float) -> "Lease":
        """The gateway listed it at `now`, when its table was read."""
        return replace(self, checked_at=now)

    def retry_now(self, now: float) -> "Lease":
        """The gateway may have forgotten the mapping: ask now, for the same port, with a fresh back-off."""
        pair = self.pair._replace(companion_asked=False, moves=0)
        return replace(self.ask_again(now), trouble=self.trouble._replace(failures=0), pair=pair)

    def granted_elsewhere(self, granted: "Lease") -> "Lease":
        """Granted, but on a port that we will not keep: remembered so that it can be deleted, and not announced."""
        return replace(
            self,
            requested_port=granted.external_port,
            target_port=granted.target_port,
            token=granted.token,
            doubt=self.doubt._replace(may_be_held=True),
        )

    def move_to(self, external_port: int, inner_port: int) -> "Lease":
        """The mapping was deleted, or its port is nominal: ask for it elsewhere, before anything else."""
        return replace(
            self,
            attempt_at=-inf,
            requested_port=external_port,
            target_port=inner_port,
            pair=self.pair._replace(companion_asked=True, moves=self.pair.moves + 1),
            doubt=Doubt(may_be_held=False, may_be_gone=not self.nominal),
            token=self.token if inner_port == self.target_port else "",
            second_choice=0 if external_port == self.second_choice else self.second_choice,
        )

    def suggested_port_is_due(self, now: float) -> bool:
        """Whether the wanted port is worth another try: another one was open, and may be gone."""
        was_open = self.pair.open_order and not self.held
        had = self.external_port if self.doubt.may_be_gone else self.requested_port if was_open else 0
        alone = not (self.request.paired or self.request.follow or self.static)
        return (
            alone
            and had not in (0, self.request.suggested_port)
            and now - self.suggested_tried_at >= SUGGESTED_INTERVAL
        )

    def back_to_suggested_port(self, now: float) -> "Lease":
        """The mapping was deleted: ask for the wanted port, and if that is still taken for the one that it had."""
        moved = self.move_to(self.request.suggested_port, self.target_port)
        return replace(moved, second_choice=self.external_port or self.requested_port, suggested_tried_at=now)

    def ask_again(self, now: float) -> "Lease":
        """The gateway may hold it no longer: ask for the same again."""
        pair = self.pair._replace(companion_asked=False)
        return replace(self, attempt_at=now, pair=pair, doubt=self.doubt._replace(may_be_gone=True))

    def keep_as_is(self, now: float) -> "Lease":
        """It could not be deleted, or no answer confirmed that: ask for it where it was, and move it no more."""
        return replace(self, attempt_at=now, pair=self.pair._replace(companion_asked=True, moves=MAX_MOVES))

    def open_anew(self, turn: int) -> "Lease":
        """It was deleted where it was: ask for it there, before anything else, as the `turn`th, and move it no more."""
        return self.keep_as_is(-inf).with_open_order(turn)

    def follow_companion(self, now: float) -> "Lease":
        """The companion was asked: ask for this one now, before that is asked again."""
        return replace(self, attempt_at=now, pair=self.pair._replace(companion_asked=True))

    def with_open_order(self, turn: int) -> "Lease":
        """The gateway may have opened it just now, as the `turn`th of all."""
        return replace(self, pair=self.pair._replace(open_order=turn))

    def expired(self, now: float) -> bool:
        """Whether the lease has run out."""
        return self.held and now >= self.expires

    def lost(self) -> "Lease":
        """The port is shut; the same one is asked for again."""
        return replace(self, at_gateway=None, doubt=self.doubt._replace(may_be_gone=False))
