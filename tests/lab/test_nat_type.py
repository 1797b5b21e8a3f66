"""`portmap doctor --stun A+B` against coturn on two addresses, through three kinds of NAT."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.lab.carrier import FULL_CONE, RESTRICTED_CONE, SYMMETRIC, become
from tests.lab.command import PORTMAP
from tests.lab.lab import HOST, INTERNET, Lab
from tests.lab.test_stun import coturn

SECOND = "11.22.33.253"


@pytest.fixture
def servers(quiet_lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """coturn on two addresses of the internet host, as RFC 5780 wants it."""
    quiet_lab.internet.ip(f"addr add {SECOND}/8 dev eth0")
    with coturn(quiet_lab.internet, tmp_path, INTERNET, SECOND, discovery=True):
        yield quiet_lab


def nat_of(lab: Lab) -> dict[str, Any]:
    command = [*PORTMAP, "doctor", "--nat", "pmp", "--json", "--stun", f"{INTERNET}:3478+{SECOND}:3478"]
    told = json.loads(lab.lan.run(["sh", "-c", '"$@" || true', "sh", *command]))
    found: dict[str, Any] = told["nat"]
    return found


@pytest.mark.parametrize(
    ("kind", "mapping", "filtering"),
    [
        (FULL_CONE, "endpoint-independent", "endpoint-independent"),
        (RESTRICTED_CONE, "endpoint-independent", "address-and-port-dependent"),
        (SYMMETRIC, "address-and-port-dependent", "address-and-port-dependent"),
    ],
    ids=["full cone", "restricted cone", "symmetric"],
)
def test_the_kind_of_nat_is_told(servers: Lab, kind: str, mapping: str, filtering: str) -> None:
    become(servers, kind)
    found = nat_of(servers)
    assert (found["translated"], found["mapping"], found["filtering"]) == (True, mapping, filtering), found


def test_a_host_without_nat_is_told_that_there_is_none(servers: Lab) -> None:
    servers.router.run(["nft", "-f", "-"], stdin="flush chain inet filter postrouting")
    servers.internet.ip(f"route add {HOST}/32 via 11.22.33.1")
    servers.router.run(["nft", "-f", "-"], stdin='insert rule inet filter forward iifname "wan" accept')
    found = nat_of(servers)
    assert (found["translated"], found["external_ip"]) == (False, HOST)


def test_a_server_that_does_not_answer_is_told(quiet_lab: Lab) -> None:
    assert "no STUN answer" in nat_of(quiet_lab)["reason"]
