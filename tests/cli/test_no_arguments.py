"""`portmap` without a port: help, or the ports of an Ethereum node where a gateway, publisher or file is named."""

import pytest

from portmap.cli.parser import app
from portmap.cli.parser.app import main


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as end:
        main(words)
    told = capsys.readouterr()
    return end.value.code, told.out, told.err


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NAT", "MAPPINGS", "PUBLISH", "CONFIG"):
        monkeypatch.delenv(f"PORTMAP_{name}", raising=False)


def test_no_argument_at_all_prints_a_short_help_and_two_examples(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ended(capsys)
    assert (code, err) == (0, "")
    assert "  portmap 25565 " in out
    assert "  portmap doctor 25565 " in out
    assert len(out.splitlines()) < 12


@pytest.mark.parametrize("words", [["--lease", "1h"], ["--json"], ["-4"], ["--for", "1s"], ["-v"]], ids=" ".join)
def test_options_without_a_port_open_nothing(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ended(capsys, *words)
    assert code == 2
    assert err.startswith("portmap: no port was named: write one, as in portmap 25565")


def test_a_named_gateway_without_a_port_opens_the_node_ports_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ended(capsys, "--nat", "none", "--for", "1s")
    assert code == 0
    assert "30303/tcp 30303/udp via none  (the default: no MAPPING was given)" in out


def test_a_publisher_without_a_port_opens_them_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTMAP_NAT", "none")
    _, out, _ = ended(capsys, "--publish", "exec:true", "--for", "1s")
    assert "30303/tcp 30303/udp" in out


def test_a_file_without_a_map_opens_them_too(
    capsys: pytest.CaptureFixture[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("config") / "portmap.toml"
    file.write_text('nat = "none"\n')
    _, out, _ = ended(capsys, "--config", str(file), "--for", "1s")
    assert "30303/tcp 30303/udp" in out


def test_the_short_help_fits_a_terminal() -> None:
    assert max(map(len, app.SHORT_HELP.splitlines())) <= 80
