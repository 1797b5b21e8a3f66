"""A report can be pasted: what tells who and where we are is out, what tells the fault is in."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from portmap.doctor.findings import BackendAnswer, Findings, HostNetwork
from portmap.doctor.redact import HIDDEN, redact, redacted_findings
from portmap.model import Listed, Protocol


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("sees 8.8.4.4 now", "sees 8.8.x.x now"),
        ("sees 8.8.4.4.", "sees 8.8.x.x."),
        ("version 1.2.3.4.5", "version 1.2.3.4.5"),
        ("at 93.184.216.34:30303", "at 93.184.x.x:30303"),
        ("100.72.3.9 (CGNAT)", "100.72.x.x (CGNAT)"),
        ("we are 192.168.1.20 at 10.0.0.1", "we are 192.168.1.20 at 10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("portmap 0.1.0, Python 3.11.7", "portmap 0.1.0, Python 3.11.7"),
        ("2a02:8071:22c1:1100::20", "2a02:8071:x"),
        ("[2a02:8071:22c1::1]:443", "[2a02:8071:x]:443"),
        ("fe80::5054:ff:fe12:3456%eth0", "fe80:x"),
        ("::1", "::1"),
        ("52:54:00:12:34:56", "xx:xx:xx:xx:xx:xx"),
        ("at 12:34:56 o'clock", "at 12:34:56 o'clock"),
        (
            "http://192.168.1.1:5000/5b1f3a60-9c3e-4e3f-8d0a-0123456789ab/d.xml",
            f"http://192.168.1.1:5000/{HIDDEN}/d.xml",
        ),
        ("tower listens, towers do not", f"{HIDDEN} listens, towers do not"),
        ("ab", "ab"),
    ],
)
def test_a_text_is_redacted(text: str, redacted: str) -> None:
    assert redact(text, ("tower", "ab", "")) == redacted


def test_others_words_are_hidden_and_ours_are_not() -> None:
    ours = Listed(Protocol.TCP, 1, "192.168.1.2", 1, 0, "portmap:c0ffee:web", ours=True)
    rows = (ours, replace(ours, description="private server", ours=False))
    findings = Findings(HostNetwork(), (BackendAnswer("upnp", "UPnP", address=IPv4Address("8.8.4.4"), table=rows),))
    (answer,) = redacted_findings(findings).answers
    assert [row.description for row in answer.table or ()] == ["portmap:c0ffee:web", HIDDEN]
