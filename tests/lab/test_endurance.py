"""Holding on: a 20 s lease, held for a minute."""

import pytest
from tests.lab.endurance import PORTS, UNATTENDED, Endurance

pytestmark = pytest.mark.timeout(120)  # a real minute, most of it spent while the other tests ran


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
@pytest.mark.parametrize("spec", PORTS)
def test_a_20_s_lease_is_held_for_a_minute_without_a_missing_moment(
    endurance: Endurance, spec: str, protocol: str
) -> None:
    endurance.wait()
    vigil = endurance.vigils[spec, protocol]
    assert not vigil.missed, f"{len(vigil.missed)} of {vigil.knocks} missed\n{endurance.commands[spec].story()}"
    assert vigil.knocks > 300


def test_a_lease_that_nobody_renews_is_gone_within_the_minute(endurance: Endurance) -> None:
    endurance.wait()
    assert UNATTENDED not in [entry.external_port for entry in endurance.lab.router.mappings()]


@pytest.mark.parametrize("spec", PORTS)
def test_holding_is_quiet_renewals_and_nothing_else(endurance: Endurance, spec: str) -> None:
    endurance.wait()
    told = {event["event"] for event in endurance.commands[spec].events}
    assert "mapping.renewed" in told
    assert not told & {"mapping.lost", "mapping.failed", "mapping.changed", "gateway.lost", "gateway.rebooted"}
