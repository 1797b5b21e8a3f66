"""What users get wrong, as data: wrong words, by the kind of value that an option wants, for every command there is.

The options are the command's own, asked of the parser: a new one gets its mistakes without a word here, and one whose
kind of value is new fails the collection until its mistakes are written down.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer

from portmap.cli.parser.app import app

LONG = "9" * 4000
STRANGE = (
    "",
    " ",
    "\t\n",
    "\x00",
    "\x1b[31mred\x1b[0m",
    "\x07\x08\x7f",
    "\u202etxt",
    "😀",
    "é",
    "\udcff\udcfe",  # bytes that are no UTF-8, as argv has them
    "%s%n{0}{x}",
    "$(reboot)",
    "`reboot`",
    "; rm -rf /",
    "../../..",
    "/",
    "~",
    "*",
    "-1",
    "0",
    "1e9",
    "0x50",
    "٣",  # a digit, and not one of ours
    "NaN",
    "None",
    "true",
    "null",
    "[]",
    "{}",
    "'",
    '"',
    "\\",
    LONG,
    "x" * 100_000,
)
_PORTS = (
    *(word for word in STRANGE if word != "-1"),
    "65536",
    "80/tcp/udp",
    "80/sctp",
    "80/",
    "/tcp",
    ":80",
    "80:",
    "80:80:80",
    "=80",
    "a=",
    "a=b=80",
    "80-",
    "-80-",
    "90-80",
    "1-65536",
    "80,81",
    "1.2.3.4:80",
    "[::1]:80",
    "http://example.com:80",
    "80=follow=follow",
    "80=fallow",
    "80 81",
)
_SPECS = (
    *(word for word in STRANGE if word not in {"", "None"}),  # no NAT, as go-ethereum has it
    ":",
    "::",
    "nonsense",
    "UPNP2",
    "pmp:",
    "pmp:300.1.1.1",
    "pmp:192.168.1.1:99999",
    "pmp:example.com/",
    "pcp:nonsense",
    "upnp:ftp://192.168.1.1/",
    "upnp:http://",
    "upnp:http://[",
    "extip:",
    "extip:1.2.3",
    "extip:\udcff",
    "if:",
    "none:x",
    "none,",
    ",none",
    "none,nonsense",
    "none;none",
)
_DURATIONS = (*STRANGE, "10x", "h", "1h1d", "1.5h", "-5m", "0s", "9999999d", "10 m", "∞", "10m10m")
_FILES = (
    "",
    "\x00",
    "no/such/file",
    "{folder}",
    "{file}/below",
    "{binary}",
    "{latin}",
    "{huge}",
    "{deep}",
    "{fields}",
    "{loop}",
    "{locked}",
    "/dev/zero",
    "/proc/self/mem",
    "x" * 300,
    "\udcff",
    "😀",
)
_FOLDERS = ("", "\x00", "{file}", "{file}/below", "{loop}", "/dev/null", "x" * 300)
_ADDRESSES = (*STRANGE, "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4/24", "::1", "localhost", "01.02.03.04")
_SERVERS = (
    "",
    "\x00",
    ":",
    ":1",
    "host",
    "host:",
    "host:0",
    "host:65536",
    "host:x",
    "😀:x",
    "[::1",
    "a b:1",
    "\udcff:x",
)

VALUES: dict[str, tuple[str, ...]] = {
    "SPEC": _SPECS,
    "DUR": _DURATIONS,
    "DIR|none": _FOLDERS,
    "DIR": _FOLDERS,
    "FILE": _FILES,
    "next|fail": STRANGE,
    "IFACE": (*_FOLDERS, " ", "\t\n", "\x1b[31m", "\udcff", "eth0 eth1", "eth0/1", "eth0:1", ".", "..", "x" * 16, LONG),
    "[HOST:]PORT": (*(word for word in STRANGE if word != "0"), "65536", ":80", "host:80", "1.2.3.4:", "[::1:80"),
    "IP": _ADDRESSES,
    "ADDR": (*(word for word in _ADDRESSES if word != "::1"), "127.0.0.1:80"),
    "[ADDR:]PORT": (
        *(word for word in STRANGE if word != "0"),
        "65536",
        ":80",
        "host:80",
        "1.2.3.4:",
        "[::1:80",
        "::1",
    ),
    "URL": (*STRANGE, "example.org", "ftp://example.org/", "http://", "http://h:0/", "http://[", "https://u:p@h:x/"),
    "URL[,every=DUR]": (
        *STRANGE,
        "example.org",
        "http://",
        "http://h/,every=1s",
        "http://h/,every=",
        "http://[,every=5s",
    ),
    "PORT...": (*_PORTS, "1-17", "follow"),
    "HOST:PORT": _SERVERS,
    "1|2": (*STRANGE, "3", "1.0", "two"),
    "NAME[=VALUE]": (*STRANGE, "no_such_quirk", "no_such_quirk=1", "=", "=1"),
    "MAPPING...": _PORTS,
    "[MAPPING]...": _PORTS,
    "[MAPPING]": _PORTS,
    "NAME": (
        *(word for word in STRANGE if word not in {"true", "null"}),
        "Acme",
        "1st",
        "a--b",
        "-a",
        "a_b",
        "upnp",
        "x" * 41,
    ),
}
"""The kind of a value, as the help shows it: what is none."""

ANSWERS = {"[INSTANCE]"}  # any word may be the name of an instance that is not there
UNKNOWN = (
    "--bogus",
    "--bogus=1",
    "--help=1",
    "--jsno",
    "--JSON",
    "-Z",
    "-jq",
    "---",
    "--=",
    "--=x",
    "--\x00",
    "--😀",
    "--\udcff",
    "--no-json",
    "--" + "x" * 10_000,
    "-\x1b",
    "--nat-",
    "--version=2",
    "-4x",
)


class Command(NamedTuple):
    """A command, its words, and words that make it do next to nothing."""

    words: tuple[str, ...]
    parser: Any
    well: tuple[str, ...] = ()


_WELL: dict[str, tuple[str, ...]] = {
    "": ("--for", "1s"),
    "run": ("8080",),
    "open": ("8080",),
    "close": ("8080",),
    "check": ("8080",),
    "echo": ("--for", "1s", "--listen", "127.0.0.1:0"),
    "router": ("--for", "1s", "--address", "127.97.1.1"),
    "plugins new": ("acme",),
    "config check": ("{fine}",),
}
_AFTER = {"run": ("--", "true")}


def commands() -> dict[str, Command]:
    """Every command by its words; "" is the bare form."""
    return {" ".join(words): Command(words, parser) for words, parser in _below((), typer.main.get_command(app))}


def _below(words: tuple[str, ...], parser: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    below = getattr(parser, "commands", {})
    if not below or getattr(parser, "invoke_without_command", False):
        yield words, parser
    for name, inner in below.items():
        yield from _below((*words, name), inner)


def mistakes(name: str, paths: dict[str, Path]) -> Iterator[list[str]]:
    """What can be got wrong with a command, one mistake an invocation. `paths` are bad files by name."""
    command = commands()[name]
    well = [_filled(word, paths) for word in _WELL.get(name, ())]
    for wrong in _wrong_words(command):
        yield [*command.words, *well, *(_filled(word, paths) for word in wrong), *_AFTER.get(name, ())]
    for only in _wrong_alone(command):
        yield [*command.words, *(_filled(word, paths) for word in only), *_AFTER.get(name, ())]


def _wrong_words(command: Command) -> Iterator[tuple[str, ...]]:
    yield from ((word,) for word in UNKNOWN)
    for param in command.parser.params:
        if param.param_type_name == "argument":
            continue
        option = param.opts[0]
        if getattr(param, "is_flag", False) or getattr(param, "count", False):
            yield from ((f"{option}={value}",) for value in ("yes", "", "😀") if option.startswith("--"))
        else:
            yield from ((option, value) for value in VALUES[param.metavar])
            yield from ((f"{option}=",) for _ in range(param.metavar != "SPEC"))


def _wrong_alone(command: Command) -> Iterator[tuple[str, ...]]:
    """What is wrong with the words that are no options."""
    arguments = [param for param in command.parser.params if param.param_type_name == "argument"]
    for argument in arguments:
        if argument.metavar not in ANSWERS:
            yield from ((value,) for value in VALUES[argument.metavar] if not value.startswith("-"))
    if not any(argument.nargs == -1 for argument in arguments):
        enough = ("8080",) * len(arguments)
        yield from ((*enough, value) for value in STRANGE if not value.startswith("-"))
        yield (*enough, "one", "two", "three")


def _filled(word: str, paths: dict[str, Path]) -> str:
    for name, path in paths.items():
        word = word.replace(f"{{{name}}}", str(path))
    return word
