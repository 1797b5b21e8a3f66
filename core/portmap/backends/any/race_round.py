"""One round of a race: all candidates are asked, one is picked, and it is recorded why the others lost.

Rules:
- A candidate that is preferred to the first to answer has GRACE to overtake it.
- A gateway that neither a default route nor the user names wins only if no other answers within UNVERIFIED_GRACE, and
  none refuses.
- A candidate that is still under way from an earlier round is not asked again. One that is loaded after the decision
  is asked only if runners-up are wanted.
- All of it happens on one thread; the others only put messages.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from typing import NamedTuple, TypeAlias

from portmap.backends.any.candidates import Candidate
from portmap.backends.nat import Nat
from portmap.errors import (
    GatewayTimeout,
    NATError,
    NoGateway,
    NoPublicAddress,
    NotYet,
    PluginError,
    PortmapError,
    Refused,
    SpecError,
    UnverifiedGateway,
)
from portmap.model import Address
from portmap.syntax.plugin_specs import shown_spec

STAGGER = 0.01  # seconds; a gateway on the same link needs 5 ms for an answer by UDP
GRACE = 0.015  # seconds in which a preferred candidate may overtake: less than a user notices
UNVERIFIED_GRACE = 1.0  # seconds in which any other may: NAT-PMP sends three times, UPnP devices answer within MX 1 s

Answer: TypeAlias = "Future[Address]"
Ask: TypeAlias = Callable[[Candidate, Nat], Answer]
Rank: TypeAlias = Callable[[Candidate], tuple[bool, int]]

_BUSY = "has not come back from an earlier call"
_log = logging.getLogger("portmap.race")


class _Loaded(NamedTuple):
    """A candidate is loaded, or its loading has failed."""

    candidate: Candidate


class _Answered(NamedTuple):
    """A candidate has answered; `at` in seconds of the monotonic clock."""

    candidate: Candidate
    answer: Answer
    at: float


class RaceRound:
    """Made when it begins. `earlier`: the answers of the round before; `timeout`: seconds until the decision.

    `ask` asks a candidate without waiting; the higher of two by `rank` is preferred; `answered` is called as soon as
    one has answered.
    """

    def __init__(
        self,
        candidates: Iterable[Candidate],
        earlier: Mapping[Candidate, Answer],
        timeout: float,
        ask: Ask,
        rank: Rank,
        answered: Callable[[], None],
    ) -> None:
        self.answers: dict[Candidate, Answer] = {}
        self.evidence: tuple[str, ...] = ()
        self.refused_by: tuple[Nat, ...] = ()
        self._candidates = sorted(candidates, key=rank, reverse=True)
        self._under_way = {candidate: answer for candidate, answer in earlier.items() if not answer.done()}
        self._timeout = timeout
        self._began = time.monotonic()
        self._end = self._began + timeout
        self._ask = ask
        self._rank = rank
        self._answered = answered
        self._messages: SimpleQueue[_Loaded | _Answered] = SimpleQueue()
        self._pending = set(self._candidates)  # no answer yet, and no failure
        self._unasked: list[Candidate] = []  # loaded, but not asked yet
        self._first_ask = inf
        self._answered_at: dict[Candidate, float] = {}
        self._failures: dict[Candidate, PortmapError] = {}

    def run(self) -> tuple[Nat, Answer]:
        """The winner and its answer: an address, or NotYet from a gateway that states it with a mapping only.

        When the time is over: raises Refused where a gateway spoke and said no, else NoGateway, with all reasons.
        """
        for candidate in self._candidates:
            candidate.loaded.add_done_callback(partial(self._put_loaded, candidate))
        best = self._best()
        self.evidence = tuple(self._facts(best))
        if best is None or (self._is_unverified(best) and self._refusals()):
            raise self._failure()
        return _nat(best), self.answers[best]

    def all_answers(self) -> list[Nat]:
        """All that answered. Those under way get the rest of the time, those not asked yet a time of their own."""
        late = [it for it in self._candidates if it not in self.answers and it not in self._failures]
        until = self._end if all(it.loaded.done() for it in late) else time.monotonic() + self._timeout
        for candidate in late:
            wait((candidate.loaded,), max(0.0, until - time.monotonic()))
            if candidate.loaded.done() and self._ask_now(candidate):
                until = time.monotonic() + self._timeout
        wait(self.answers.values(), max(0.0, until - time.monotonic()))
        return [_nat(candidate) for candidate, answer in self.answers.items() if _is_good(answer)]

    # Deciding -------------------------------------------------------------------------------------------------

    def _best(self) -> Candidate | None:
        best: Candidate | None = None
        while self._pending and not self._is_decided(best):
            self._ask_staggered()
            until = self._decision_due(best)
            try:
                message = self._messages.get(timeout=max(0.0, min(until, self._next_ask) - time.monotonic()))
            except Empty:
                if time.monotonic() >= until:
                    break
                continue
            best = self._handle(message, best)
        return best

    def _handle(self, message: _Loaded | _Answered, best: Candidate | None) -> Candidate | None:
        """The best candidate with this message."""
        match message:
            case _Loaded(candidate):
                self._unasked.append(candidate)
            case _Answered(candidate, answer, at):
                self._pending.discard(candidate)
                if self._record_answer(candidate, answer, at):
                    self._answered()
                    return max(best or candidate, candidate, key=self._merit)
        return best

    def _is_decided(self, best: Candidate | None) -> bool:
        """Whether no candidate can overtake the best one any more."""
        return best is not None and not any(
            other.is_pending or self._is_unverified(best) or self._rank(other) > self._rank(best)
            for other in self._pending
        )

    def _decision_due(self, best: Candidate | None) -> float:
        """When it is decided at the latest."""
        if best is None:
            return self._end
        if self._is_unverified(best):
            return min(self._end, self._answered_at[best] + UNVERIFIED_GRACE)
        first = min(at for candidate, at in self._answered_at.items() if not self._is_unverified(candidate))
        return min(self._end, first + GRACE)

    def _merit(self, candidate: Candidate) -> tuple[bool, tuple[bool, int]]:
        return not self._is_unverified(candidate), self._rank(candidate)

    def _is_unverified(self, candidate: Candidate) -> bool:
        return isinstance(self.answers[candidate].exception(), UnverifiedGateway)

    # Asking ---------------------------------------------------------------------------------------------------

    @property
    def _next_ask(self) -> float:
        """When those that have to wait are asked at the latest."""
        return self._first_ask + STAGGER if self._unasked else inf

    def _ask_staggered(self) -> None:
        """Ask all loaded candidates, best first.

        Wait STAGGER before asking a less preferred one: small routers serve one request at a time.
        """
        for candidate in sorted(self._unasked, key=self._rank, reverse=True):
            preferred = any(self._rank(it) > self._rank(candidate) for it in self._pending if it in self.answers)
            if preferred and time.monotonic() < self._next_ask:
                break
            self._unasked.remove(candidate)
            if not self._ask_now(candidate):
                self._pending.discard(candidate)

    def _ask_now(self, candidate: Candidate) -> bool:
        """Ask a candidate that is loaded; whether there is an answer to come."""
        if error := candidate.loaded.exception():
            self._record_failure(candidate, error)
            return False
        nat = candidate.nat
        if nat is None:
            return False
        answer = self._under_way.get(candidate)
        if answer is None and nat.busy:
            self._record_failure(candidate, GatewayTimeout(_BUSY))
            return False
        self._first_ask = min(self._first_ask, time.monotonic())
        self.answers[candidate] = answer = answer or self._ask(candidate, nat)
        answer.add_done_callback(partial(self._put_answer, candidate))
        return True

    # On any thread --------------------------------------------------------------------------------------------

    def _put_loaded(self, candidate: Candidate, _: "Future[Nat | None]") -> None:
        self._messages.put(_Loaded(candidate))

    def _put_answer(self, candidate: Candidate, answer: Answer) -> None:
        self._messages.put(_Answered(candidate, answer, time.monotonic()))

    # Recording ------------------------------------------------------------------------------------------------

    def _record_answer(self, candidate: Candidate, answer: Answer, at: float) -> bool:
        """Whether its answer is a good one."""
        error = answer.exception()
        if error is not None and not isinstance(error, NotYet):
            self._record_failure(candidate, error)
            return False
        self._answered_at[candidate] = at
        return True

    def _record_failure(self, candidate: Candidate, error: BaseException) -> None:
        if not isinstance(error, NATError | PluginError | SpecError):
            raise error
        _log.debug("%s is out: %s", shown_spec(candidate.name), error)
        self._failures[candidate] = error

    # Telling --------------------------------------------------------------------------------------------------

    def _facts(self, best: Candidate | None) -> Iterator[str]:
        winner_first = sorted(self._candidates, key=lambda candidate: candidate is not best)
        yield from filter(None, (self._fact(candidate, " had not answered by then") for candidate in winner_first))
        if unasked := [it.name for it in self._candidates if not it.is_loading and not it.loaded.done()]:
            yield f"not asked any more: {', '.join(unasked)}"

    def _fact(self, candidate: Candidate, silence: str) -> str:
        """What became of it until the decision, for people; empty for a candidate that takes no part."""
        error = self._failures.get(candidate)
        if not candidate.loaded.done():
            return f"{candidate.name} was not loaded by then" if candidate.is_loading else ""
        if candidate.nat is None:
            return str(error) if isinstance(error, PluginError) else ""
        if candidate in self._answered_at:
            took = round((self._answered_at[candidate] - self._began) * 1000)
            but = ", but no default route names it" if self._is_unverified(candidate) else ""
            return f"{candidate.nat} answered in {took} ms{but}"
        return f"{candidate.nat}: {error}" if error else f"{candidate.nat}{silence}"

    def _refusals(self) -> list[Candidate]:
        """The candidates that refused: gateways without a public address first, for those say most."""
        refused = [it for it in self._candidates if isinstance(self._failures.get(it), Refused)]
        return sorted(refused, key=lambda it: not isinstance(self._failures[it], NoPublicAddress))

    def _failure(self) -> PortmapError:
        if refused := self._refusals():
            self.refused_by = tuple(map(_nat, refused))
            return self._failures[refused[0]]
        silence = f": did not answer within {self._timeout:g} s"
        told = "; ".join(filter(None, (self._fact(candidate, silence) for candidate in self._candidates)))
        return NoGateway(f"no gateway answered ({told or 'no backend is installed'})")


def _nat(candidate: Candidate) -> Nat:
    """The backend of a candidate that was asked."""
    nat = candidate.loaded.result()
    assert nat is not None  # noqa: S101  # a candidate that takes no part is never asked
    return nat


def _is_good(answer: Answer) -> bool:
    return answer.done() and isinstance(answer.exception(), NotYet | None)
