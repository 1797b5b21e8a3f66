"""Race: asks all candidates for the external address at once; the first good answer wins.

It knows no backend by name. It remembers which candidate answered, never which failed; the last good one of an earlier
session is merely preferred.
"""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future

from portmap.backends.any.candidates import Candidate, CandidateLoader
from portmap.backends.any.race_round import Answer, RaceRound
from portmap.backends.nat import Nat
from portmap.errors import NATError
from portmap.model import Address

LEAD = 0.012  # seconds that the first one has to itself: a gateway on the same link needs 5 ms for an answer by UDP
FAVOURITE_LEAD = 0.03  # seconds that the last good one has: it answers before the others are even loaded
TIMEOUT = 3.0  # seconds until "no gateway": UPnP devices answer within MX 1 s, NAT-PMP within 3 tries


class Race:
    """One round after another. `candidates` is called at the first round; it may raise NoGateway instead."""

    def __init__(self, candidates: Callable[[], Iterable[Nat | Candidate]], timeout: float = TIMEOUT) -> None:
        self._make_candidates = candidates
        self._timeout = timeout
        self._candidates: list[Candidate] | None = None
        self._hint = ""
        self._hinted = False
        self._loader = CandidateLoader(())
        self._round = self._next_round((), {})

    @property
    def candidates(self) -> list[Nat]:
        """All candidates, as far as loaded by now."""
        try:
            return [candidate.nat for candidate in self._made() if candidate.nat]
        except NATError:
            return []

    @property
    def evidence(self) -> tuple[str, ...]:
        """What became of each candidate in the last round until it was decided, for people."""
        return self._round.evidence

    @property
    def refused_by(self) -> tuple[Nat, ...]:
        """The backends that refused, where that was the outcome of the last round; the one whose error it was first."""
        return self._round.refused_by

    def prefer(self, hint: str) -> None:
        """Prefer the candidate whose name the hint begins with, if there is one, and give it the rest."""
        self._hint, self._hinted = hint, False

    def name_of(self, nat: Nat) -> str:
        """The name that a hint for it begins with."""
        return next(candidate.name for candidate in self._made() if candidate.nat is nat)

    def run(self) -> tuple[Nat, Answer]:
        """The first to answer, or one that overtook it, and the answer: an address or NotYet.

        When none answers in time: raises Refused where a gateway spoke and said no, else NoGateway, with all reasons.
        """
        self._round = self._next_round(self._made(), self._round.answers)
        self._loader.resume()
        try:
            return self._round.run()
        finally:
            self._loader.pause()

    def runners_up(self, winner: Nat) -> list[Nat]:
        """The others that answered in the last round; those still under way get the rest of its time.

        Those that were loaded after it was decided are asked now.
        """
        self._loader.resume()
        return [nat for nat in self._round.all_answers() if nat is not winner]

    def _made(self) -> list[Candidate]:
        if self._candidates is None:
            made = self._make_candidates()
            self._candidates = [it if isinstance(it, Candidate) else Candidate.of(it) for it in made]
            lead = FAVOURITE_LEAD if any(map(self._is_favourite, self._candidates)) else LEAD
            self._loader = CandidateLoader(sorted(self._candidates, key=self._rank, reverse=True), lead)
        return self._candidates

    def _next_round(self, candidates: Iterable[Candidate], earlier: Mapping[Candidate, Answer]) -> RaceRound:
        return RaceRound(candidates, earlier, self._timeout, self._ask, self._rank, self._pause_loading)

    def _pause_loading(self) -> None:
        self._loader.pause()

    def _rank(self, candidate: Candidate) -> tuple[bool, int]:
        return self._is_favourite(candidate), candidate.rank

    def _is_favourite(self, candidate: Candidate) -> bool:
        return f"{self._hint} ".startswith(f"{candidate.name} ")

    def _ask(self, candidate: Candidate, nat: Nat) -> "Future[Address]":
        hint = self._hint.removeprefix(candidate.name).strip()
        if hint and not self._hinted and self._is_favourite(candidate):
            self._hinted = True
            nat.take_hint(hint)
        return nat.start_external_ip()
