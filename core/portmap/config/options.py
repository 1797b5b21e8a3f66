"""The options of the commands that hold ports, one row each: names, kind of value, default, help. Pure.

From these rows come the command line, the environment's variables, the keys of the configuration file, and what a
reload compares. The command line imports this module at every start, so a parser imports what it needs when called.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Literal, NamedTuple

from portmap.errors import SpecError

LONGEST_LEASE = 7 * 86400  # seconds; a week, the longest of UPnP IGD:2, WANIPConnection:2 §2.3.2
LONGEST_INTERVAL = 86400  # seconds


class Value(Enum):
    """How a value is written."""

    TEXT = "one text"
    DURATION = "one text, or a number of seconds in the file"
    TEXTS = "a repeated flag, a list in the file, one a line in the variable"
    SWITCH = "a flag alone; true or false in the file"
    OFF_SWITCH = "a flag alone that means false; true or false in the file"
    COUNT = "a flag that counts"


HOLDING = ("portmap", "run", "service print")
"""The commands that hold ports, or print how to."""


def as_text(text: str, _what: str) -> object:
    """The text itself."""
    return text


class OptionRow(NamedTuple):
    """One row. `name`: the field of SettingsLayer and Instance, the key in the file, the keyword of `portmap.open`."""

    name: str
    help: str  # without a full stop; the default is added
    flags: tuple[str, ...] = ()
    metavar: str | None = None
    value: Value = Value.TEXT
    parse: Callable[[str, str], object] = as_text  # a text, and what the user calls it; raises SpecError
    default: str = ""  # for people
    variable: str = ""
    in_file: bool = True
    in_map: bool = False  # a [[map]] with its own value is a session of its own
    spec_of: Literal["", "backend", "publisher"] = ""  # what kind of plugin the value names
    secret: bool = False  # it may hold a password: no program that we start inherits the variable
    commands: tuple[str, ...] = HOLDING

    @property
    def help_line(self) -> str:
        """What `--help` says."""
        return f"{self.help}; default: {self.default}." if self.default else f"{self.help}."

    def read(self, texts: Sequence[str], what: str) -> object | None:
        """The value that texts stand for, of which most options have one; None for none. Raises SpecError."""
        values = tuple(self.parse(text, what) for text in texts)
        if not values:
            return None
        return values if self.value is Value.TEXTS else values[0]

    def from_flag(self, given: object) -> object | None:
        """The value that the command line gave, as its parser hands it over; None for none. Raises SpecError."""
        if self.value in (Value.SWITCH, Value.OFF_SWITCH):
            return (self.value is Value.SWITCH) if given else None
        texts = [given] if isinstance(given, str) else given
        return self.read(texts if isinstance(texts, list) else [], self.flags[0])

    def from_variable(self, text: str) -> object | None:
        """The value in the variable; None for an empty one. Raises SpecError."""
        return self.read(self._texts_of_variable(text), self.variable)

    def _texts_of_variable(self, text: str) -> list[str]:
        if self.value is Value.TEXTS:
            return [line.strip() for line in text.splitlines() if line.strip()]
        return [text] if text else []

    def words(self, given: object) -> list[str]:
        """The words of a command line that give this value; none for an option that was not given."""
        flag = self.flags[0]
        if isinstance(given, int):  # a switch or a count
            return [flag] * given
        texts = [given] if isinstance(given, str) else given
        return [word for text in texts for word in (flag, text)] if isinstance(texts, list) else []


def parse_lease(text: str, what: str) -> int:
    """A lease in seconds. Raises SpecError."""
    from portmap.syntax.durations import parse_duration  # noqa: PLC0415  # as above

    return parse_duration(text, what, longest=LONGEST_LEASE)


def parse_interval(text: str, what: str) -> int:
    """The seconds between two checks of the gateway. Raises SpecError."""
    from portmap.syntax.durations import parse_duration  # noqa: PLC0415  # as above

    return parse_duration(text, what, longest=LONGEST_INTERVAL)


def check_path(text: str, what: str) -> str:
    """The text, if a path can be called so. Raises SpecError."""
    if not text or "\0" in text:
        raise SpecError(f"{what} {text!r} is no path: write one")
    return text


def _parse_backend(text: str, _what: str) -> str:
    """The text, if it is a backend's spec or a list of them. Raises SpecError."""
    from portmap.syntax.plugin_specs import parse_backend_spec  # noqa: PLC0415  # as above

    parse_backend_spec(text)
    return text


def _parse_interface(text: str, what: str) -> str:
    """The text, if a network interface can have that name. Raises SpecError."""
    from portmap.syntax.plugin_specs import parse_interface  # noqa: PLC0415  # as above

    return parse_interface(text, what)


def _parse_publisher(text: str, _what: str) -> str:
    """The text, if it is a publisher's spec. Raises SpecError."""
    from portmap.syntax.plugin_specs import parse_spec  # noqa: PLC0415  # as above

    parse_spec(text)
    return text


