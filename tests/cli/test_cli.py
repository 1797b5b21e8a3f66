"""The command line. What ends by itself is called in this process; what holds ports runs as a user would run it."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pytest

from portmap import __version__
from portmap.cli import exit_codes
from portmap.cli.output import events
from portmap.cli.parser.app import main
from portmap.cli.parser.bare_group import split_command
from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NATError,
    NoGateway,
    NotAuthorized,
    OnlyPermanentLeases,
    OutOfResources,
    PluginError,
    PortmapError,
    Refused,
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

STATIC = ("--nat", "extip:1.2.3.4")
OPEN = Mapping(Transport.TCP, 8080, 80, 600, IPv4Address("1.2.3.4"), "web")

RAISES = """
from portmap import Kind, errors, hookimpl

class Acme:
    kind = Kind.LOOP
    def __init__(self, name):
        self.error = getattr(errors, name)
    @classmethod
    def from_argument(cls, argument):
        return cls(argument)
    @hookimpl
    def external_ip(self):
        raise self.error("what happened, and what to try")
    @hookimpl
    def add_mapping(self):
        raise self.error("what happened, and what to try")
    @hookimpl
    def delete_mapping(self):
        pass
"""
ACME = "[portmap.backends]\nacme = acme_nat:Acme\n"


class Install(Protocol):
    """The fixture `install` of conftest.py."""

    def __call__(self, name: str, entry_points: str, *, metadata: bool = True, **modules: str) -> Path:
        """Put a pretend distribution on sys.path; the folder."""


class Ran(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs a command in this process, and leaves no trace in it."""
    logger = logging.getLogger("portmap")
    before = logger.propagate, logger.level, list(logger.handlers)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*words: str) -> Ran:
        with pytest.raises(SystemExit) as ended:
            main(words)
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    yield call
    logger.propagate, logger.level, logger.handlers[:] = before
    for number, handler in handlers.items():
        signal.signal(number, handler)


Run = Callable[..., Ran]


