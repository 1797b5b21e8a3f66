"""A configuration file whose parts contradict each other: told when it is checked, not when it runs."""

from pathlib import Path

import pytest

from portmap.cli.commands.config import print_check
from portmap.cli.config_file import check_targets
from portmap.config.file import ConfigError, parse_config
from portmap.config.settings import SettingsLayer, resolve
from portmap.errors import SpecError

TWO = '{}\n[[map]]\nport = 1\n[[map]]\nport = 2\nnat = "none"\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ipv4 = false\nipv6 = false\n", 2),
        ("ipv6 = false\n[[map]]\nport = 1\n[[instance]]\nipv4 = false\n[[instance.map]]\nport = 2\n", 5),
        ("ipv4 = false\nipv6 = false\n[[instance]]\nipv4 = false\n[[instance.map]]\nport = 1\n", 2),
    ],
)
def test_without_ipv4_and_ipv6_nothing_is_left(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(text)
    (fault,) = raised.value.faults
    assert (fault.line, fault.text.startswith("IPv4 and IPv6 are both switched off")) == (line, True)


def test_two_instances_do_not_share_a_file_that_each_would_replace(tmp_path: Path) -> None:
    path = tmp_path / "portmap.toml"
    path.write_text(TWO.format('publish = ["file:ports.txt"]'))
    with pytest.raises(SpecError, match=r"instances any and none publish to the same file.*give each one of its own"):
        print_check(path, as_json=False)


def test_a_file_that_the_command_line_gives_to_two_instances_is_refused_too() -> None:
    file = parse_config(TWO.format(""))
    with pytest.raises(SpecError, match="publish to the same file"):
        check_targets(resolve(SettingsLayer(publish=("file:ports.txt",)), file))


@pytest.mark.parametrize(
    "client", ["qbittorrent:http://USER:PASSWORD@nas", "transmission:http://nas", "deluge:http://nas"]
)
def test_two_instances_do_not_tell_one_torrent_client_which_would_get_their_ports_in_turn(client: str) -> None:
    with pytest.raises(SpecError, match=f"publish to the same {client.partition(':')[0]}"):
        check_targets(parse_config(TWO.format(f'publish = ["{client}"]')).instances)


@pytest.mark.parametrize("publish", ["exec:true", "http://nas.lan/port", "qbittorrent:http://nas?name=bt"])
def test_what_no_instance_replaces_may_be_shared(publish: str) -> None:
    check_targets(parse_config(TWO.format(f'publish = ["{publish}"]')).instances)
