"""The lines that people read while ports are held: ranges, colours, wrapping, what is said beside the events."""

import io
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address
from types import SimpleNamespace
from typing import Any

import pytest

from portmap.cli.hold.human_lines import HumanLines, HumanMessages
from portmap.cli.output.events import HumanRenderer
from portmap.cli.output.ports import asked_text
from portmap.cli.output.style import COLOURS, Style, format_line, style_of
from portmap.config.settings import Instance, MappingText
from portmap.events import Event, GatewayFound, GatewayLost, PortAdded, PortEvent, PortFailed, PortRemoved
from portmap.model import Kind, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.syntax.mappings import parse_mapping

TCP, UDP = Protocol.TCP, Protocol.UDP
HERE = IPv4Address("203.0.113.7")
RANGE = Instance(name="any", mappings=(MappingText("27015-27018/udp"),))


def added(port: int, external: int = 0, protocol: Protocol = UDP, **more: Any) -> PortAdded:
    return PortAdded(
        protocol=protocol, internal_port=port, external_port=external or port, external_ip=HERE, lifetime=600, **more
    )


def failed(port: int, reason: str = "the table is full", error: str = "OutOfResources") -> PortFailed:
    return PortFailed(protocol=UDP, internal_port=port, reason=reason, error=error)


def texts(events: Iterable[Event], instance: Instance = RANGE) -> list[str]:
    """Each line without its time."""
    lines = HumanLines([instance])
    shown = [lines(instance.name, event, 0.0) for event in events]
    told = "\n".join(filter(None, [*shown, lines.rest(0.0)]))
    return [re.sub(r"^\S+ ", "", line) for line in told.splitlines()]


# Ranges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ports", [(27015, 27016, 27017, 27018), (27018, 27016, 27015, 27017)])
def test_a_range_is_one_line(ports: Sequence[int]) -> None:
    assert texts(map(added, ports)) == ["mapped   27015-27018/udp at 203.0.113.7:27015-27018  lease 10m"]


def test_a_port_of_a_range_with_another_external_port_has_its_own_line() -> None:
    events = [added(27015), added(27016), added(27017, 40000), added(27018)]
    assert texts(events) == [
        "mapped   27015-27016/udp at 203.0.113.7:27015-27016  lease 10m",
        "mapped   27017/udp at 203.0.113.7:40000  lease 10m",
        "mapped   27018/udp at 203.0.113.7:27018  lease 10m",
    ]


def test_a_range_that_fails_is_one_line_for_each_reason() -> None:
    events = [failed(27015), failed(27016), failed(27017, "forbidden"), failed(27018)]
    assert texts(events) == [
        "failed   27015-27016/udp: the table is full",
        "failed   27017/udp: forbidden",
        "failed   27018/udp: the table is full",
    ]


def test_what_a_range_has_so_far_is_shown_when_something_else_happens() -> None:
    events: list[Event] = [added(27015), added(27016), GatewayLost(gateway="g", reason="silence"), added(27017)]
    assert [line.split()[0] for line in texts(events)] == ["mapped", "gateway", "mapped"]


def test_a_range_for_tcp_and_udp_is_two_lines() -> None:
    both = Instance(name="any", mappings=(MappingText("80-81/both"),))
    events = [added(port, protocol=protocol) for port in (80, 81) for protocol in (TCP, UDP)]
    assert [line.split()[1] for line in texts(events, both)] == ["80-81/tcp", "80-81/udp"]


def test_single_ports_are_shown_at_once() -> None:
    lines = HumanLines([Instance(name="any", mappings=(MappingText("80"), MappingText("81")))])
    assert "80/tcp" in str(lines("any", added(80, protocol=TCP), 0.0))


def test_a_range_that_a_reload_adds_is_one_line() -> None:
    lines = HumanLines([Instance(name="any")])
    lines.expect([RANGE])
    told = [lines("any", added(port), 0.0) for port in (27015, 27016, 27017, 27018)]
    assert [line is None for line in told] == [True, True, True, False]


@pytest.mark.parametrize(
    ("mapping", "text"),
    [
        ("25565", "25565/tcp"),
        ("web=443:8443", "web 443:8443/tcp"),
        ("27015-27030/udp", "27015-27030/udp"),
        ("40000:27015-27030/udp", "40000-40015:27015-27030/udp"),
        ("game=27015-27016/both", "game 27015-27016/tcp game 27015-27016/udp"),
        ("30303/both", "30303/tcp 30303/udp"),
        ("follow/both", "1/tcp 1/udp"),
    ],
)
def test_what_was_asked_for_has_name_and_external_port_and_a_range_is_one_item(mapping: str, text: str) -> None:
    assert asked_text([parse_mapping(mapping)]) == text


def test_many_mappings_are_shortened() -> None:
    assert asked_text([parse_mapping(str(port)) for port in range(100, 200, 2)]) == "100/tcp … 198/tcp (50 in all)"


# Colours and width -------------------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    return Terminal()


