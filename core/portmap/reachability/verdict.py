"""One verdict on one port: open, closed or unknown, with what it stands on. Pure.

Rules:
- Open and closed are said only where something was seen; all else is unknown, with the reason.
- A connection from inside to the external address proves the router's rule. Its failure proves nothing.
- A responder's word counts only for the address that the port is mapped at.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from portmap.model import Address, Protocol, Scope, meaning_of, scope_of
from portmap.reachability.observations import Listens, Observations, Word


class Verdict(StrEnum):
    """Whether a port can be reached from outside."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Blame(StrEnum):
    """What closes a port, as far as it was seen."""

    HOST = "this host"
    ROUTER = "the router"
    PROVIDER = "the provider"
    ON_THE_WAY = "the provider, the router or this host's firewall"


@dataclass(frozen=True, slots=True)
class Reachability:
    """The verdict on one port.

    `how`: what proved it (open). `by`: what closes it (closed). `ms`: how long the proof took. `steps`: each probe and
    its outcome, in the order in which they were run. `host`: as in Observations.
    """

    protocol: Protocol
    internal_port: int
    external_port: int
    external_ip: Address | None
    verdict: Verdict
    reason: str
    how: str = ""
    by: str = ""
    ms: int | None = None
    steps: tuple[str, ...] = ()
    host: str = ""

    @property
    def open(self) -> bool:
        """Whether the port was proved to be reachable."""
        return self.verdict is Verdict.OPEN

    def to_dict(self) -> dict[str, object]:
        """The verdict as JSON-ready data; fields without a value are left out."""
        told: dict[str, object] = {
            "protocol": str(self.protocol),
            "internal_port": self.internal_port,
            "host": self.host,
            "external_port": self.external_port,
            "external_ip": None if self.external_ip is None else str(self.external_ip),
            "verdict": str(self.verdict),
            "how": self.how,
            "by": self.by,
            "reason": self.reason,
            "ms": self.ms,
            "steps": list(self.steps),
        }
        return {name: value for name, value in told.items() if value not in (None, "", [])}


def judge(seen: Observations) -> Reachability:
    """The verdict on what was seen."""
    return replace(_judged(seen), steps=steps_of(seen), host=seen.host)


def _judged(seen: Observations) -> Reachability:
    if seen.listens is Listens.LOOPBACK_ONLY:
        what = f"{_who(seen)} listens on a loopback address only: let it listen on 0.0.0.0 or on this host's address"
        return _closed(seen, Blame.HOST, what)
    if seen.leads_to and not _arrived_here(seen):
        place = f"{seen.protocol} port {seen.external_port}"
        return _closed(seen, Blame.ROUTER, f"by its table the router forwards {place} to {seen.leads_to}, not here")
    if seen.word is not None and not seen.word.error:
        return _by_responder(seen, seen.word)
    return _loop_or(seen, seen.word.error if seen.word is not None else "no responder outside was named")


def _by_responder(seen: Observations, word: Word) -> Reachability:
    if (mismatch := _wrong_address(seen, word)) is not None:
        return _unknown(seen, mismatch)
    if word.elsewhere:
        return _unknown(seen, _answered_elsewhere(seen))
    if word.reachable and seen.relayed and seen.listens is Listens.ELSEWHERE:
        return _closed(seen, Blame.HOST, _listens_elsewhere(seen))  # portmap's relay was reached, and no more
    if word.reachable:
        return _reached(seen, "a responder outside", word.ms)
    return _loop_or(seen, _not_heard(seen)) if word.reachable is None else _not_reached(seen)


def _loop_or(seen: Observations, reason: str) -> Reachability:
    """Open where the loop proves it, at a public address; else unknown for this reason."""
    scope = scope_of(seen.external_ip)
    if seen.hairpin is not None and seen.hairpin.proved:
        if scope is Scope.PUBLIC:
            return _reached(seen, "the router's loop", seen.hairpin.ms)
        return _unknown(seen, f"the router forwards it, but {seen.external_ip} is not public: {meaning_of(scope)}")
    if seen.external_ip is not None and scope is not Scope.PUBLIC:
        reason = f"{seen.external_ip} is not public: {meaning_of(scope)}; {reason}"
    if seen.listens is Listens.NO and seen.protocol is Protocol.TCP:
        return _closed(seen, Blame.HOST, _nothing_listens(seen))
    if seen.listens is Listens.ELSEWHERE:
        reason = f"{_listens_elsewhere(seen)}; {reason}"
    return _unknown(seen, reason)


def _reached(seen: Observations, how: str, ms: int) -> Reachability:
    """Something reached this host; open, unless no program is there to take a TCP connection."""
    if seen.listens is Listens.NO and not seen.we_listened:
        return _closed(seen, Blame.HOST, _nothing_listens(seen)) if seen.relayed else _unknown(seen, _answers(seen))
    if seen.listens is Listens.NO and seen.protocol is Protocol.TCP:
        what = f"{_nothing_listens(seen)}. The way is free: {how} reached a socket that portmap opened for the check"
        return replace(_closed(seen, Blame.HOST, what), ms=ms)
    extra = ""
    if seen.listens is Listens.NO:
        extra = "; no program listens yet, a socket of portmap received it"
    elif seen.target_unknown and not _arrived_here(seen):
        extra = f"; that {_who(seen)} here answered is not proved, as the gateway does not tell where the port leads"
    reason = f"reached by {how}{extra}"
    return _verdict(seen, Verdict.OPEN, reason, how=how, ms=ms)


