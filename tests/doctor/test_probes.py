"""What is read on this host: who listens, what the firewall says, where we are. Texts as the kernel prints them."""

import json
import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portmap.doctor.probes.firewall import evaluate, read_firewall
from portmap.doctor.probes.network import is_bridged, read_host_network
from portmap.model import Protocol
from portmap.network.listening_sockets import ListeningSocket, listening, parse_table

RULESET_KEYS = ["chain", "rule", "hook", "family", "table", "name", "policy", "expr", "match", "drop", "counter"]
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
ROW = "   0: {} 00000000:0000 {} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0\n"


@pytest.mark.parametrize(
    ("local", "address"),
    [
        ("0100007F:0FA1", "127.0.0.1"),
        ("00000000:0FA1", "0.0.0.0"),  # noqa: S104  # read, not bound
        ("1401A8C0:0FA1", "192.168.1.20"),
        ("00000000000000000000000000000000:0FA1", "::"),
        ("0000000000000000FFFF00001401A8C0:0FA1", "192.168.1.20"),
    ],
)
def test_a_listening_socket_is_read_in_the_kernels_byte_order(local: str, address: str) -> None:
    ((found, inode),) = parse_table(HEAD + ROW.format(local, "0A"), Protocol.TCP)
    assert (str(found.address), found.port, inode) == (address, 4001, "4711")


@pytest.mark.parametrize(
    "line",
    ["", "nonsense", "0: zz:00 0:0 0A", ROW.format("0100007F:0FA1", "01"), ROW.format("010000:0FA1", "0A")],
)
def test_what_does_not_listen_is_passed_over(line: str) -> None:
    assert not list(parse_table(HEAD + line, Protocol.TCP))


@pytest.mark.parametrize(("kind", "protocol"), [(socket.SOCK_STREAM, Protocol.TCP), (socket.SOCK_DGRAM, Protocol.UDP)])
def test_a_real_socket_is_found_and_its_program_named(kind: socket.SocketKind, protocol: Protocol) -> None:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            sock.listen()
        port = sock.getsockname()[1]
        found = [it for it in listening([port]) or () if it.protocol is protocol]
    assert [(it.address, it.port) for it in found] == [(IPv4Address("127.0.0.1"), port)]
    assert "python" in found[0].program or "pytest" in found[0].program


def test_a_socket_that_the_kernel_lists_twice_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "tcp").write_text(HEAD + 2 * (ROW.format("00000000:0FA1", "0A") + "\n"))
    assert listening([4001], tmp_path) == (ListeningSocket(Protocol.TCP, IPv4Address(0), 4001),)


def test_where_the_system_does_not_tell_nothing_is_claimed(tmp_path: Path) -> None:
    assert listening([4001], tmp_path) is None


def test_an_address_of_ipv6_stays_one() -> None:
    line = ROW.format("B80D0120000000000000000001000000:0FA1", "0A")
    assert [it for it, _ in parse_table(HEAD + line, Protocol.TCP)] == [
        ListeningSocket(Protocol.TCP, IPv6Address("2001:db8::1"), 4001)
    ]


def ruleset(*expressions: list[dict[str, Any]], policy: str = "drop", hook: str = "input") -> str:
    where = {"family": "inet", "table": "filter"}
    chain = {"chain": {**where, "name": "in", "type": "filter", "hook": hook, "policy": policy}}
    rules = [{"rule": {**where, "chain": "in", "expr": expression}} for expression in expressions]
    return json.dumps({"nftables": [{"metainfo": {}}, chain, *rules]})


def dport(port: Any) -> list[dict[str, Any]]:
    return [{"match": {"left": {"payload": {"field": "dport"}}, "right": port}}, {"accept": None}]


LAST_DROP: list[dict[str, Any]] = [{"counter": {}}, {"drop": None}]


@pytest.mark.parametrize(
    ("rules", "shut"),
    [
        (ruleset(policy="accept"), False),
        (ruleset(hook="output"), False),
        (ruleset(), True),
        (ruleset(dport(22)), True),
        (ruleset(dport(40015)), True),
        (ruleset(dport(4001)), None),
        (ruleset(dport({"range": [4000, 5000]})), None),
        (ruleset(dport("@open")), None),
        (ruleset(LAST_DROP, policy="accept"), True),
        (ruleset(dport(4001), [{"reject": {}}], policy="accept"), None),
        ('{"nftables": [{"metainfo": {}}]}', False),
        ("", None),
        ("[]", None),
        ('{"nftables": [1]}', None),
    ],
)
def test_a_firewall_is_called_shut_only_where_no_rule_can_mean_the_port(rules: str, shut: bool | None) -> None:
    assert evaluate(rules, [4001]).shut is shut


DEEP = '{"nftables":' + "[" * 100_000 + "]" * 100_000 + "}"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["input", "inet", "drop", "filter"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(RULESET_KEYS) | st.text(), inner),
    max_leaves=20,
)


def test_rules_that_are_nested_too_deeply_are_unknown() -> None:
    assert evaluate(DEEP, [4001]).shut is None


@given(st.lists(json_values), st.booleans())
def test_no_ruleset_raises(items: list[Any], as_chain: bool) -> None:
    chain = {"chain": {"hook": "input", "family": "inet", "table": "t", "name": "c", "policy": "drop"}}
    evaluate(json.dumps({"nftables": [chain, *items] if as_chain else items}), [4001])


def test_a_firewall_that_cannot_be_read_is_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert read_firewall([4001], lambda: None, tmp_path).shut is None
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "needs root" in read_firewall([4001], lambda: "", tmp_path).reason
    (tmp_path / "ufw.conf").write_text("ENABLED=yes\n")
    assert "ufw is on" in read_firewall([4001], lambda: "", tmp_path / "ufw.conf").reason


def test_a_host_that_is_no_container_is_behind_no_bridge() -> None:
    assert not is_bridged((IPv4Address("172.17.0.1"),), "eth0", container=False)
    assert not is_bridged((IPv4Address("192.168.1.1"),), "eth0", container=True)
    assert not is_bridged((), "", container=True)


def test_looking_around_never_fails() -> None:
    assert read_host_network() == read_host_network()
