"""One heat of a race: everybody is asked, the first true answer wins, and then it is told what became of the others.

Law: whoever is preferred to the first to answer gets a moment to overtake, never more. Who is still under way from an
earlier heat is not asked again; who is loaded after the verdict is asked only if runners-up are wanted. All of it
happens on one thread; the others only leave news.
"""

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, wait
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias

from portmap.backends.any.candidates import Candidate
from portmap.backends.nat import Nat
from portmap.errors import GatewayTimeout, NATError, NoGateway, NotYet, PluginError, PortmapError, Refused, SpecError
from portmap.model import Address

STAGGER = 0.01  # seconds; a gateway next door needs 5 for an answer by UDP
GRACE = 0.015  # seconds in which a preferred one may overtake: less than anybody notices

Answer: TypeAlias = "Future[Address]"
Ask: TypeAlias = Callable[[Candidate, Nat], Answer]
Rank: TypeAlias = Callable[[Candidate], tuple[bool, int]]

_BUSY = "has not come back from an earlier call"
_log = logging.getLogger("portmap.race")


class RaceRound:
    """Made when it begins. `earlier`: the answers of the heat before; `patience`: seconds until the verdict.

    `ask` asks a runner without waiting; the higher of two by `rank` is preferred; `answered` is called as soon as
    somebody has.
    """

    def __init__(
        self,
        runners: Iterable[Candidate],
        earlier: Mapping[Candidate, Answer],
        patience: float,
        ask: Ask,
        rank: Rank,
        answered: Callable[[], None],
    ) -> None:
        self.answers: dict[Candidate, Answer] = {}
        self.evidence: tuple[str, ...] = ()
        self.refuser: Nat | None = None
        self._runners = sorted(runners, key=rank, reverse=True)
        self._under_way = {runner: answer for runner, answer in earlier.items() if not answer.done()}
        self._patience = patience
        self._began = time.monotonic()
        self._deadline = self._began + patience
        self._ask = ask
        self._rank = rank
        self._answered = answered
        self._news: SimpleQueue[tuple[Candidate, Answer | None, float]] = SimpleQueue()  # no answer: it is loaded
        self._loaded: list[Candidate] = []  # and not asked yet
        self._first_ask = inf
        self._answered_at: dict[Candidate, float] = {}
        self._failures: dict[Candidate, PortmapError] = {}

    def run(self) -> tuple[Nat, Answer]:
        """The winner and its answer: an address, or NotYet from one who states it with a mapping only.

        When time is up: raises Refused where somebody spoke and said no, else NoGateway, with everybody's reason.
        """
        for runner in self._runners:
            runner.loaded.add_done_callback(partial(self._tell, runner, None))
        best = self._best()
        self.evidence = tuple(self._facts(best))
        if best is None:
            raise self._failure()
        return _nat(best), self.answers[best]

    def all_answers(self) -> list[Nat]:
        """Those still under way get the rest of the heat's time, those who were not asked yet a time of their own."""
        late = [runner for runner in self._runners if runner not in self.answers and runner not in self._failures]
        until = self._deadline if all(runner.loaded.done() for runner in late) else time.monotonic() + self._patience
        for runner in late:
            wait((runner.loaded,), max(0.0, until - time.monotonic()))
            if runner.loaded.done() and self._ask_now(runner):
                until = time.monotonic() + self._patience
        wait(self.answers.values(), max(0.0, until - time.monotonic()))
        return [_nat(runner) for runner, answer in self.answers.items() if _is_good(answer)]

    def _best(self) -> Candidate | None:
        still_out = set(self._runners)
        best: Candidate | None = None
        until = self._deadline
        while still_out:
            self._ask_staggered(still_out)
            try:
                runner, answer, at = self._news.get(timeout=max(0.0, min(until, self._next_ask) - time.monotonic()))
            except Empty:
                if time.monotonic() >= until:
                    break
                continue
            if answer is None:
                self._loaded.append(runner)
                continue
            still_out.discard(runner)
            if self._record_answer(runner, answer, at):
                self._answered()
                best = max(best or runner, runner, key=self._rank)
                until = min(until, at + GRACE)
            if best and not any(self._may_overtake(other, best) for other in still_out):
                break
        return best

    @property
    def _next_ask(self) -> float:
        """When those who have to wait are asked at the latest."""
        return self._first_ask + STAGGER if self._loaded else inf

    def _ask_staggered(self, still_out: set[Candidate]) -> None:
        """Ask everybody who is loaded, but one who is less preferred than somebody just asked a moment later: a small
        router serves us one by one.
        """
        for runner in sorted(self._loaded, key=self._rank, reverse=True):
            preferred = any(self._rank(it) > self._rank(runner) for it in still_out if it in self.answers)
            if preferred and time.monotonic() < self._next_ask:
                break
            self._loaded.remove(runner)
            if not self._ask_now(runner):
                still_out.discard(runner)

    def _may_overtake(self, other: Candidate, best: Candidate) -> bool:
        return other.is_pending or self._rank(other) > self._rank(best)

    def _ask_now(self, runner: Candidate) -> bool:
        """Ask who is loaded now; whether there is an answer to come."""
        if error := runner.loaded.exception():
            self._record_failure(runner, error)
            return False
        nat = runner.nat
        if nat is None:
            return False
        answer = self._under_way.get(runner)
        if answer is None and nat.busy:
            self._record_failure(runner, GatewayTimeout(_BUSY))
            return False
        self._first_ask = min(self._first_ask, time.monotonic())
        self.answers[runner] = answer = answer or self._ask(runner, nat)
        answer.add_done_callback(partial(self._tell, runner))
        return True

    def _record_answer(self, runner: Candidate, answer: Answer, at: float) -> bool:
        """Whether its answer is a true one."""
        error = answer.exception()
        if error is not None and not isinstance(error, NotYet):
            self._record_failure(runner, error)
            return False
        self._answered_at[runner] = at
        return True

    def _record_failure(self, runner: Candidate, error: BaseException) -> None:
        if not isinstance(error, NATError | PluginError | SpecError):
            raise error
        _log.debug("%s is out: %s", runner.name, error)
        self._failures[runner] = error

    def _tell(self, runner: Candidate, answer: Any, *_: object) -> None:
        """From any thread. `answer` None: it is loaded."""
        self._news.put((runner, answer, time.monotonic()))

    def _facts(self, best: Candidate | None) -> Iterator[str]:
        winner_first = sorted(self._runners, key=lambda runner: runner is not best)
        yield from filter(None, (self._told(runner, " had not answered by then") for runner in winner_first))
        if unasked := [runner.name for runner in self._runners if not runner.is_loading and not runner.loaded.done()]:
            yield f"not asked any more: {', '.join(unasked)}"

    def _told(self, runner: Candidate, silence: str) -> str:
        """What became of it until the verdict, for people; empty for who takes no part."""
        error = self._failures.get(runner)
        if not runner.loaded.done():
            return f"{runner.name} was not loaded by then" if runner.is_loading else ""
        if runner.nat is None:
            return str(error) if isinstance(error, PluginError) else ""
        if runner in self._answered_at:
            return f"{runner.nat} answered in {(self._answered_at[runner] - self._began) * 1000:.0f} ms"
        return f"{runner.nat}: {error}" if error else f"{runner.nat}{silence}"

    def _failure(self) -> NATError:
        for runner in sorted(self._runners, key=self._rank, reverse=True):
            error = self._failures.get(runner)
            if isinstance(error, Refused):
                self.refuser = runner.nat
                return error
        silence = f": did not answer within {self._patience:g} s"
        told = "; ".join(filter(None, (self._told(runner, silence) for runner in self._runners)))
        return NoGateway(f"no gateway answered ({told or 'no backend is installed'})")


def _nat(runner: Candidate) -> Nat:
    """The door of one who has answered."""
    nat = runner.loaded.result()
    assert nat is not None  # noqa: S101  # who takes no part is never asked
    return nat


def _is_good(answer: Answer) -> bool:
    return answer.done() and isinstance(answer.exception(), NotYet | None)
