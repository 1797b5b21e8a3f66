"""The configuration file: what it says, its faults by line, and `portmap config check`."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.config.file_texts import FULL, NOTHING, asked

from portmap.cli.commands.config import print_check
from portmap.cli.config_file import check_spec, load_config
from portmap.config.file import ConfigError, parse_config
from portmap.config.settings import (
    ConfigFile,
    Instance,
    MappingText,
)
from portmap.config.toml_table import line_of, lines_of
from portmap.errors import SpecError
from portmap.loop.policy import OnConflict
from portmap.model import PortRequest, Protocol


def instances(text: str) -> dict[str, Instance]:
    return {instance.name: instance for instance in parse_config(text).instances}


def faults(text: str) -> list[tuple[int, str]]:
    with pytest.raises(ConfigError) as raised:
        parse_config(text)
    return [(fault.line, fault.text) for fault in raised.value.faults]


# the file


def test_maps_without_a_gateway_of_their_own_are_one_instance() -> None:
    assert asked(instances(FULL)["upnp"]) == [
        ("TCP", 8443, 443, "web", 3600),
        ("UDP", 27015, 0, "", 600),
        ("UDP", 27016, 0, "", 600),
    ]


def test_a_map_may_lead_to_another_host() -> None:
    text = "[[map]]\nport = 8443\nexternal = 443\nhost = 'NAS.lan'\n\n[[map]]\nport = 8443\n"
    (instance,) = parse_config(text).instances
    assert [str(request.key) for request in instance.requests(600)] == ["TCP 8443@nas.lan", "TCP 8443"]


def test_a_map_with_a_gateway_of_its_own_is_an_instance() -> None:
    instance = instances(FULL)["protonvpn"]
    assert (instance.nat, instance.publish) == ("protonvpn", ())
    assert [(it.protocol, it.follow, it.paired) for it in instance.requests(600)] == [
        ("TCP", True, True),
        ("UDP", True, True),
    ]


def test_an_instance_inherits_what_stands_at_the_top() -> None:
    assert instances(FULL)["home"] == Instance(
        name="home",
        nat="pmp:192.168.1.1",
        mappings=(MappingText("22000/both"),),
        publish=("file:/run/ports",),
        lease=3600,
        ip_interval=30,
        state="none",
        on_conflict=OnConflict.FAIL,
    )


def test_an_empty_file_says_nothing() -> None:
    assert parse_config("") == ConfigFile(NOTHING, ())


def test_instances_without_a_name_are_called_after_their_gateway() -> None:
    text = '[[instance]]\n[[instance.map]]\nport=1\n[[instance]]\nnat="upnp"\n[[instance.map]]\nport=1\n'
    assert list(instances(text + "[[map]]\nport=3\n")) == ["any", "any-2", "upnp"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ('nat = "any"\nleese = "1h"\n', 2, "unknown key 'leese': did you mean 'lease'?"),
        ("zzzzz = 1\n", 1, "unknown key 'zzzzz': use "),
        ("[[map]]\n\n  prot = 1\nport = 1\n", 3, "did you mean 'port'?"),
        ("nat = 5\n", 1, "nat is 5, which is no text: put it in quotes"),
        ("publish = 'file:x'\n", 1, "publish is no list: put it in brackets"),
        ("publish = [\n  'file:x',\n  7,\n]\n", 1, "publish is 7, which is no text"),
        ("lease = true\n", 1, "lease is True, which is neither a number nor a text"),
        ("lease = '1x'\n", 1, "lease '1x' is no duration"),
        ("ip_interval = '2d'\n", 1, "ip_interval '2d' is out of range"),
        ("on_conflict = 'maybe'\n", 1, "on_conflict 'maybe' makes no sense: use next or fail"),
        ("nat = ' upnp'\n", 1, "white space"),
        ("[[map]]\nport = 1\n\n[[map]]\nname='x'\n", 4, "this map has no port"),
        ("[[map]]\nport = 0\n", 2, "port 0 is out of range"),
        ("[[map]]\nport = 1.5\n", 2, "port is 1.5, which is neither a number nor a text"),
        ("[[map]]\nport = -1\n", 2, "where a port is due"),
        ("[[map]]\nport = 1\nexternal = 70000\n", 3, "port 70000 is out of range"),
        ("[[map]]\nport = 1\nname = 'we b'\n", 3, "unusable name 'we b'"),
        ("[[map]]\nport = 1\nprotocol = 'tpc'\n", 3, "protocol 'tpc' is unknown: use tcp, udp, both"),
        ("[[map]]\nport = 1\nhost = 'a b'\n", 3, "host 'a b' is no IPv4 address and no name"),
        ("[[map]]\nport = 1\nhost = '8.8.8.8'\n", 3, "host 8.8.8.8 is not of a private network"),
        ("[[map]]\nport = 1\nhost = 5\n", 3, "host is 5, which is no text"),
        ("[[map]]\nport = 'follow'\nhost = 'nas'\n", 2, "cannot be told which port to follow"),
        ("[[map]]\nport = 'follow'\nexternal = 4\n", 3, "with follow the gateway chooses it"),
        ("[[map]]\nport = 1\n[[map]]\nport = 1\n", 4, "TCP 1 is asked for twice"),
        ("[[map]]\nport = 1\n[[instance]]\n[[instance.map]]\nport = 1\n", 5, "TCP 1 is asked for twice"),
        ("[map]\nport = 1\n", 1, "map is no list of tables: write [[map]]"),
        ("[[instance]]\n[instance.map]\nport = 1\n", 2, "write [[instance.map]]"),
        ("instance = 3\n", 1, "instance is no list of tables"),
        ("\n[[instance]]\nnat = 'upnp'\n", 2, "this instance has no mapping"),
        ("[[instance]]\nname = ''\n[[instance.map]]\nport = 1\n", 2, "name '' cannot be used"),
        ("nat = any\n", 1, "this is no TOML"),
        ("nat = 'any'\nnat = 'any'\n", 2, "this is no TOML"),
        ("\nnat = '''", 2, "this is no TOML"),
        ("a = " + "[" * 5000, 1, "nested too deeply"),
        ("#" * (1 << 16) + "\n", 1, "more than 64 KiB"),
        ("".join(f"[[map]]\nport={n}\n" for n in range(1, 2003)), 4001, "more than 2000 maps"),
        ("".join(f"[[map]]\nport='1-1000'\nnat='a{n}'\n" for n in range(21)), 62, "more than 20000 ports"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_line(text: str, line: int, says: str) -> None:
    (fault,) = faults(text)
    assert fault[0] == line
    assert says in fault[1]


def test_all_faults_are_told_at_once_in_order() -> None:
    assert [line for line, _ in faults("[[map]]\nport = 0\n[[map]]\nlease = 'x'\nport = 2\n[[instance]]\n")] == [
        2,
        4,
        6,
    ]


def test_two_instances_have_two_names() -> None:
    both = '[[instance]]\nname="a"\n[[instance.map]]\nport=1\n'
    assert faults(both + both.replace("port=1", "port=2")) == [
        (6, "name 'a' is another instance's: choose another one")
    ]


def test_one_port_of_two_gateways_is_no_fault() -> None:
    assert len(instances('[[map]]\nport=1\nnat="pmp"\n[[map]]\nport=1\nnat="upnp"\n')) == 2


def test_the_error_of_a_file_says_where_and_how_many_more() -> None:
    with pytest.raises(ConfigError, match=r"^my.toml:1: unknown key 'x': .* \(and 1 more: try portmap config check\)$"):
        parse_config("x = 1\ny = 2\n", "my.toml")


def test_a_spec_is_judged_where_it_stands() -> None:
    def judge(key: str, spec: str) -> None:
        raise SpecError(f"no {key} {spec}")

    with pytest.raises(ConfigError, match="x:2: no nat acme"):
        parse_config("\nnat = 'acme'\n", "x", judge)


# lines


def test_keys_in_strings_comments_and_arrays_are_no_keys() -> None:
    text = 'a = """\nb = 1\n[c]\n"""\n# d = 1\ne = [\n  "f = 1",\n  \'g = "#\',\n]\nh = 1\n'
    assert {place: line for place, line in lines_of(text).items() if place} == {("a",): 1, ("e",): 6, ("h",): 10}


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("map", 0, "port"), 3),
        (("map", 1), 4),
        (("map", 1, "a b", "c"), 5),
        (("instance", 0, "map", 1, "port"), 9),
        (("instance", 1, "map", 0, "port"), 12),
        (("instance", 1, "nat"), 10),
        (("nowhere",), 1),
    ],
)
def test_a_value_is_found_in_its_own_table(place: tuple[str | int, ...], line: int) -> None:
    text = (
        "\n[[map]]\nport = 1\n[[map]]\n'a b' . c = 2\n[[instance]]\n[[instance.map]]\n[[ instance . map ]]\nport = 3\n"
        "[[instance]]\n[[instance.map]]\nport = 4\n"
    )
    assert line_of(lines_of(text), place) == line


# portmap config check


Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str) -> Path:
        path = tmp_path / "portmap.toml"
        path.write_text(text)
        return path

    return put


def test_a_file_that_is_fine_is_counted(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write('nat = "none"\n[[map]]\nport = 1\n[[instance]]\nnat="any:none"\n[[instance.map]]\nport = "2-3"\n')
    assert print_check(path, as_json=False) == 0
    assert capsys.readouterr().out == f"{path}: ok, 2 instances, 3 mappings\n"


def test_a_mark_of_the_byte_order_at_the_begin_is_no_fault(write: Write) -> None:
    assert len(load_config(write("\ufeff[[map]]\nport = 1\n")).instances) == 1  # as Windows' Notepad writes it


def test_every_fault_is_a_line(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    path = write("nat = 'nonne'\n[[map]]\nport = 0\n")
    assert print_check(path, as_json=False) == 2
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}:1: unknown backend 'nonne': did you mean 'none'?")
    assert second.startswith(f"{path}:3: ")


def test_a_publisher_that_is_not_installed_is_a_fault(write: Write) -> None:
    with pytest.raises(ConfigError, match="unknown publisher 'acme'"):
        load_config(write("publish = ['acme:x']\n"))


def test_a_list_of_gateways_is_judged_one_by_one(write: Write) -> None:
    with pytest.raises(ConfigError, match="unknown backend 'acme'"):
        load_config(write("nat = 'none,acme'\n"))


def test_a_file_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nowhere\.toml cannot be read: " + os.strerror(2)):
        load_config(tmp_path / "nowhere.toml")


def test_a_file_that_is_no_text_says_so(write: Write) -> None:
    path = write("")
    path.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SpecError, match="it is no text"):
        load_config(path)


def test_a_request_is_what_the_command_line_would_make_of_it() -> None:
    assert MappingText("80", 60).requests(600) == (PortRequest(Protocol.TCP, 80, lifetime=60),)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "row",
    ["[[map]]\nport={n}\n", "[[map]]\nport='1-1000'\nnat='a{n}'\n", "k{n}=1\n", "[[map]]\nport={n}\nx{n}=1\n"],
    ids=["maps", "ranges", "unknown keys", "unknown keys of maps"],
)
def test_the_largest_file_is_judged_in_no_time(row: str) -> None:
    text = "".join(row.format(n=n) for n in range(1, 8000))[:65_536].rpartition("\n")[0]
    began = time.process_time()
    assert faults(text)
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        'publish = "http://u:canary@h/"',
        'publish = [" http://u:canary@h/"]',
        'publish = ["nope://u:canary@h/"]',
        'publish = ["http:canary\\u0007"]',
        'publish = [["http:canary"]]',
        'publish = {a = "http:canary"}',
        'publish = ["http:canary"',
        'nat = "upnp:canary "',
        'nat = "pmp:canary, upnp"',
        'nat = ["pmp:canary"]',
    ],
)
def test_no_fault_repeats_a_publishers_spec_or_a_backends_argument(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(f"{text}\n[[map]]\nport = 80\n", "the file", check_spec)
    assert not [fault for fault in caught.value.faults if "canary" in fault.text]
    assert "canary" not in str(caught.value)


def test_the_same_port_by_two_interfaces_makes_two_instances() -> None:
    text = 'nat = "pmp"\n' + "".join(f'[[map]]\nport = 80\ninterface = "{name}"\n' for name in ("eth0", "eth1"))
    assert [it.gateway for it in parse_config(text).instances] == ["pmp on eth0", "pmp on eth1"]


@pytest.mark.parametrize("name", ["eth 0", "eth/0", "x" * 16])
def test_an_interface_that_cannot_be_is_a_fault_with_its_line(name: str) -> None:
    ((line, text),) = faults(f'interface = "{name}"\n[[map]]\nport = 80\n')
    assert line == 1
    assert "without blank, slash and colon" in text