def _parse_prove(text: str, what: str) -> str:
    """The text, if it is `URL[,every=DUR]`. Raises SpecError, which does not repeat the URL."""
    from portmap.reachability.prove_setting import ProveSetting  # noqa: PLC0415  # as above

    ProveSetting.parse(text, what)
    return text


def _parse_on_conflict(text: str, what: str) -> object:
    """The member of OnConflict. Raises SpecError."""
    from portmap.loop.policy import OnConflict  # noqa: PLC0415  # as above

    try:
        return OnConflict(text)
    except ValueError:
        raise SpecError(f"{what} {text!r} makes no sense: use next or fail") from None


SETTINGS = (
    OptionRow(
        "nat",
        "The gateway: NAME[:ARG], or several as in pcp,upnp",
        ("--nat",),
        "SPEC",
        parse=_parse_backend,
        default="any",
        variable="PORTMAP_NAT",
        in_map=True,
        spec_of="backend",
        secret=True,
    ),
    OptionRow(
        "beyond",
        "The next router towards the internet, behind several routers in a row; auto: look for it; repeatable",
        ("--beyond",),
        "SPEC",
        Value.TEXTS,
        _parse_backend,
        variable="PORTMAP_BEYOND",
        in_map=True,
        spec_of="backend",
        secret=True,
    ),
    OptionRow(
        "interface",
        "The network interface of this host to use, where it has several, as in eth0; Linux only",
        ("--interface",),
        "IFACE",
        parse=_parse_interface,
        variable="PORTMAP_INTERFACE",
        in_map=True,
    ),
    OptionRow(
        "lease",
        "The lifetime to ask the gateway for",
        ("--lease",),
        "DUR",
        Value.DURATION,
        parse_lease,
        default="10m",
        variable="PORTMAP_LEASE",
    ),
    OptionRow(
        "ip_interval",
        "How often to check the gateway and its address",
        ("--ip-interval",),
        "DUR",
        Value.DURATION,
        parse_interval,
        default="60s",
        variable="PORTMAP_IP_INTERVAL",
    ),
    OptionRow(
        "publish",
        "Tell a publisher: exec:CMD, file:PATH, http:URL, enr:KEYFILE, ...; repeatable",
        ("--publish",),
        "SPEC",
        Value.TEXTS,
        _parse_publisher,
        variable="PORTMAP_PUBLISH",
        in_map=True,
        spec_of="publisher",
        secret=True,
    ),
    OptionRow(
        "state",
        "The folder where portmap notes what it holds",
        ("--state",),
        "DIR|none",
        parse=check_path,
        default="the XDG state folder",
        variable="PORTMAP_STATE",
    ),
    OptionRow(
        "on_conflict",
        "If the external port is taken: use the next one, or fail",
        ("--on-conflict",),
        "next|fail",
        parse=_parse_on_conflict,
        default="next",
        variable="PORTMAP_ON_CONFLICT",
    ),
    OptionRow(
        "prove",
        "A responder on the internet that checks the ports again and again; if not given, no such host is asked",
        ("--prove",),
        "URL[,every=DUR]",
        parse=_parse_prove,
        variable="PORTMAP_PROVE",
        secret=True,
    ),
    OptionRow("ipv6", "IPv4 mappings only", ("-4",), value=Value.OFF_SWITCH),
    OptionRow("ipv4", "The IPv6 firewall only (pinholes)", ("-6",), value=Value.OFF_SWITCH),
    OptionRow("allow_private", "Announce an address that is not public", ("--allow-private",), value=Value.SWITCH),
)
"""What can be set for a session. The order is that of `--help`."""

COMMAND_OPTIONS = (
    OptionRow("for_", "End after this time", ("--for",), "DUR", in_file=False),
    OptionRow(
        "config",
        "A TOML file with what to hold; SIGHUP reads it again",
        ("--config",),
        "FILE",
        variable="PORTMAP_CONFIG",
        in_file=False,
        commands=("portmap", "service print"),
    ),
    OptionRow(
        "metrics",
        "Serve metrics to Prometheus",
        ("--metrics",),
        "[HOST:]PORT",
        variable="PORTMAP_METRICS",
        in_file=False,
        commands=("portmap", "service print"),
    ),
    OptionRow("json", "Print JSON for programs, one object per line", ("--json",), value=Value.SWITCH, in_file=False),
    OptionRow("quiet", "Print only what goes wrong", ("--quiet", "-q"), value=Value.SWITCH, in_file=False),
    OptionRow(
        "verbose",
        "Log to stderr; -vv: the messages on the wire, too",
        ("-v", "--verbose"),
        value=Value.COUNT,
        in_file=False,
    ),
)
"""What is for the whole command, and not for one session."""

SPEC_OPTIONS = tuple(option for option in SETTINGS if option.spec_of)
SECRET_OPTIONS = tuple(option for option in SETTINGS if option.secret)
OPTIONS = {option.name: option for option in (*SETTINGS, *COMMAND_OPTIONS)}
MAPPINGS_VARIABLE = "PORTMAP_MAPPINGS"  # blanks or commas in between
VARIABLES = (MAPPINGS_VARIABLE, *(option.variable for option in OPTIONS.values() if option.variable))
