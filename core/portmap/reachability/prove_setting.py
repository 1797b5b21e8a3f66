"""ProveSetting: `URL[,every=DUR]`, as `--prove`, the file and the variable have it. Pure."""

from dataclasses import dataclass, replace

from portmap.errors import SpecError
from portmap.reachability.echo import EchoClient
from portmap.syntax.durations import parse_duration

EVERY = 300  # seconds between two checks of a port that is reached
LEAST, LONGEST = 5, 86400  # seconds that a user may choose


@dataclass(frozen=True, slots=True)
class ProveSetting:
    """`URL[,every=DUR]`: the responder, and the seconds between two checks.

    `relays`: the backend in use itself hands on what arrives.
    """

    responder: EchoClient
    every: int = EVERY
    relays: bool = False

    @classmethod
    def parse(cls, text: str, what: str = "--prove") -> "ProveSetting":
        """Read it. Raises SpecError, which does not repeat the URL: it may hold a password."""
        url, comma, option = text.rpartition(",every=")
        if not comma:
            return cls(EchoClient.parse(text))
        try:
            every = parse_duration(option, what, longest=LONGEST)
        except SpecError:  # it repeats the text, which may be the end of a password with ",every=" in it
            raise SpecError(f"{what}: what follows the last ,every= is no duration of {LEAST}s to 1d") from None
        if every < LEAST:
            raise SpecError(f"{what} every={option} is too often: use {LEAST}s or more")
        return cls(EchoClient.parse(url), every)

    def at(self, interface: str | None, *, relays: bool) -> "ProveSetting":
        """The same, with the responder asked by this interface (None: as the routes say), and for such a backend."""
        return replace(self, responder=replace(self.responder, interface=interface), relays=relays)
