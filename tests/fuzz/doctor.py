"""What the doctor and the replay read: the rules of a firewall, and captures."""

from tests.fuzz.files import JSON_WORDS

from portmap.doctor.probes.firewall import evaluate
from portmap.simulator.replay import Replay

LIMIT = 16 * 1024
RULES = (
    (
        b'{"nftables": [{"metainfo": {"version": "1.0"}}, {"chain": {"family": "inet", "table": "filter", "name":'
        b' "input", "hook": "input", "policy": "drop"}},'
        b' {"rule": {"family": "inet", "table": "filter", "chain": "input", "expr":'
        b' [{"match": {"left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 22}}, {"accept": null}]}}]}'
    ),
    (
        b'{"nftables": [{"chain": {"family": "ip", "table": "t", "name": "c", "hook": "input"}},'
        b' {"rule": {"family": "ip", "table": "t", "chain": "c", "expr": [{"counter": {}}, {"drop": null}]}}]}'
    ),
    b'{"nftables": []}',
)
RULE_WORDS = (
    *JSON_WORDS,
    *(b'"chain"', b'"rule"', b'"family": "ip"', b'"table": ', b'"name": ', b'"hook": "input"', b'"policy": "drop"'),
    *(
        b'"expr": ',
        b'"dport"',
        b'"range"',
        b'"@set"',
        b'{"drop": null}',
        b'{"chain": {"hook": "input", "family": "ip"}}',
    ),
)
CAPTURES = (
    (
        b'{"v": 1}\n'
        b'{"talk": 1, "way": "out", "over": "udp", "peer": "192.168.1.1:5351", "data": "0000"}\n'
        b'{"talk": 1, "way": "in", "over": "udp", "peer": "192.168.1.1:5351", "data": "008000000000000acb007107"}\n'
    ),
    (
        b'{"v": 1}\n'
        b'{"talk": 2, "way": "out", "over": "http", "peer": "192.168.1.1:5000", "head":'
        b' "GET /rootDesc.xml", "data": ""}\n'
        b'{"talk": 2, "way": "in", "over": "http", "peer": "192.168.1.1:5000", "head": "200", "data": "3c612f3e"}\n'
        b'{"talk": 3, "way": "in", "over": "ssdp", "peer": "192.168.1.1:1900", "data": "53543a2078"}\n'
    ),
)
CAPTURE_WORDS = (
    *JSON_WORDS,
    *(b'"v": 1', b'"talk": 1', b'"way": "in"', b'"over": "udp"', b'"peer": ', b'"head": ', b'"data": ', b"\n", b"{}\n"),
)
_PORTS = (80, 30303)


def rules(data: bytes) -> None:
    found = evaluate(data.decode("utf-8", "replace"), _PORTS)
    assert found.shut in (True, False, None)
    assert found.reason


def capture(data: bytes) -> None:
    """Nothing is opened before it is entered."""
    url = Replay(data.decode("utf-8", "replace"), "127.0.0.1").description_url
    assert not url or url.startswith("http://")