class Held:
    """A running `portmap`, read line by line."""

    def __init__(self, *words: str, **environment: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "portmap", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        )

    def line(self, word: str) -> str:
        """The next line with this word in it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if word in line:
                return line
        pytest.fail(f"no line says {word!r}: {self.end()}")

    def end(self, number: signal.Signals | None = None) -> Ran:
        """Send it a signal, if one is given, and wait for its end."""
        if number is not None:
            self.process.send_signal(number)
        out, err = self.process.communicate(timeout=10)
        return Ran(self.process.returncode, out, err)


@pytest.fixture
def hold() -> Iterator[Callable[..., Held]]:
    """Starts commands, and ends those that a test leaves running."""
    started: list[Held] = []

    def start(*words: str, **environment: str) -> Held:
        started.append(Held(*words, **environment))
        return started[-1]

    yield start
    for held in started:
        if held.process.poll() is None:
            held.process.kill()
        held.process.communicate()


Hold = Callable[..., Held]


# bad input: one line that names the fault and the fix, exit 2, nothing sent


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("0",), "port 0 is out of range: use 1 to 65535"),
        (("65536",), "port 65536 is out of range: use 1 to 65535"),
        (("80:99999",), "port 99999 is out of range"),
        (("http",), "write [NAME=][EXT:]INT[/tcp|udp|both]"),
        (("80/sctp",), "use tcp, udp or both"),
        (("a b=80",), "unusable name"),
        (("80", "80"), "TCP 80 is asked for twice: drop one"),
        (("443:80", "443:81"), "two mappings want the external port TCP 443"),
        (("--nat", "foo", "80"), "unknown backend 'foo': installed are "),
        (("--nat", "upnpp", "80"), "did you mean 'upnp'?"),
        (("--nat", "any:1.2.3.4", "80"), "any takes no argument"),
        (("--nat", "extip:0.0.0.0", "80"), "means 'no address'"),
        (("--nat", " any", "80"), "white space"),
        (("--lease", "soon", "80"), "--lease 'soon' is no duration: write 90s, 10m, 2h or 1h30m"),
        (("--lease", "0", "80"), "--lease '0' is out of range: use 1s to 7d"),
        (("--lease", "8d", "80"), "--lease '8d' is out of range"),
        (("--ip-interval", "2d", "80"), "--ip-interval '2d' is out of range"),
        (("--for", "", "80"), "--for '' is no duration"),
        (("--publish", "foo", "80"), "unknown publisher 'foo'"),
        (("--publish", "enr:/no/such/folder/key", "80"), "there is no folder"),
        (("--publish", "enr", "80"), "key"),
        (("--no-such-option",), "No such option"),
        (("--nat",), "requires an argument"),
        (("ip", "80"), "unexpected extra argument"),
        (("--", "-80"), "write [NAME=]"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, words: tuple[str, ...], told: str) -> None:
    code, out, err = run(*(("--nat", "none") if "--nat" not in words and "ip" not in words else ()), *words)
    assert code == 2
    assert out == "" or " asked " in out  # said at once, before anything is loaded
    assert err.startswith("portmap: ")
    assert told in err
    assert err.count("\n") == 1


def test_a_folder_is_no_key_file(run: Run, tmp_path: Path) -> None:
    code, _, err = run("--nat", "none", "--publish", f"enr:{tmp_path}", "80")
    assert (code, err.count("\n"), str(tmp_path) in err) == (2, 1, True)


def test_a_file_that_holds_no_key_is_refused_and_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("my diary")
    code, _, err = run("--nat", "none", "--publish", f"enr:{tmp_path / 'key'}", "80")
    assert (code, err.count("\n"), (tmp_path / "key").read_text()) == (2, 1, "my diary")


# exit codes

CODES: tuple[tuple[type[PortmapError], int], ...] = (
    (SpecError, 2),
    (NoGateway, 3),
    (Refused, 4),
    (NotAuthorized, 4),
    (OutOfResources, 4),
    (OnlyPermanentLeases, 4),
    (Conflict, 5),
    (GatewayTimeout, 7),
    (PluginError, 9),
    (Garbled, 1),
    (NATError, 1),
    (PortmapError, 1),
)


@pytest.mark.parametrize(("kind", "code"), CODES)
def test_every_error_has_its_documented_code(kind: type[PortmapError], code: int) -> None:
    assert exit_codes.exit_code_of(kind("oops")) == code


@pytest.mark.parametrize(("kind", "code"), [row for row in CODES if issubclass(row[0], NATError | PluginError)])
def test_a_question_that_fails_ends_with_its_code(
    run: Run, install: Install, kind: type[PortmapError], code: int
) -> None:
    install("acme-nat", ACME, acme_nat=RAISES)
    assert run("ip", "--nat", f"acme:{kind.__name__}") == (code, "", "portmap: what happened, and what to try\n")


def test_a_broken_plugin_ends_with_9_and_its_reason(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    code, out, err = run("--nat", "acme", "80")
    assert (code, out.count("\n"), err.count("\n")) == (9, 1, 1)
    assert err.startswith("portmap: backend 'acme' (acme-nat 1.0) cannot be imported: ModuleNotFoundError")


def test_a_plugin_that_exits_at_import_is_broken_like_any_other(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat="raise SystemExit(0)")
    code, out, err = hold("--nat", "acme", "80", PYTHONPATH=str(site)).end()
    assert (code, out.count("\n"), err.count("\n")) == (9, 1, 1)


def test_a_plugin_whose_parser_raises_is_broken_too(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat=RAISES)
    code, _, err = run("--nat", "acme:NoSuchError", "80")
    assert (code, "acme-nat 1.0" in err, "AttributeError" in err) == (9, True, True)


def test_a_message_of_several_lines_is_told_in_one(capsys: pytest.CaptureFixture[str]) -> None:
    exit_codes.print_error("first\n  second\tthird")
    assert capsys.readouterr().err == "portmap: first second third\n"


# what ends by itself


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == (0, f"portmap {__version__}\n", "")


def test_the_help_has_examples_and_the_exit_codes(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "portmap 25565" in out
    codes = "0 done, 2 usage, 3 no gateway, 4 refused, 5 conflict, 7 timeout, 8 out of reach, 9 plugin"
    assert f"Exit codes: {codes}" in " ".join(out.split())


def test_ip_prints_the_address_and_nothing_else(run: Run) -> None:
    assert run("ip", *STATIC) == (0, "1.2.3.4\n", "")


def test_ip_as_json_says_what_it_is_worth(run: Run) -> None:
    told = json.loads(run("ip", "--json", "--nat", "extip:192.168.1.5").out)
    assert "double NAT" in told.pop("meaning")
    assert told == {"v": 1, "external_ip": "192.168.1.5", "scope": "private", "gateway": "extip 192.168.1.5"}


def test_ip_without_a_nat_is_no_gateway(run: Run) -> None:
    assert run("ip", "--nat", "none")[:2] == (3, "")


@pytest.mark.parametrize("words", [("ip", *STATIC), (*STATIC, "ip"), ("--json", "ip", *STATIC), (*STATIC, "ip", "-v")])
def test_options_may_stand_before_or_after_a_command(run: Run, words: tuple[str, ...]) -> None:
    code, out, _ = run(*words)
    assert (code, "1.2.3.4" in out) == (0, True)


def test_a_counted_option_may_stand_before_a_command_too(run: Run) -> None:
    assert run("-v", "ip", *STATIC).code == 0


def test_backends_lists_what_is_installed(run: Run) -> None:
    code, out, _ = run("backends")
    rows = [line.split("  ")[0] for line in out.splitlines()]
    assert code == 0
    assert {"NAMES", "any, auto, on", "none, off", "extip, ip", "nat-pmp, natpmp, pmp", "upnp"} <= set(rows)


def test_backends_lists_the_broken_ones_with_the_reason(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    code, out, _ = run("backends")
    (row,) = [line for line in out.splitlines() if line.startswith("acme")]
    assert (code, "broken" in row, "no_such_module" in row) == (0, True, True)


def test_backends_as_json_is_for_programs(run: Run, install: Install) -> None:
    install("acme-nat", ACME, acme_nat="import no_such_module")
    told = json.loads(run("backends", "--json").out)
    rows = {name: row for row in told["backends"] for name in row["names"]}
    assert told["v"] == 1
    assert (rows["pmp"]["kind"], rows["pmp"]["reason"]) == ("loop", "")
    assert (rows["acme"]["kind"], "no_such_module" in rows["acme"]["reason"]) == ("broken", True)


def test_tab_completes_a_backends_name(hold: Hold) -> None:
    completed = hold(_PORTMAP_COMPLETE="complete_bash", COMP_WORDS="portmap --nat u", COMP_CWORD="2").end()
    assert (completed.code, completed.out.split()) == (0, ["upnp"])


# holding


def test_without_a_mapping_the_seeds_node_is_held_and_the_first_line_says_so(hold: Hold) -> None:
    held = hold(*STATIC)
    assert "30303/tcp 30303/udp via extip:1.2.3.4  (the default: no MAPPING was given)" in held.line("")
    assert held.end(signal.SIGTERM).code == 0


def test_a_line_is_told_for_each_change_and_then_how_to_end(hold: Hold) -> None:
    held = hold(*STATIC, "web=443:8443")
    told = [held.line("") for _ in range(4)]
    assert [line.split()[1] for line in told] == ["asked", "external", "mapped", "holding"]
    assert "web 8443/tcp at 1.2.3.4:443  nothing sent: taken as open" in told[2]
    assert "1 mapping; Ctrl-C closes" in told[3]
    held.end(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_removes_what_is_held_and_ends_well(hold: Hold, number: signal.Signals) -> None:
    held = hold(*STATIC, "8080")
    held.line("holding")
    code, out, err = held.end(number)
    assert (code, err) == (0, "")
    assert "removed  8080/tcp" in out


def test_a_stream_of_json_has_one_object_a_line(hold: Hold) -> None:
    held = hold(*STATIC, "--json", "web=443:8443")
    changed, added = (json.loads(held.line("")) for _ in range(2))
    assert (changed["v"], changed["event"], changed["external_ip"]) == (1, "external_ip.changed", "1.2.3.4")
    assert added.pop("ts") == pytest.approx(changed["ts"], abs=5)
    assert added == {
        "v": 1,
        "event": "mapping.added",
        "protocol": "TCP",
        "internal_port": 8443,
        "external_port": 443,
        "external_ip": "1.2.3.4",
        "scope": "public",
        "lifetime": 0,
        "name": "web",
        "static": True,
    }
    rest = [json.loads(line) for line in held.end(signal.SIGTERM).out.splitlines()]
    assert "mapping.removed" in [told["event"] for told in rest]


def test_without_a_nat_that_is_said_once(hold: Hold) -> None:
    held = hold("--nat", "none", "80", "81")
    assert "nothing is mapped, the record keeps the local ports" in held.line("none  ")
    assert "none " not in held.end(signal.SIGTERM).out


def test_for_ends_by_itself_and_quiet_says_nothing(hold: Hold) -> None:
    assert hold(*STATIC, "-q", "--for", "1s", "8080").end() == (0, "", "")


def test_quiet_still_tells_what_goes_wrong(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES)
    held = hold("--nat", "acme:NoGateway", "-q", "8080", PYTHONPATH=str(site))
    assert "lost: what happened, and what to try" in held.line("")
    assert held.end(signal.SIGTERM).code == 0


def test_the_bare_form_keeps_trying_rather_than_exit(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES)
    held = hold("--nat", "acme:Conflict", "8080", PYTHONPATH=str(site))
    held.line("failed")
    assert held.process.poll() is None
    assert held.end(signal.SIGINT).code == 0


def test_a_hung_backend_does_not_hold_up_the_exit(hold: Hold, install: Install) -> None:
    source = RAISES.replace("raise self.error", "import time; time.sleep(60); raise self.error")
    site = install("acme-nat", ACME, acme_nat=source)
    held = hold("--nat", "acme:NoGateway", "8080", PYTHONPATH=str(site))
    held.line("asked")
    held.process.send_signal(signal.SIGINT)
    assert held.process.wait(timeout=3.5) == 0


def test_a_reader_that_goes_away_is_no_fault(hold: Hold) -> None:
    held = hold(*STATIC, "8080")
    held.line("asked")
    assert held.process.stdout is not None
    held.process.stdout.close()
    held.process.send_signal(signal.SIGTERM)
    assert held.process.wait(timeout=5) == 0
    assert held.process.stderr is not None
    assert held.process.stderr.read() == ""


def test_an_address_that_cannot_be_learnt_is_told_and_tried_on(hold: Hold, install: Install) -> None:
    site = install("acme-nat", ACME, acme_nat=RAISES.replace("Kind.LOOP", "Kind.STATIC"))
    code, out, _ = hold("--nat", "acme:NoGateway", "--for", "1s", "8080", PYTHONPATH=str(site)).end()
    assert code == exit_codes.NO_GATEWAY
    assert "external unknown: what happened, and what to try" in out


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
