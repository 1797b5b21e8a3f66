import re
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from portmap.model import Protocol
from portmap_upnp.control.wan_connection import PortMappingEntry
from portmap_upnp.mapping import ownership
from portmap_upnp.mapping.ownership import (
    Owner,
    OwnershipRule,
    entry_description,
    host_id,
    made_by_host,
    made_by_us,
)
from portmap_upnp.mapping.port_forward import PortForward


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("", "portmap:c0ffee:30303"),
        ("my node", "portmap:c0ffee:my node"),
        ("</NewPortMappingDescription>", "portmap:c0ffee:--NewPortMappingD"),
        ("caf\u00e9 \u2603\n", "portmap:c0ffee:caf- --"),
        ("x" * 99, "portmap:c0ffee:" + "x" * 17),
        ("&<>\"'", "portmap:c0ffee:-----"),
        ("   ", "portmap:c0ffee:30303"),
    ],
)
def test_the_description_is_ours_short_and_plain(name: str, description: str) -> None:
    assert entry_description(name, 30303, "c0ffee") == description


def test_the_id_of_this_host_is_the_same_every_time_and_short() -> None:
    assert host_id() == host_id()
    assert re.fullmatch("[0-9a-f]{6}", host_id())


def test_the_id_differs_with_the_machine_and_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("0123456789abcdef\n")
    (tmp_path / "two").write_text("fedcba9876543210\n")
    files = [[tmp_path / "one"], [tmp_path / "none", tmp_path / "two"], [tmp_path / "none"]]
    assert len({host_id(which, lambda name=name: name) for which in files for name in ("a", "b")}) == 6  # type: ignore[misc]