def _not_reached(seen: Observations) -> Reachability:
    if seen.listens is Listens.NO and not seen.we_listened:
        return _closed(seen, Blame.HOST, _nothing_listens(seen))
    if seen.listens is Listens.ELSEWHERE:
        return _closed(seen, Blame.HOST, _listens_elsewhere(seen))
    if seen.hairpin is not None and seen.hairpin.proved:
        what = "the router forwards it, as a connection from inside proved, but nothing from outside arrives"
        return _closed(seen, Blame.PROVIDER, f"{what}: the provider or a second router filters it")
    what = "nothing from outside arrives: the provider filters it, the router does not forward it, or "
    what += f"nothing listens on {seen.host}" if seen.host else "a firewall on this host drops it"
    if seen.listens is Listens.NO:
        what += f"; and {_nothing_listens(seen)}"
    return _closed(seen, Blame.ON_THE_WAY, what)


def _arrived_here(seen: Observations) -> bool:
    """Whether a socket of this host received what was sent to the external port."""
    word = seen.word
    heard = word is not None and word.reachable is True and seen.we_listened and not word.elsewhere
    return heard or (seen.hairpin is not None and seen.hairpin.proved)


def _answered_elsewhere(seen: Observations) -> str:
    return _answers(seen, "it was not this host, where portmap listened")


def _answers(seen: Observations, but: str = "no program is seen to listen on this host") -> str:
    place = f"{seen.protocol} port {seen.external_port}"
    return (
        f"something answers at {place}, but {but}: the router forwards the port "
        "to another host or answers itself, or a container took the connection"
    )


def _wrong_address(seen: Observations, word: Word) -> str | None:
    """Why the responder's word is about another address than that of the mapping; None where it is not."""
    ours, its = seen.external_ip, word.address
    if ours is None or its is None or ours == its:
        return None
    if ours.version != its.version:
        return f"the responder sees this host at {its}, but the port is at {ours}: nothing was proved"
    if scope_of(ours) is not Scope.PUBLIC:
        return None  # a second NAT: the responder sees the outermost address, which is the one that matters
    return (
        f"the responder sees this host at {its}, but the gateway maps at {ours}: "
        "the traffic leaves by another way (a VPN?), so nothing was proved"
    )


def _not_heard(seen: Observations) -> str:
    if seen.listens is Listens.ELSEWHERE:
        return "a datagram was sent to the port"
    return f"a datagram was sent to the port; only {_who(seen)} can hear it, and portmap cannot see whether it did"


def _who(seen: Observations) -> str:
    return seen.program or "the program on this port"


def _nothing_listens(seen: Observations) -> str:
    return f"nothing listens on {seen.protocol} port {seen.internal_port} here: start the program, then check again"


def _listens_elsewhere(seen: Observations) -> str:
    addresses = ", ".join(map(str, seen.listens_at))
    version = 4 if seen.external_ip is None else seen.external_ip.version
    target = seen.client or f"an IPv{version} address"
    return f"{_who(seen)} listens on {addresses} only, but the port leads to {target}: let it listen there, too"


def _closed(seen: Observations, by: Blame, reason: str) -> Reachability:
    return _verdict(seen, Verdict.CLOSED, reason, by=str(by))


def _unknown(seen: Observations, reason: str) -> Reachability:
    return _verdict(seen, Verdict.UNKNOWN, reason)


def _verdict(
    seen: Observations, verdict: Verdict, reason: str, *, how: str = "", by: str = "", ms: int | None = None
) -> Reachability:
    address = seen.word.address if seen.word is not None and scope_of(seen.external_ip) is not Scope.PUBLIC else None
    return Reachability(
        seen.protocol,
        seen.internal_port,
        seen.external_port,
        address or seen.external_ip,
        verdict,
        reason,
        how,
        by,
        ms,
    )


def steps_of(seen: Observations) -> tuple[str, ...]:
    """Each probe and its outcome, one line each, in the order in which they were run."""
    steps = [_listening_step(seen)]
    if seen.gateway_error:
        steps.append(f"gateway: {seen.gateway_error}")
    if seen.hairpin is not None:
        loop = f"yes, {seen.hairpin.ms} ms" if seen.hairpin.proved else f"not proved: {seen.hairpin.detail}"
        steps.append(f"from inside through the router: {loop}")
    if seen.word is not None:
        steps.append(f"from outside: {_word_step(seen.word)}")
    return tuple(steps)


def _listening_step(seen: Observations) -> str:
    if seen.host:
        return f"listens on {seen.host}: that cannot be seen from here"
    match seen.listens:
        case Listens.YES:
            return f"listens here: {seen.program or 'yes'}"
        case Listens.NO:
            return "listens here: no" + (", so portmap listened for the check" if seen.we_listened else "")
        case Listens.LOOPBACK_ONLY | Listens.ELSEWHERE:
            return f"listens here: {seen.program or 'yes'}, {seen.listens}"
    return "listens here: this system does not tell"


def _word_step(word: Word) -> str:
    if word.error:
        return f"not measured: {word.error}"
    if word.elsewhere:
        return "something answers, but not this host"
    if word.reachable:
        return f"yes, {word.ms} ms"
    return "no" if word.reachable is False else "sent, cannot be heard"
