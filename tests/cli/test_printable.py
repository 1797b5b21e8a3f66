import pytest

from portmap.cli.exit_codes import print_error
from portmap.cli.output.events import human_renderer
from portmap.cli.terminal import printable
from portmap.events import GatewayLost

HOSTILE = "\x1b[2J\x07gone\u202e\n12:00:00 mapped"


def test_a_gateways_words_cannot_drive_the_terminal() -> None:
    shown = human_renderer()(GatewayLost(gateway="x", reason=HOSTILE), 0.0)
    assert shown is not None
    assert shown.isprintable()


def test_a_complaint_is_one_harmless_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(HOSTILE)
    assert capsys.readouterr().err == "portmap: ?[2J?gone? 12:00:00 mapped\n"


def test_plain_text_stays_as_it_is() -> None:
    assert printable("FRITZ!Box 7590, Gerätename") == "FRITZ!Box 7590, Gerätename"
