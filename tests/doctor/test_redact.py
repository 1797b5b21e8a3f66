"""A report can be shown in public: what tells who and where we are is not in it, what tells the fault is."""

import platform
from dataclasses import fields, is_dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest

from portmap import errors
from portmap.cli.output.diagnosis import lines_of, report_of
from portmap.cli.output.style import Style
from portmap.doctor.diagnose import diagnose
from portmap.doctor.findings import (
    BackendAnswer,
    Findings,
    HostFirewall,
    HostNetwork,
    PortHolder,
    TrialResult,
)
from portmap.doctor.redact import HIDDEN, masked, redacted_findings
from portmap.doctor.report import report_lines
from portmap.errors import NoPublicAddress, PortmapError, Refused
from portmap.model import Listed, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.verdict import Blame, Reachability, Verdict

TCP = Protocol.TCP
KNOWN = {"upnp", "pmp", "stun"}
ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, PortmapError)]
SECRETS = (
    "enx525400123456",
    "52:54:00:12:34:56",
    "525400123456",
    "5254.0012.3456",
    "2a02:8071:22c1:1100::20",
    "fe80::5054:ff:fe12:3456%enx525400123456",
    "5b1f3a60-9c3e-4e3f-8d0a-0123456789ab",
    "http://192.168.1.1:5000/secret-path/desc.xml",
    "/home/jane/portmap.toml",
    "janes-minecraft (4121)",
    "Jane's server",
    "jane.example.org",
    "8.8.4.4",
)
HOME = HostNetwork((IPv4Address("192.168.1.1"),), "eth0", IPv4Address("192.168.1.20"))
PUBLIC = IPv4Address("8.8.4.4")
IPV6 = IPv6Address("2a02:8071:22c1:1100::20")
REQUEST = PortRequest(TCP, 25565)
ROW = Listed(TCP, 25565, "192.168.1.20", 25565, 600, "text", ours=False)
ANSWER = BackendAnswer("upnp:text", "UPnP text", 3, PUBLIC, None, ("text",), HOME.us, (ROW,), placed=True)
FULL = Findings(
    replace(HOME, ignored=("text",), outward=IPv4Address("10.2.0.2"), outward_interface="text", ipv6=IPV6),
    (
        ANSWER,
        replace(ANSWER, name="text", gateway="text"),
        replace(ANSWER, error=Refused("text", code=606, text="text")),
    ),
    (replace(REQUEST, name="text"),),
    (ListeningSocket(TCP, IPV6, 25565, "text"),),
    HostFirewall(None, "text"),
    replace(ANSWER, name="stun:text", gateway="STUN text"),
    (
        TrialResult("UPnP text", REQUEST, 25565, 60, PUBLIC, None, "text", "text"),
        TrialResult("text", replace(REQUEST, name="text"), error=NoPublicAddress("text", external_ip=PUBLIC)),
        TrialResult("text", REQUEST, 25565, 60, PUBLIC, None, "", "text"),
    ),
    (PortHolder(7, REQUEST.key, 25565),),
    nat="text",
    reached=(Reachability(TCP, 25565, 25565, PUBLIC, Verdict.CLOSED, "text", by=str(Blame.HOST), steps=("text",)),),
)


def report(findings: Findings) -> str:
    shown = redacted_findings(findings, KNOWN)
    return report_of(lines_of(report_lines(shown), diagnose(shown), Style()), "0", ["upnp"], 1)


def filled(value: Any, secret: str) -> Any:
    """The value with the secret in place of every text in it."""
    match value:
        case str() if not isinstance(value, Protocol):
            return value.replace("text", secret)
        case tuple():
            return tuple(filled(it, secret) for it in value)
        case PortmapError():
            return type(value)(secret)
    if is_dataclass(value) and not isinstance(value, type):
        told = {it.name: filled(getattr(value, it.name), secret) for it in fields(value) if it.name != "host"}
        return type(value)(**told)
    return value


@pytest.mark.parametrize("secret", SECRETS)
def test_no_text_of_the_findings_gets_into_a_report(secret: str) -> None:
    assert secret in repr(filled(FULL, secret))
    assert secret not in report(filled(FULL, secret))


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("kind", ERRORS)
def test_no_words_of_an_error_get_into_a_report(secret: str, kind: type[PortmapError]) -> None:
    answer = replace(ANSWER, error=kind(secret), table=None)
    for findings in (
        Findings(HOME, (answer,)),
        Findings(HOME, (ANSWER,), attempts=(TrialResult("x", REQUEST, error=kind(secret)),)),
    ):
        assert secret not in report(findings)
        assert redacted_findings(findings, KNOWN).answers[0].error is None or kind.__name__ in report(findings)


def test_the_class_and_the_code_of_an_error_are_in_the_report() -> None:
    assert "Refused, code 501" in report(Findings(HOME, (replace(ANSWER, error=Refused("secret", code=501)),)))


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("8.8.4.4", "8.8.x.x"),
        ("100.72.3.9", "100.72.x.x"),
        ("192.168.1.20", "192.168.1.20"),
        ("10.0.0.1", "10.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
    ],
)
def test_an_ipv4_address_is_masked_unless_it_is_private(address: str, shown: str) -> None:
    assert f"{masked(IPv4Address(address))}" == shown
    assert masked(IPv4Address(address)) == IPv4Address(address)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("2a02:8071:22c1:1100::20", "2a02:8071:x"),
        ("fe80::5054:ff:fe12:3456%eth0", "fe80:x"),
        ("fd00:1:2::3", "fd00:x"),
        ("::1", "::1"),
    ],
)
def test_an_ipv6_address_shows_the_providers_part_at_most(address: str, shown: str) -> None:
    assert f"{masked(IPv6Address(address))}" == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("enx525400123456", "en*"),
        ("eth0", "eth*"),
        ("wg-jane", "wg*"),
        ("br-secret", "br*"),
        ("jane0", HIDDEN),
        ("", ""),
    ],
)
def test_of_an_interface_only_its_kind_is_told(name: str, shown: str) -> None:
    findings = Findings(replace(HOME, interface=name), ())
    assert redacted_findings(findings, KNOWN).network.interface == shown


def test_the_verdict_is_that_of_the_findings() -> None:
    borrowed = HostNetwork((IPv4Address("8.8.8.1"),), "eth0", IPv4Address("8.8.8.8"), outward=IPv4Address("10.2.0.2"))
    answer = replace(ANSWER, gateway="UPnP 8.8.8.1", host=None, us=borrowed.us, table=None)
    findings = Findings(borrowed, (answer,))
    assert diagnose(findings).code == diagnose(redacted_findings(findings, KNOWN)).code == "traffic-elsewhere"


def test_the_vendor_is_told() -> None:
    answer = replace(ANSWER, evidence=("AVM Berlin FRITZ!Box 7590 of Jane",))
    assert "(fritz)" in report(Findings(HOME, (answer,)))


def test_a_plugin_of_others_is_counted_and_not_named() -> None:
    lines = report(Findings(HOME, (replace(ANSWER, name="acme", gateway="Acme 3000"),)))
    assert "another backend" in lines
    assert "upnp and 1 of others" in lines
    assert "Acme" not in lines


def test_the_name_in_a_kernels_release_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "release", lambda: "6.1.0-janes-kernel")
    assert "jane" not in report(Findings(HOME, ()))
