"""Words of the network: shown, logged and raised without control characters."""

import io
import logging
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from portmap import errors
from portmap.backends.nat import Nat
from portmap.cli import logs
from portmap.cli.exit_codes import print_error
from portmap.cli.output.events import HumanRenderer
from portmap.errors import PortmapError, Refused
from portmap.events import GatewayLost
from portmap.hookspecs import hookimpl
from portmap.model import Kind
from portmap.printable import printable

HOSTILE = "\x1b[2J\x07gone\u202e\n12:00:00 mapped"
HARMLESS = "?[2J?gone? 12:00:00 mapped"
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PortmapError)]


class Hostile:
    """A backend that says what drives a terminal."""

    kind: ClassVar[Kind] = Kind.LOOP

    def __str__(self) -> str:
        return HOSTILE

    @hookimpl
    def external_ip(self) -> Any:
        raise Refused(HOSTILE, text=HOSTILE)

    @hookimpl
    def add_mapping(self, **_: Any) -> Any:
        raise Refused(HOSTILE)

    @hookimpl
    def delete_mapping(self, **_: Any) -> None:
        raise Refused(HOSTILE)

    @hookimpl
    def evidence(self) -> tuple[str, ...]:
        return (HOSTILE,)


def test_control_characters_are_replaced() -> None:
    assert printable(HOSTILE) == HARMLESS


def test_plain_text_stays_as_it_is() -> None:
    assert printable("FRITZ!Box 7590, Gerätename") == "FRITZ!Box 7590, Gerätename"


def test_an_event_line_is_printable() -> None:
    shown = HumanRenderer()(GatewayLost(gateway="x", reason=HOSTILE), 0.0)
    assert shown is not None
    assert shown.isprintable()


def test_an_error_line_is_printable(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(HOSTILE)
    assert capsys.readouterr().err == f"portmap: {HARMLESS}\n"


@pytest.mark.parametrize("kind", ERRORS)
def test_the_text_of_every_error_is_printable(kind: type[PortmapError]) -> None:
    assert str(kind(HOSTILE)) == HARMLESS


def test_what_a_library_gets_of_a_backend_is_printable() -> None:
    nat = Nat(Hostile(), "hostile")
    with pytest.raises(Refused) as raised:
        nat.external_ip()
    assert [str(raised.value), str(nat), *nat.evidence()] == [HARMLESS] * 3


@pytest.fixture
def log_line() -> Iterator[Any]:
    """The text that -v and -vv write for a call of logging."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.PrintableFormatter("%(name)s %(message)s"))
    logger = logging.getLogger("portmap.test")
    logger.addHandler(handler)

    def logged(*message: object, **more: Any) -> str:
        logger.warning(*message, **more)
        return stream.getvalue().removesuffix("\n")

    yield logged
    logger.removeHandler(handler)


def test_a_log_line_is_printable_and_one_line(log_line: Any) -> None:
    assert log_line("said %s", HOSTILE) == f"portmap.test said {HARMLESS}"


def test_a_traceback_in_the_log_is_printable_line_by_line(log_line: Any) -> None:
    text = log_line("failed", exc_info=ValueError(HOSTILE))
    assert "\n" in text
    assert all(line.isprintable() for line in text.split("\n"))
