"""The command: its help, and the lines that it prints."""

import json
from ipaddress import IPv4Address
from typing import Any

import pytest

from portmap.cli.output import events
from portmap.cli.parser.bare_group import split_command
from portmap.errors import (
    SpecError,
)
from portmap.events import (
    Event,
    ExternalIPChanged,
    ExternalIPFailed,
    GatewayFound,
    GatewayLost,
    GatewayRebooted,
    PortAdded,
    PortFailed,
    PortLost,
    PortRemoved,
    PortRenewed,
    RecordChanged,
)
from portmap.model import Mapping, Scope
from portmap.model import Protocol as Transport
from portmap.syntax.durations import format_duration, parse_duration

OPEN = Mapping(Transport.TCP, 8080, 80, 600, IPv4Address("1.2.3.4"), "web")


# the words


@pytest.mark.parametrize(
    ("words", "split"),
    [
        ("", (None, "")),
        ("80 81", (None, "80 81")),
        ("ip", ("ip", "")),
        ("ip --json", ("ip", "--json")),
        ("--json ip", ("ip", "--json")),
        ("--nat pmp ip", ("ip", "--nat pmp")),
        ("ip --nat pmp", ("ip", "--nat pmp")),
        ("--nat ip 80", (None, "--nat ip 80")),  # the backend of that name
        ("--nat=x ip", ("ip", "--nat=x")),
        ("-- ip", (None, "-- ip")),
        ("80 ip", ("ip", "80")),
        ("ip backends", ("ip", "backends")),
    ],
)
def test_the_first_word_that_names_a_command_is_it(words: str, split: tuple[str | None, str]) -> None:
    command, rest = split_command(words.split(), {"ip", "backends"}, {"--nat"})
    assert (command, " ".join(rest)) == split


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("1", 1), ("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86400), ("1h30m", 5400)),
        *(("1d2h3m4s", 93784), ("1h90", 3690), ("0h1s", 1), ("007", 7)),
    ],
)
def test_a_duration_is_understood(text: str, seconds: int) -> None:
    assert parse_duration(text, "--for", longest=10**6) == seconds


@pytest.mark.parametrize(
    "text", ["", "s", "h", "1.5h", "-1", "+1", "1 m", " 1", "1w", "m1", "1s1m", "1m1m", "1H", "\u0661s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="is no duration"):
        parse_duration(text, "--for", longest=10**6)


@pytest.mark.parametrize("text", ["0", "0s", "0h0m", "1000001", "999999999", "999999d"])
def test_a_duration_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=r"out of range: use 1s to 11d13h46m40s"):
        parse_duration(text, "--for", longest=10**6)


def test_a_number_beyond_all_measure_is_no_duration() -> None:
    with pytest.raises(SpecError):
        parse_duration("9" * 5000, "--for", longest=10**6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1, "1s"), (60, "1m"), (600, "10m"), (5400, "1h30m"), (86400, "1d"), (90061, "1d1h1m1s")],
)
def test_a_duration_is_written_as_short_as_can_be(seconds: int, text: str) -> None:
    assert format_duration(seconds) == text


# the lines


def shown(event: Event, **how: Any) -> str | None:
    """The line, without its time."""
    text = events.HumanRenderer(**how)(event, 0.0)
    return text if text is None else text.partition(" ")[2]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (GatewayFound(gateway="NAT-PMP 192.168.1.1"), "gateway  NAT-PMP 192.168.1.1"),
        (GatewayLost(gateway="g", reason="no reply"), "gateway  lost: no reply"),
        (
            GatewayRebooted(gateway="g", reason="its clock went back"),
            "gateway  g may have forgotten our mappings: its clock",
        ),
        (ExternalIPChanged(external_ip=OPEN.external_ip, scope=Scope.PUBLIC), "external 1.2.3.4  public"),
        (ExternalIPFailed(external_ip=None, scope=Scope.UNKNOWN, reason="no uplink"), "external unknown: no uplink"),
        (PortAdded.of(OPEN), "mapped   web 8080/tcp at 1.2.3.4:80  lease 10m"),
        (PortAdded.of(Mapping(Transport.UDP, 53, 53, 0)), "mapped   53/udp at ?:53  permanent"),
        (PortLost.of(OPEN, reason="it ran out"), "lost     web 8080/tcp at 1.2.3.4:80  (it ran out)"),
        (PortRemoved.of(OPEN), "removed  web 8080/tcp at 1.2.3.4:80"),
        (
            PortFailed(protocol=Transport.TCP, internal_port=80, reason="the table is full"),
            "failed   80/tcp: the table is full",
        ),
    ],
)
def test_an_event_is_one_aligned_line(event: Event, line: str) -> None:
    text = shown(event)
    assert text is not None
    assert text.startswith(line)


@pytest.mark.parametrize(
    ("scope", "word"), [(Scope.CGNAT, "CGNAT"), (Scope.PRIVATE, "another router"), (Scope.RESERVED, "reserved")]
)
def test_an_unreachable_address_is_explained(scope: Scope, word: str) -> None:
    assert word in str(shown(ExternalIPChanged(external_ip=OPEN.external_ip, scope=scope)))


def test_renewals_are_shown_only_on_demand() -> None:
    event = PortRenewed.of(OPEN)
    assert (shown(event), shown(event, renewals=True)) == (None, "renewed  web 8080/tcp at 1.2.3.4:80  lease 10m")


def test_an_unsigned_record_says_nothing_new() -> None:
    assert (shown(RecordChanged(seq=1)), shown(RecordChanged(seq=1, enr="enr:x"))) == (None, "record   enr:x")


@pytest.mark.parametrize("event", [GatewayFound(gateway="g"), PortAdded.of(OPEN), PortRemoved.of(OPEN)])
def test_quiet_means_only_what_goes_wrong(event: Event) -> None:
    assert shown(event, quiet=True) is None


def test_a_json_line_has_version_time_and_event_first() -> None:
    told: dict[str, Any] = json.loads(events.as_json_line(GatewayFound(gateway="g"), 1.23456))
    assert list(told.items())[:3] == [("v", 1), ("ts", 1.235), ("event", "gateway.found")]