def test_a_terminal_has_colours_and_a_width(terminal: Terminal) -> None:
    assert style_of(terminal) == Style(colour=True, width=60)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_color_and_a_dumb_terminal_mean_no_colours(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert style_of(terminal) == Style(width=60)


def test_an_empty_no_color_means_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert style_of(terminal).colour


def test_a_pipe_has_neither_colours_nor_width(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    assert style_of(terminal) == Style()


@pytest.mark.parametrize("word", COLOURS)
def test_the_text_has_its_words_colour_and_the_head_is_faint(word: str) -> None:
    line = format_line(word, "text", 0.0, Style(colour=True))
    assert line.startswith("\033[2m")
    assert line.endswith(f"\033[{COLOURS[word]}mtext\033[0m")


def test_a_long_line_is_wrapped_by_words_below_its_text() -> None:
    lines = format_line("failed", "word " * 20 + "https://a-long-address.example", 0.0, Style(width=50)).split("\n")
    assert len(lines) > 2
    assert all(len(line) <= 50 for line in lines)
    assert {line[:18].strip() for line in lines[1:]} == {""}
    assert lines[-1].strip().endswith("https://a-long-address.example")


def test_a_long_line_in_a_pipe_is_one_line() -> None:
    assert "\n" not in format_line("failed", "word " * 200, 0.0)


def test_a_wrapped_line_with_an_instances_name_fits_too() -> None:
    lines = HumanLines([Instance(name="home"), Instance(name="vpn")], style=Style(width=60))
    told = str(lines("vpn", GatewayLost(gateway="g", reason="word " * 30, error="Garbled"), 0.0)).split("\n")
    assert all(len(line) <= 60 for line in told)


# No gateway ---------------------------------------------------------------------------------------------------------

LONG = "no gateway answered (PCP: no gateway to ask; NAT-PMP: no gateway to ask; UPnP: none answered within 2.5 s)"


def test_no_gateway_is_one_short_line_however_many_ports_wait() -> None:
    events: list[Event] = [GatewayLost(gateway="any", reason=LONG, error="NoGateway", retry_in=19.6)]
    events += [failed(port, LONG, "NoGateway") for port in (80, 81, 82)]
    assert texts(events) == ["gateway  no gateway answered; trying again in 20 s; `portmap doctor` says why"]


def test_who_holds_the_port_is_no_detail() -> None:
    reason = f"another portmap (process 12) holds the port: PCP 192.168.1.1 refused (NOT_AUTHORIZED): {'x' * 99}"
    expected = "another portmap (process 12) holds the port: PCP 192.168.1.1 refused; `portmap doctor` says why"
    assert texts([failed(80, reason)]) == [f"failed   80/udp: {expected}"]


def test_a_port_that_fails_for_another_reason_than_the_gateway_is_told() -> None:
    events: list[Event] = [GatewayLost(gateway="any", reason=LONG, error="NoGateway"), failed(80)]
    assert texts(events)[1] == "failed   80/udp: the table is full"


def test_after_the_gateway_is_back_a_failure_is_told() -> None:
    render = HumanRenderer()
    for event in (GatewayLost(gateway="any", error="NoGateway"), GatewayFound(gateway="any")):
        render(event, 0.0)
    assert render(failed(80, "silence", "GatewayTimeout"), 0.0)


def test_of_a_long_reason_the_details_in_brackets_are_left_to_the_doctor() -> None:
    assert texts([failed(80, LONG, "NoGateway")]) == ["failed   80/udp: no gateway answered; `portmap doctor` says why"]


# Beside the events --------------------------------------------------------------------------------------------------


def running(*requests: PortRequest, kind: Kind = Kind.LOOP) -> Any:
    session = SimpleNamespace(kind=kind, requests=requests)
    return SimpleNamespace(name="any", session=session, instance=SimpleNamespace(gateway="any"))


def messages(sockets: Sequence[ListeningSocket] | None = (), egress: str = "") -> HumanMessages:
    return HumanMessages(sockets=lambda _: sockets, egress=lambda *_: egress)


def said(told: HumanMessages, session: Any, *events: Event) -> list[str]:
    return [line.partition(" ")[2] for event in events for line in told.after_event(session, event)]


WEB = PortRequest(TCP, 8080)
OPEN = added(8080, protocol=TCP)
GONE = PortRemoved(protocol=TCP, internal_port=8080)


def test_that_no_program_listens_is_said_once() -> None:
    told = said(messages(), running(WEB), OPEN, OPEN)
    assert told == ["holding  1 mapping; Ctrl-C closes", "notice   no program listens on 8080/tcp of this computer yet"]


@pytest.mark.parametrize(
    "sockets",
    [None, (ListeningSocket(TCP, IPv4Address("0.0.0.0"), 8080),)],  # noqa: S104  # what /proc says
)
def test_where_a_program_listens_or_the_system_does_not_tell_nothing_is_said(sockets: Any) -> None:
    assert said(messages(sockets), running(WEB), OPEN) == ["holding  1 mapping; Ctrl-C closes"]


def test_a_port_that_follows_is_not_looked_for() -> None:
    follow = PortRequest(TCP, 8080, follow=True)
    assert said(messages(()), running(follow), OPEN) == ["holding  1 mapping; Ctrl-C closes"]


def test_of_several_instances_each_notice_has_the_name_in_front() -> None:
    told = HumanMessages(
        instances=[Instance(name="any"), Instance(name="seedbox")], sockets=lambda _: (), egress=lambda *_: ""
    )
    lines = told.after_event(running(WEB), OPEN)
    assert [line[:8] for line in lines] == ["any     ", "any     "]
    assert [line.split()[2] for line in lines] == ["holding", "notice"]


def test_that_traffic_leaves_elsewhere_is_said_once() -> None:
    told = messages(egress="traffic leaves from 10.2.0.2, not through the gateway")
    found: PortEvent | Event = GatewayFound(gateway="NAT-PMP 192.168.1.1")
    assert said(told, running(WEB), found, found) == ["notice   traffic leaves from 10.2.0.2, not through the gateway"]


def test_a_gateway_that_is_none_leads_nowhere() -> None:
    told = messages(egress="traffic leaves elsewhere")
    assert not said(told, running(WEB, kind=Kind.STATIC), GatewayFound(gateway="extip 203.0.113.7"))
