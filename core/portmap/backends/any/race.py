"""A race between backends: all are asked for the external address at once, the first true answer wins.

Law: the race knows no backend by name; it is given doors (`Nat`), or the promise of them. It remembers who answered,
never who failed; the last good one of an earlier life is merely preferred.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from portmap.backends.any.candidates import Candidate, CandidateLoader
from portmap.backends.any.race_round import Answer, RaceRound
from portmap.backends.nat import Nat
from portmap.errors import NATError
from portmap.model import Address

LEAD = 0.03  # seconds that the last good one has to itself: it answers before the others are even loaded
PATIENCE = 3.0  # seconds until "no gateway": UPnP devices answer within MX 1 s, NAT-PMP within 3 tries


class Race:
    """One heat after another. `field` says who may take part, at the first heat; it may raise NoGateway instead."""

    def __init__(self, field: Callable[[], Iterable[Nat | Candidate]], patience: float = PATIENCE) -> None:
        self._make_field = field
        self._patience = patience
        self._runners: list[Candidate] | None = None
        self._hint = ""
        self._hinted = False
        self._loader = CandidateLoader(())
        self._heat = self._next_heat((), {})

    @property
    def candidates(self) -> list[Nat]:
        """Everybody who takes part, as far as loaded by now."""
        try:
            return [runner.nat for runner in self._begun() if runner.nat]
        except NATError:
            return []

    @property
    def evidence(self) -> tuple[str, ...]:
        """What became of everybody in the last heat until it was decided, for people."""
        return self._heat.evidence

    @property
    def refused_by(self) -> Nat | None:
        """Who refused in the last heat, where nobody did better."""
        return self._heat.refused_by

    def prefer(self, hint: str) -> None:
        """Prefer the runner whose name the hint begins with, if there is one, and give it the rest."""
        self._hint, self._hinted = hint, False

    def name_of(self, nat: Nat) -> str:
        """The name that a hint for it begins with."""
        return next(runner.name for runner in self._begun() if runner.nat is nat)

    def run(self) -> tuple[Nat, Answer]:
        """The first to answer, or who overtook it, and the answer: an address or NotYet.

        When nobody answers in time: raises Refused where somebody speaks and says no, else NoGateway, with everybody's
        reason.
        """
        self._heat = self._next_heat(self._begun(), self._heat.answers)
        self._loader.resume()
        try:
            return self._heat.run()
        finally:
            self._loader.pause()

    def runners_up(self, winner: Nat) -> list[Nat]:
        """The others who answered in the last heat; those still under way get the rest of its time.

        Those who were loaded after it was decided are asked now.
        """
        self._loader.resume()
        return [nat for nat in self._heat.all_answers() if nat is not winner]

    def _begun(self) -> list[Candidate]:
        if self._runners is None:
            self._runners = [it if isinstance(it, Candidate) else Candidate.of(it) for it in self._make_field()]
            lead = LEAD if any(map(self._is_favourite, self._runners)) else 0.0
            self._loader = CandidateLoader(sorted(self._runners, key=self._rank, reverse=True), lead)
        return self._runners

    def _next_heat(self, runners: Iterable[Candidate], earlier: Mapping[Candidate, Answer]) -> RaceRound:
        return RaceRound(runners, earlier, self._patience, self._ask, self._rank, self._rest)

    def _rest(self) -> None:
        self._loader.pause()

    def _rank(self, runner: Candidate) -> tuple[bool, int]:
        return self._is_favourite(runner), runner.rank

    def _is_favourite(self, runner: Candidate) -> bool:
        return f"{self._hint} ".startswith(f"{runner.name} ")

    def _ask(self, runner: Candidate, nat: Nat) -> "Future[Address]":
        hint = self._hint.removeprefix(runner.name).strip()
        if hint and not self._hinted and self._is_favourite(runner):
            self._hinted = True
            nat.take_hint(hint)
        return nat.start_external_ip()
