"""The shape of a row: one switch, or one event, and what is promised of each backend that meets it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.matrix.outcomes import SUGGESTED_PORT, NotApplicable, Outcome

from portmap.testing import Router

ALL = frozenset({"pmp", "pcp", "upnp"})
UPNP_ONLY, NAT_PMP_ONLY, PCP_ONLY = frozenset({"upnp"}), frozenset({"pmp"}), frozenset({"pcp"})
ONE_PORT = ALL - UPNP_ONLY  # NAT-PMP and PCP, which share a port
NO_IPV6 = NotApplicable("it is nothing of IPv6")

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
    """What is promised of whom: `any` and a chain last of those that map ports, then those that open IPv6 pinholes.

    A chain does as its outer router's backend, `upnp_given`, unless `chain` says otherwise.
    `suggested_port`: the external port that is asked for, 0: any. `story`: the loop is run; without one, each hook is
    called once. `speaks`: of what its column's router speaks, this much.
    """

    pmp: Outcome
    pmp_given: Outcome
    pcp: Outcome
    pcp_given: Outcome
    upnp: Outcome
    igd2: Outcome
    upnp_given: Outcome
    any: Outcome
    pcp6: Outcome = NO_IPV6
    upnp6: Outcome = NO_IPV6
    chain: Outcome | None = None
    suggested_port: int = SUGGESTED_PORT
    story: Story | None = None
    speaks: frozenset[str] = ALL

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """In the order of the columns."""
        mappings = self.pmp, self.pmp_given, self.pcp, self.pcp_given, self.upnp, self.igd2, self.upnp_given, self.any
        return (*mappings, self.chain or self.upnp_given, self.pcp6, self.upnp6)


def for_all(
    outcome: Outcome,
    *,
    pmp: Outcome | None = None,
    pmp_given: Outcome | None = None,
    pcp: Outcome | None = None,
    pcp_given: Outcome | None = None,
    upnp: Outcome | None = None,
    igd2: Outcome | None = None,
    upnp_given: Outcome | None = None,
    any: Outcome | None = None,  # noqa: A002  # the backend's name
    pcp6: Outcome | None = None,
    upnp6: Outcome | None = None,
    suggested_port: int = SUGGESTED_PORT,
    story: Story | None = None,
) -> Row:
    """A quirk that all may meet: the outcome, and who is an exception to it. One that was given its gateway does as
    one that found it, and IGD:2 as IGD:1.
    """
    pmp, pcp, upnp = pmp or outcome, pcp or outcome, upnp or outcome
    found = (pmp, pmp_given or pmp, pcp, pcp_given or pcp, upnp, igd2 or upnp, upnp_given or upnp, any or outcome)
    return Row(*found, pcp6 or outcome, upnp6 or outcome, suggested_port=suggested_port, story=story)


def translated(outcome: Outcome, **others: Any) -> Row:
    """A quirk of translation, as `for_all` has it: pinholes are not concerned."""
    return for_all(outcome, pcp6=NO_IPV6, upnp6=NO_IPV6, **others)


def mapping_protocol(
    pmp: Outcome,
    *,
    pcp: Outcome,
    any: Outcome,  # noqa: A002  # the backend's name
    pcp6: Outcome = NO_IPV6,
    suggested_port: int = SUGGESTED_PORT,
    story: Story | None = None,
    speaks: frozenset[str] = ALL,
) -> Row:
    """A quirk of NAT-PMP or PCP; `any` meets it at a router that speaks UPnP, too."""
    no = NotApplicable("it speaks neither NAT-PMP nor PCP")
    return Row(pmp, pmp, pcp, pcp, no, no, no, any, pcp6, suggested_port=suggested_port, story=story, speaks=speaks)


def pcp(
    pcp: Outcome,
    *,
    any: Outcome,  # noqa: A002  # the backend's name
    pcp6: Outcome | None = None,
    story: Story | None = None,
    speaks: frozenset[str] = ALL,
) -> Row:
    """A quirk of PCP; `any` meets it at a router that speaks all."""
    no = NotApplicable("it speaks no PCP")
    return Row(no, no, pcp, pcp, no, no, no, any, pcp6 or pcp, story=story, speaks=speaks)


def upnp(
    found: Outcome,
    *,
    igd2: Outcome | None = None,
    given: Outcome | None = None,
    upnp6: Outcome | None = None,
    chain: Outcome | None = None,
    suggested_port: int = SUGGESTED_PORT,
    story: Story | None = None,
) -> Row:
    """A quirk of UPnP; `any` meets it at a router that speaks nothing else."""
    no = NotApplicable("it speaks no UPnP")
    igd = found, igd2 or found, given or found
    return Row(no, no, no, no, *igd, found, no, upnp6 or found, chain, suggested_port, story, UPNP_ONLY)


def forwarding(found: Outcome, **others: Any) -> Row:
    """A quirk of UPnP's port forwarding, as `upnp` has it: pinholes are not concerned."""
    return upnp(found, upnp6=NO_IPV6, **others)