def test_the_id_does_not_tell_the_machine_id(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("0123456789abcdef\n")
    assert host_id([tmp_path / "one"], lambda: "a") not in "0123456789abcdef"


def test_whose_an_entry_is_stands_in_its_description() -> None:
    assert made_by_host("portmap:c0ffee:x", "c0ffee")
    assert not made_by_host("portmap:c0ffee2:x", "c0ffee")
    assert made_by_us("portmap:bad0d0:x")  # where it leads to this host
    assert made_by_us("")
    assert not made_by_us("geth")


# Whose an entry is, and what follows

US, BEFORE, NEIGHBOUR = "192.168.1.5", "192.168.1.4", "192.168.1.9"
FORWARD = PortForward(Protocol.TCP, 443, IPv4Address(US), 8443)
EARLIER = PortForward(Protocol.TCP, 443, IPv4Address(BEFORE), 8443)
FOR_NEIGHBOUR = PortForward(Protocol.TCP, 443, IPv4Address(NEIGHBOUR), 8443, to_us=False)
OURS = "portmap:c0ffee:web"
"""The description that we would write."""


@pytest.fixture
def rule() -> OwnershipRule:
    """Of the host `c0ffee`, named desk; of all other hosts only the neighbour is there."""
    return OwnershipRule("c0ffee", lambda client, _: client == NEIGHBOUR, lambda: "desk.home")


def entry(client: str = US, port: int = 8443, description: str = OURS, *, enabled: bool = True) -> PortMappingEntry:
    return PortMappingEntry(client, port, description, 600, enabled)


@pytest.mark.parametrize(
    ("listed", "held", "owner"),
    [
        (None, None, Owner.NONE),
        (entry(), None, Owner.US),
        (entry("192.168.001.005"), None, Owner.US),
        (entry(description="portmap:bad0d0:web"), None, Owner.US),  # of another portmap here, or of an earlier name
        (entry(description=""), None, Owner.US),
        (entry(description="geth"), FORWARD, Owner.US),  # a router that writes descriptions of its own
        (entry(description="geth"), None, Owner.OTHER_PROGRAM),
        (entry(description="geth"), EARLIER, Owner.OTHER_PROGRAM),
        (entry(description="geth", enabled=False), None, Owner.OTHER_HOST),
        (entry("desk", description="portmap:bad0d0:web"), None, Owner.US),
        (entry("DESK.lan"), None, Owner.US),
        (entry("laptop"), None, Owner.US),  # named after another, with our ID: a router that confuses names
        (entry("laptop", description="portmap:bad0d0:web"), None, Owner.OTHER_HOST),
        (entry("desk", port=22), None, Owner.OTHER_HOST),
        (entry(port=22), None, Owner.OTHER_HOST),
        (entry(NEIGHBOUR), None, Owner.OTHER_HOST),  # it answers, whatever the entry says of us
        (entry(NEIGHBOUR, description="geth"), None, Owner.OTHER_HOST),
        (entry(BEFORE), None, Owner.LEFT_BEHIND),
        (entry(BEFORE), EARLIER, Owner.LEFT_BEHIND),
        (entry(BEFORE, description="portmap:c0ffee:other"), None, Owner.OTHER_HOST),
        (entry(BEFORE, description="portmap:bad0d0:web"), None, Owner.OTHER_HOST),
        (entry(BEFORE, description="geth"), EARLIER, Owner.OTHER_HOST),
        (entry(BEFORE, port=22), EARLIER, Owner.OTHER_HOST),
    ],
)
def test_whose_an_entry_is(
    rule: OwnershipRule, listed: PortMappingEntry | None, held: PortForward | None, owner: Owner
) -> None:
    assert rule.owner_of(FORWARD, OURS, listed, held) is owner


def test_an_entry_that_was_ours_at_an_address_that_a_neighbour_has_now_was_left_behind(rule: OwnershipRule) -> None:
    held = PortForward(Protocol.TCP, 443, IPv4Address(NEIGHBOUR), 8443)
    assert rule.owner_of(FORWARD, OURS, entry(NEIGHBOUR), held) is Owner.LEFT_BEHIND


def test_no_host_is_asked_about_an_entry_that_is_not_this_very_mapping() -> None:
    def must_not_be_asked(*_: object) -> bool:
        raise AssertionError

    rule = OwnershipRule("c0ffee", must_not_be_asked)
    for listed in (
        entry(BEFORE, description="geth"),
        entry(BEFORE, port=22),
        entry(BEFORE, description="portmap:c0ffee:x"),
    ):
        assert rule.owner_of(FORWARD, OURS, listed, None) is Owner.OTHER_HOST


@pytest.mark.parametrize(
    ("listed", "held", "may"),
    [
        (None, None, False),
        (None, FORWARD, False),
        (entry(), None, True),
        (entry(description="geth"), FORWARD, True),
        (entry(description="geth"), None, False),
        (entry(NEIGHBOUR), None, False),
        (entry(NEIGHBOUR), FORWARD, False),
        (entry(BEFORE), None, False),
        (entry(BEFORE), EARLIER, True),
        (entry(BEFORE, description="geth"), EARLIER, False),
    ],
)
def test_what_may_be_deleted(
    rule: OwnershipRule, listed: PortMappingEntry | None, held: PortForward | None, may: bool
) -> None:
    assert rule.may_delete(FORWARD, listed, held) is may


@pytest.mark.parametrize(
    ("listed", "owner"),
    [
        (entry(NEIGHBOUR), Owner.US),
        (entry(NEIGHBOUR, description=""), Owner.OTHER_PROGRAM),  # the neighbour may have made it
        (entry(NEIGHBOUR, description="portmap:bad0d0:web"), Owner.OTHER_PROGRAM),
        (entry("desk", description="geth"), Owner.OTHER_HOST),  # our own name is not the neighbour's
        (entry("laptop"), Owner.US),
    ],
)
def test_whose_an_entry_is_that_is_to_lead_to_another_host(
    rule: OwnershipRule, listed: PortMappingEntry, owner: Owner
) -> None:
    assert rule.owner_of(FOR_NEIGHBOUR, OURS, listed, None) is owner


def test_an_entry_of_this_host_is_not_taken_for_one_that_led_to_another(rule: OwnershipRule) -> None:
    led_elsewhere = PortForward(Protocol.TCP, 443, IPv4Address(BEFORE), 8443, to_us=False)
    assert not rule.may_delete(FORWARD, entry(BEFORE), led_elsewhere)


def test_by_default_the_hosts_of_the_network_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def is_present(client: str, port: int) -> bool:
        asked.append((client, port))
        return True

    monkeypatch.setattr(ownership, "is_host_present", is_present)
    assert OwnershipRule("c0ffee").owner_of(FORWARD, OURS, entry(BEFORE), None) is Owner.OTHER_HOST
    assert asked == [(BEFORE, 8443)]
