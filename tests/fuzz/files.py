"""What lies in files: journals, with tokens and hints; notices of sessions; the configuration."""

from portmap.config.file import ConfigError, parse_config
from portmap.errors import Garbled
from portmap.model import DEFAULT_LIFETIME, Protocol
from portmap.storage import journal, status
from portmap.storage.journal import Journal, JournalEntry
from portmap.storage.status import PortStatus, PublisherStatus, SessionStatus
from portmap_natpmp.argument import hinted_gateway

LIMIT = 16 * 1024  # bytes; they may be longer, but no attacker writes them: what counts is what they do to us
_TOKEN = "0123456789abcdef01234567"  # noqa: S105  # a nonce that opens nothing
JOURNALS = (
    journal.to_text(
        Journal(
            (
                JournalEntry("PCP 192.168.1.1", Protocol.TCP, 30303, 30303, 1.7e9, token=_TOKEN),
                JournalEntry("UPnP 192.168.1.1", Protocol.UDP, 30303, 40404, None, held=False, token=f"pcp {_TOKEN}"),
            ),
            (("any", "upnp http://192.168.1.1:5000/rootDesc.xml"), ("natpmp", "192.168.1.1")),
        )
    ).encode(),
    b'{"v": 1, "mappings": []}',
    journal.to_text(Journal((JournalEntry("NAT-PMP", Protocol.TCP, 1, 2, 1e9),)))
    .replace("1000000000.0", "9" * 400)
    .encode(),
)
JSON_WORDS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"0"),
    *(b"9" * 400, b"-1", b'"\\ud800"', b'"\\u0000"', b"\\", b'"v": 1,', b"[" * 50, b'{"a":' * 20, b"\xff", b"65536"),
)
JOURNAL_WORDS = (
    *JSON_WORDS,
    b'"hints"',
    b'"mappings"',
    b'"token"',
    b'"expires": ',
    b'"held": ',
    b'"TCP"',
    b'"gateway"',
)
_NOTICE = SessionStatus(
    4242,
    "home",
    "any",
    started=1.7e9,
    updated=1.7e9,
    gateway="PCP 192.168.1.1",
    found=True,
    external_ip="203.0.113.7",
    ports=(
        PortStatus("TCP", 30303, "web", state="up", external_ip="203.0.113.7", external_port=30303, expires=1.7e9),
        PortStatus("UDP", 53, ipv6=True, state="failed", reason="the table is full"),
    ),
    publishers=(PublisherStatus("file:/tmp/port", ok=False, since=1.7e9, reason="no such folder"),),
)
NOTICES = (status.to_text(_NOTICE).encode(), status.to_text(SessionStatus(1, "", "none", 0.0, 0.0)).encode())
NOTICE_WORDS = (*JSON_WORDS, b'"ports"', b'"publishers"', b'"found": ', b'"pid": ', b'"state": "up"', b'"since": ')
HINTS = (b"192.168.1.1", b"10.2.0.1", b"8.8.8.8", b"http://192.168.1.1/", b"")
_CONFIG = b"""
nat = "pcp,upnp"
lease = "10m"
ip_interval = 60
on_conflict = "next"
ipv6 = false
publish = ["file:/run/port"]

[[map]]
name = "web"
port = 443
external = 8443
protocol = "both"
lease = 120

[[map]]
port = "6881=follow"
nat = "pmp:10.2.0.1"
"""
_INSTANCES = b"""
[[instance]]
name = "home"
nat = "upnp"
[[instance.map]]
port = 30303
[[instance.map]]
port = "1-5"
"""
CONFIGS = (_CONFIG, _INSTANCES, b"map = [{port = 80}, {port = 81, protocol = 'udp'}]", b'nat = """\npmp"""')
CONFIG_WORDS = (
    *(b"[", b"]", b"[[map]]\n", b"[[instance]]\n", b"=", b"\n", b'"', b"'", b'"""', b"#", b".", b"{", b"}", b","),
    *(b"port = 1\n", b"nat = ", b"inf", b"nan", b"1979-05-27T07:32:00Z", b"2021-02-30", b"0x", b"1_0", b"true"),
    *(b"a.b.c.d = 1\n", b"9" * 4400, b"\\uD800", b"\0", b"\r", b"\\", b"\xff"),
)


def saved_journal(data: bytes) -> None:
    """As `state` reads it; what is understood can be written, and is the same again."""
    found = journal.from_text(_text(data))
    assert all(0 < entry.external_port < 2**16 for entry in found.entries)
    spelt = journal.to_text(found)
    assert journal.to_text(journal.from_text(spelt)) == spelt
    assert isinstance(found.hint_for("any"), str)
    assert all(entry.may_be_held(0.0) in (True, False) for entry in found.entries)


def posted_notice(data: bytes) -> None:
    found = status.from_text(_text(data))
    spelt = status.to_text(found)
    assert status.to_text(status.from_text(spelt)) == spelt


def hint(data: bytes) -> None:
    """A journal's hint makes us ask no host outside of our own network."""
    for gateway in hinted_gateway(data.decode("utf-8", "replace")):
        assert gateway.is_private or gateway.is_loopback or gateway.is_link_local


def config(data: bytes) -> None:
    """What is understood can be run; what is not has a line."""
    lines = range(1, data.count(b"\n") + 2)
    try:
        file = parse_config(data.decode("utf-8", "replace"))
    except ConfigError as error:
        faults = [fault.line for fault in error.faults]
        if faults and all(line in lines for line in faults):
            raise
        raise AssertionError(faults) from error
    for instance in file.instances:
        assert instance.requests(DEFAULT_LIFETIME)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Garbled("no text") from error
