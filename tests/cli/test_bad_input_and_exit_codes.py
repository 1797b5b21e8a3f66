"""The command: bad input is one line that names the fault and the fix; each end has its exit code."""

from pathlib import Path

import pytest
from tests.cli.run_command import ACME, RAISES, Hold, Install, Run

from portmap.cli import exit_codes
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

# bad input: one line that names the fault and the fix, exit 2, nothing sent


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("0",), "port 0 is out of range: use 1 to 65535"),
        (("65536",), "port 65536 is out of range: use 1 to 65535"),
        (("80:99999",), "port 99999 is out of range"),
        (("http",), "write [NAME=][EXT:]INT[@HOST][/tcp|udp|both]"),
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
        (("open", "--nat", "pmp:127.0.0.1"), "Missing argument 'MAPPING...'"),
        (("--nat", "pmp:127.0.0.1", "--verison"), "No such option: --verison (Possible options: --metrics, --ver"),
        (
            ("80", "--prove", "x"),
            "portmap: the responder (--via, --prove) cannot be asked: the URL begins with neither",
        ),
        (("doctor", "80@192.168.1.5"), "looks at this computer only: leave @HOST out, or run it on the other host"),
        (("close", "--force", "80@192.168.1.5"), "only what leads to this computer: run it on the other host"),
        (
            ("open", "--nat", "punch:127.0.0.1:9+127.0.0.2:9", "80"),
            "only while portmap runs, so it cannot be left open: write it without open",
        ),
        (("open", "80", "--nat", ""), "none opens no ports: choose a gateway, as in --nat any"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(run: Run, words: tuple[str, ...], told: str) -> None:
    code, out, err = run(*(("--nat", "none") if "--nat" not in words and "ip" not in words else ()), *words)
    assert code == 2
    assert out == "" or " asked " in out  # said at once, before anything is loaded
    assert err.startswith("portmap: ")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("group", ["service", "config"])
def test_a_group_without_its_command_says_so_in_a_line(run: Run, group: str) -> None:
    assert run(group) == (2, "", f"portmap: Missing command. (try: portmap {group} --help)\n")


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
