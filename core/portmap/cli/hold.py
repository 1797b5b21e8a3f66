"""The bare form: hold the mappings until a signal, or until the time is up."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import portmap
from portmap.cli import logs
from portmap.cli.durations import parse_duration
from portmap.cli.exits import complain, silence_stdout
from portmap.cli.render import Renderer, as_json_line, for_people, line
from portmap.cli.signals import Ending
from portmap.errors import SpecError
from portmap.events import MappingAdded
from portmap.model import Key, Kind
from portmap.opening import default_mappings
from portmap.pinhole import PinholeAdded
from portmap.policy import OnConflict
from portmap.requests import parse_mappings
from portmap.session import Session
from portmap.state import default_folder, make_folder

WEEK = 7 * 86400  # the longest lease of UPnP IGD:2, WANIPConnection:2 §2.3.2
DAY = 86400
YEAR = 365 * DAY

SHOWN = 8  # ports that are greeted one by one
SEED = ("30303/both",)  # go-ethereum's port


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asked for, checked. `mappings` empty: what the backend maps by default, else `SEED`.

    `lease` None: what the backend asks for by default.
    """

    nat: str
    mappings: tuple[str, ...]
    lease: int | None
    ip_interval: int
    publish: tuple[str, ...]
    seconds: int | None
    state: Path | None
    on_conflict: OnConflict
    ipv4: bool = True
    ipv6: bool = True

    @classmethod
    def read(
        cls,
        mappings: Sequence[str],
        nat: str,
        lease: str | None = None,
        ip_interval: str = "60s",
        publish: Sequence[str] = (),
        for_: str | None = None,
        state: str | None = None,
        on_conflict: str = "next",
        *,
        only_ipv4: bool = False,
        only_ipv6: bool = False,
    ) -> Self:
        """Check the command line's words. Raises SpecError."""
        parse_mappings(mappings)
        return cls(
            nat,
            tuple(mappings),
            None if lease is None else parse_duration(lease, "--lease", longest=WEEK),
            parse_duration(ip_interval, "--ip-interval", longest=DAY),
            tuple(publish),
            parse_duration(for_, "--for", longest=YEAR) if for_ is not None else None,
            folder_of(state),
            _on_conflict(on_conflict),
            ipv4=only_ipv4 or not only_ipv6,
            ipv6=only_ipv6 or not only_ipv4,
        )


def open_session(wish: Wish) -> Session:
    """The session that was wished for. Raises SpecError and PluginError."""
    return portmap.open(
        wish.nat,
        wish.mappings or default_mappings(wish.nat) or SEED,
        lease=wish.lease,
        ip_interval=float(wish.ip_interval),
        publish=wish.publish,
        state=wish.state,
        on_conflict=wish.on_conflict,
        ipv4=wish.ipv4,
        ipv6=wish.ipv6,
    )


def hold(wish: Wish, *, as_json: bool, quiet: bool, verbosity: int) -> None:
    """Hold until SIGINT, SIGTERM or the end of the time; then delete what is held. Raises PortmapError."""
    logs.set_up(verbosity)
    plain = not (as_json or quiet)
    show = as_json_line if as_json else for_people(quiet=quiet, renewals=verbosity > 0)
    end = _End()
    with Ending(end.ask), open_session(wish) as session:
        end.concerns(session, wish.seconds)
        try:
            if plain:
                _greet(wish, session)
            _show_all(session, show, hint=plain)
        except BrokenPipeError:
            silence_stdout()
    session.raise_fault()


def folder_of(text: str | None) -> Path | None:
    """Where to remember ports; None for "none", and where the folder that nobody chose cannot be used."""
    if text is not None:
        return None if text == "none" else Path(text)
    folder = default_folder()
    try:
        make_folder(folder)
    except SpecError as error:
        complain(f"ports are not remembered: {error}")
        return None
    return folder


def _on_conflict(text: str) -> OnConflict:
    try:
        return OnConflict(text)
    except ValueError:
        raise SpecError(f"--on-conflict {text!r} makes no sense: use next or fail") from None


def _greet(wish: Wish, session: Session) -> None:
    asked = _briefly([f"{it.internal_port}/{it.protocol.lower()}" for it in session.requests])
    default = "" if wish.mappings else "  (the default: no MAPPING was given)"
    _print(line("asked", f"{asked} via {wish.nat or 'none'}{default}", time.time()))
    if session.kind is Kind.NONE:
        _print(line("none", "no NAT is spoken to: nothing is mapped, the record keeps the local ports", time.time()))


def _briefly(ports: Sequence[str]) -> str:
    if len(ports) <= SHOWN:
        return " ".join(ports)
    return f"{ports[0]} … {ports[-1]} ({len(ports)} ports)"


def _show_all(session: Session, show: Renderer, *, hint: bool) -> None:
    """Print every event to the session's end; once, when all ports are open, how to close them."""
    hint_at = len(session.requests) if hint else None
    opened: set[Key] = set()
    for event in session.events():
        text = show(event, time.time())
        if text is not None:
            _print(text)
        if isinstance(event, MappingAdded | PinholeAdded):
            opened.add(event.key)
        if len(opened) == hint_at:
            hint_at = None
            _print(line("holding", f"{_count(len(opened))}; Ctrl-C closes", time.time()))


def _count(mappings: int) -> str:
    return f"{mappings} mapping" + ("s" if mappings != 1 else "")


def _print(text: str) -> None:
    print(text, flush=True)  # somebody may be reading a pipe, line by line


class _End:
    """The end of a session that may not have begun yet: asked for by a signal, or by the clock."""

    def __init__(self) -> None:
        self._session: Session | None = None
        self._asked = False

    def ask(self) -> None:
        """End the session, now or when it begins."""
        self._asked = True
        if self._session is not None:
            self._session.stop()

    def concerns(self, session: Session, seconds: int | None) -> None:
        """Name the session to end, after so many seconds if any are given."""
        self._session = session
        if self._asked:
            session.stop()
        if seconds is not None:
            timer = threading.Timer(seconds, session.stop)
            timer.daemon = True
            timer.start()
