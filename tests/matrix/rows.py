"""The shape of a row: one switch, or one event, and what is promised of each backend that meets it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from tests.matrix.outcomes import WISH, NotApplicable, Outcome

from portmap.testing import Router

Happening: TypeAlias = tuple[float, Callable[[Router], object]]
"""(second of the story, what is done to the router)."""


@dataclass(frozen=True, slots=True)
class Story:
    """Time for the core loop: how long, in seconds, the lifetime it asks for, and what happens meanwhile."""

    span: float = 130.0
    lease: int = 60
    ip_interval: float = 20.0
    happenings: tuple[Happening, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """What is promised of whom. `wish`: the external port that is asked for, 0: you choose.

    `story`: the loop is run; without one, each hook is called once. `upnp_only`: the router that `any` meets speaks
    nothing else.
    """

    pmp: Outcome
    pmp_given: Outcome
    upnp: Outcome
    igd2: Outcome
    upnp_given: Outcome
    any: Outcome
    wish: int = WISH
    story: Story | None = None
    upnp_only: bool = False

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """In the order of the columns."""
        return self.pmp, self.pmp_given, self.upnp, self.igd2, self.upnp_given, self.any


def everybody(
    outcome: Outcome,
    *,
    pmp: Outcome | None = None,
    pmp_given: Outcome | None = None,
    upnp: Outcome | None = None,
    igd2: Outcome | None = None,
    upnp_given: Outcome | None = None,
    any: Outcome | None = None,  # noqa: A002  # the backend's name
    wish: int = WISH,
    story: Story | None = None,
) -> Row:
    """A quirk that all may meet: the outcome, and who is an exception to it. One that was given its gateway does as
    one that found it, and IGD:2 as IGD:1.
    """
    pmp, upnp = pmp or outcome, upnp or outcome
    return Row(pmp, pmp_given or pmp, upnp, igd2 or upnp, upnp_given or upnp, any or outcome, wish=wish, story=story)


def mapping_protocol(pmp: Outcome, *, any: Outcome, wish: int = WISH) -> Row:  # noqa: A002  # the backend's name
    """A quirk of NAT-PMP; `any` meets it at a router that speaks UPnP, too."""
    no = NotApplicable("it speaks no NAT-PMP")
    return Row(pmp, pmp, no, no, no, any, wish=wish)


def pcp() -> Row:
    """A quirk of PCP."""
    no = NotApplicable("it speaks no PCP")
    return Row(no, no, no, no, no, no)


def upnp(
    found: Outcome,
    *,
    igd2: Outcome | None = None,
    given: Outcome | None = None,
    wish: int = WISH,
    story: Story | None = None,
) -> Row:
    """A quirk of UPnP; `any` meets it at a router that speaks nothing else."""
    no = NotApplicable("it speaks no UPnP")
    return Row(no, no, found, igd2 or found, given or found, found, wish=wish, story=story, upnp_only=True)
