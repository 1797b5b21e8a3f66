"""`--on-conflict fail`: another external port than the one asked for is given back, until that one is free."""

import pytest
from tests.lab.command import Portmap
from tests.lab.lab import Lab

SPECS = ("pmp", "upnp", "any")


@pytest.mark.parametrize("spec", SPECS)
def test_another_port_is_no_answer_where_only_this_one_will_do(lab: Lab, spec: str) -> None:
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    theirs = lab.router.mappings()
    with Portmap(lab.lan, "--nat", spec, "--on-conflict", "fail", "4001") as portmap:
        portmap.wait_for("mapping.failed", error="Conflict")
        assert lab.router.mappings() == theirs
        assert not portmap.told("mapping.added")


@pytest.mark.parametrize("spec", SPECS)
def test_the_port_is_ours_soon_after_it_has_become_free(lab: Lab, spec: str) -> None:
    lab.serve(4001)
    lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "3600"])
    with Portmap(lab.lan, "--nat", spec, "--on-conflict", "fail", "4001") as portmap:
        portmap.wait_for("mapping.failed", error="Conflict")
        lab.neighbour.run(["natpmpc", "-a", "4001", "4001", "tcp", "0"])
        portmap.wait_for("mapping.added", external_port=4001)
        assert lab.bytes_arrive("TCP", 4001)
