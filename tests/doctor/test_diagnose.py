"""The verdict engine: what was found -> one word, its exit code and a next step. A table, and the order of its rows."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from tests.doctor.findings import (
    FORBIDDEN,
    GATEWAY,
    HOME,
    NO_ADDRESS,
    NO_UPNP,
    PUBLIC,
    SEEN,
    SERVED,
    SILENT,
    TCP,
    THEIRS,
    US,
    WANTED,
    WORLD,
    failed,
    found,
    pmp,
    upnp,
    wanted,
)

from portmap.cli import exit_codes
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.findings import Findings, HostFirewall, HostNetwork, TrialResult
from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NoPublicAddress,
    OutOfResources,
    PluginError,
    Refused,
    UnverifiedGateway,
)
from portmap.model import PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.verdict import Blame, Reachability
from portmap.reachability.verdict import Verdict as Proved

OFF_501 = failed("upnp", "UPnP 192.168.1.1", Refused("it failed", code=501))
BROKEN = failed("pcp", "pcp", PluginError("broken"))

REACHED = Reachability(TCP, 25565, 25565, PUBLIC, Proved.OPEN, "reached", how="a responder outside")
UNREACHED = replace(REACHED, verdict=Proved.CLOSED, by=Blame.ON_THE_WAY)
UNMEASURED = replace(REACHED, verdict=Proved.UNKNOWN)

TABLE: dict[str, tuple[Findings, str, Outcome]] = {
    "all is well": (wanted(upnp(), pmp()), "ok", Outcome.FINE),
    "no port was named": (found(upnp()), "ok", Outcome.FINE),
    "one off, another on": (found(upnp(), SILENT), "ok", Outcome.FINE),
    "one broken, another on": (found(upnp(), BROKEN), "ok", Outcome.FINE),
    "reached from outside": (wanted(upnp(), reached=(REACHED,)), "ok", Outcome.FINE),
    "not reached from outside": (wanted(upnp(), reached=(UNREACHED,)), "unreachable", Outcome.UNREACHABLE),
    "not measured from outside": (wanted(upnp(), reached=(UNMEASURED,)), "ok", Outcome.FINE),
    "all broken": (found(BROKEN), "plugin-broken", Outcome.PLUGIN),
    "no default route": (found(NO_UPNP, SILENT, network=HostNetwork()), "no-gateway", Outcome.NO_GATEWAY),
    "a public address": (
        found(NO_UPNP, network=HostNetwork((GATEWAY,), "eth0", IPv4Address("8.8.8.8"))),
        "public-address",
        Outcome.FINE,
    ),
    "a container": (found(NO_UPNP, SILENT, network=replace(HOME, bridged=True)), "bridge-network", Outcome.NO_GATEWAY),
    "a container with a gateway": (found(upnp(), network=replace(HOME, bridged=True)), "ok", Outcome.FINE),
    "all switched off": (found(NO_UPNP, SILENT), "mapping-disabled", Outcome.NO_GATEWAY),
    "upnp alone, off": (found(NO_UPNP), "upnp-disabled", Outcome.NO_GATEWAY),
    "upnp answers 501": (found(OFF_501), "upnp-disabled", Outcome.NO_GATEWAY),
    "pmp asked for, upnp on": (found(SILENT, upnp(chosen=False)), "pmp-disabled", Outcome.NO_GATEWAY),
    "a VPN takes the traffic": (
        found(upnp(), network=replace(HOME, outward=IPv4Address("10.2.0.2"), outward_interface="wg0")),
        "traffic-elsewhere",
        Outcome.UNREACHABLE,
    ),
    "a VPN, and its gateway was named": (
        found(
            pmp(gateway="NAT-PMP 10.2.0.1", us=IPv4Address("10.2.0.2"), placed=True),
            network=replace(HOME, outward=IPv4Address("10.2.0.2")),
        ),
        "ok",
        Outcome.FINE,
    ),
    "a simulated gateway": (
        found(pmp(us=IPv4Address("127.0.0.1")), network=replace(HOME, outward=US)),
        "ok",
        Outcome.FINE,
    ),
    "an access point that opens ports": (
        found(upnp(gateway="UPnP 192.168.1.2 (IGD:1)"), network=replace(HOME, outward=US)),
        "other-gateway",
        Outcome.UNREACHABLE,
    ),
    "an access point that is not believed": (
        found(failed("upnp", "UPnP 192.168.1.2", UnverifiedGateway("no default gateway"))),
        "other-gateway",
        Outcome.UNREACHABLE,
    ),
    "an access point beside the router that answers": (
        found(upnp(), failed("pmp", "NAT-PMP 192.168.1.2", UnverifiedGateway("no default gateway"))),
        "ok",
        Outcome.FINE,
    ),
    "IPv6 only": (
        found(NO_UPNP, SILENT, network=HostNetwork(ipv6=IPv6Address("2001:db8::20"))),
        "ipv6-only",
        Outcome.NO_GATEWAY,
    ),
    "a LAN of 100.64/10": (
        found(
            upnp(gateway="UPnP 100.64.0.1 (IGD:1)", us=IPv4Address("100.64.0.5")),
            network=HostNetwork((IPv4Address("100.64.0.1"),), "eth0", IPv4Address("100.64.0.5")),
        ),
        "ok",
        Outcome.FINE,
    ),
    "an address of 100.64/10, and no router": (
        found(NO_UPNP, network=HostNetwork((IPv4Address("100.64.0.1"),), "eth0", IPv4Address("100.64.0.5"))),
        "cgnat",
        Outcome.UNREACHABLE,
    ),
    "a LAN of public addresses, as STUN shows": (
        found(NO_UPNP, network=HostNetwork((IPv4Address("8.8.8.1"),), "eth0", IPv4Address("8.8.8.8")), outside=SEEN),
        "upnp-disabled",
        Outcome.NO_GATEWAY,
    ),
    "double nat, told by a refusal": (
        found(failed("pmp", "NAT-PMP 192.168.1.1", NoPublicAddress("no", external_ip=IPv4Address("10.9.9.9")))),
        "double-nat",
        Outcome.UNREACHABLE,
    ),
    "cgnat, told by a refusal": (
        found(failed("pcp", "PCP 192.168.1.1", NoPublicAddress("no", external_ip=IPv4Address("100.64.1.1")))),
        "cgnat",
        Outcome.UNREACHABLE,
    ),
    "a package is missing, and nothing else answers": (found(BROKEN, SILENT), "plugin-broken", Outcome.PLUGIN),
    "a package is missing, and another protocol is there": (found(BROKEN, upnp()), "ok", Outcome.FINE),
    "a package is missing, and so is the network": (
        found(BROKEN, SILENT, network=HostNetwork()),
        "no-gateway",
        Outcome.NO_GATEWAY,
    ),
    "garbage": (found(NO_UPNP, failed("pmp", "NAT-PMP", Garbled("?"))), "router-fault", Outcome.FAULT),
    "forbidden at once": (found(failed("pmp", "NAT-PMP", FORBIDDEN)), "refused-by-policy", Outcome.REFUSED),
    "no address": (found(NO_ADDRESS), "no-address", Outcome.UNREACHABLE),
    "no address, but the Internet": (found(NO_ADDRESS, outside=SEEN), "double-nat", Outcome.UNREACHABLE),
    "two uplinks, the wrong one": (
        found(upnp(), network=replace(HOME, gateways=(IPv4Address("10.0.0.1"), GATEWAY))),
        "multiple-gateways",
        Outcome.UNREACHABLE,
    ),
    "two uplinks, the right one": (
        found(upnp(), network=replace(HOME, gateways=(GATEWAY, IPv4Address("10.0.0.1")))),
        "ok",
        Outcome.FINE,
    ),
    "two that answer": (found(upnp(), pmp(gateway="NAT-PMP 192.168.1.2")), "multiple-gateways", Outcome.UNREACHABLE),
    "cgnat": (wanted(upnp("100.72.3.9")), "cgnat", Outcome.UNREACHABLE),
    "double nat": (wanted(upnp("192.168.0.17")), "double-nat", Outcome.UNREACHABLE),
    "another address outside": (wanted(upnp(), outside=SEEN), "egress-differs", Outcome.UNREACHABLE),
    "the same address outside": (wanted(upnp("9.9.9.9"), outside=SEEN), "ok", Outcome.FINE),
    "IPv6 outside": (wanted(upnp(), outside=replace(SEEN, address=IPv6Address("2001:db8::1"))), "ok", Outcome.FINE),
    "held by another": (wanted(upnp(table=(THEIRS,))), "held-by-other", Outcome.CONFLICT),
    "held by us": (wanted(upnp(table=(replace(THEIRS, client=str(US)),))), "ok", Outcome.FINE),
    "held by us for another port": (
        wanted(upnp(table=(replace(THEIRS, client=str(US), internal_port=80),))),
        "held-by-other",
        Outcome.CONFLICT,
    ),
    "the other protocol is held": (wanted(upnp(table=(replace(THEIRS, protocol=Protocol.UDP),))), "ok", Outcome.FINE),
    "refused in the try": (
        wanted(upnp(), attempts=(TrialResult("UPnP", WANTED, error=FORBIDDEN),)),
        "refused-by-policy",
        Outcome.REFUSED,
    ),
    "a conflict in the try": (
        wanted(upnp(), attempts=(TrialResult("UPnP", WANTED, error=Conflict("718", code=718)),)),
        "held-by-other",
        Outcome.CONFLICT,
    ),
    "silence in the try": (
        wanted(upnp(), attempts=(TrialResult("UPnP", WANTED, error=GatewayTimeout("silence")),)),
        "no-answer",
        Outcome.FAULT,
    ),
    "a full table in the try": (
        wanted(upnp(), attempts=(TrialResult("UPnP", WANTED, error=OutOfResources("full")),)),
        "refused",
        Outcome.REFUSED,
    ),
    "another port in the try": (
        wanted(pmp(), attempts=(TrialResult("NAT-PMP", WANTED, 40000, 60),)),
        "other-port",
        Outcome.FINE,
    ),
    "it worked in the try": (wanted(pmp(), attempts=(TrialResult("NAT-PMP", WANTED, 25565, 60),)), "ok", Outcome.FINE),
    "nothing listens": (wanted(upnp(), listening=()), "not-listening", Outcome.UNREACHABLE),
    "it listens on loopback only": (
        wanted(upnp(), listening=(ListeningSocket(TCP, IPv4Address("127.0.0.1"), 25565, "java (1)"),)),
        "not-listening",
        Outcome.UNREACHABLE,
    ),
    "who listens cannot be told": (wanted(upnp(), listening=None), "ok", Outcome.FINE),
    "the firewall is shut": (
        wanted(upnp(), firewall=HostFirewall(True, "drops it")),
        "local-firewall",
        Outcome.UNREACHABLE,
    ),
    "the firewall cannot be read": (wanted(upnp(), firewall=HostFirewall(None, "needs root")), "ok", Outcome.FINE),
}


@pytest.mark.parametrize(("findings", "code", "outcome"), TABLE.values(), ids=TABLE.keys())
def test_each_finding_has_its_verdict(findings: Findings, code: str, outcome: Outcome) -> None:
    verdict = diagnose(findings)
    assert (verdict.code, verdict.outcome) == (code, outcome)
    assert verdict.title
    assert verdict.explanation
    assert all(verdict.next_steps)


def test_what_must_be_mended_first_is_said_first() -> None:
    held = upnp("100.72.3.9", table=(THEIRS,))
    worst = wanted(held, listening=(), firewall=HostFirewall(True, "drops it"), outside=SEEN)
    assert diagnose(worst).code == "cgnat"
    assert diagnose(replace(worst, answers=(replace(held, address=WORLD),))).code == "held-by-other"
    assert diagnose(replace(worst, answers=(upnp("9.9.9.9"),))).code == "not-listening"
    assert diagnose(replace(worst, answers=(upnp("9.9.9.9"),), listening=SERVED)).code == "local-firewall"


def test_no_advice_names_a_port_that_was_not_asked_about() -> None:
    other = PortRequest(TCP, 8123)
    served = (replace(SERVED[0], port=8123),)
    for findings, _, _ in TABLE.values():
        requests = (other,) if findings.requests else ()
        verdict = diagnose(replace(findings, requests=requests, listening=served, attempts=()))
        assert "25565" not in " ".join(verdict.next_steps)


def test_the_outcomes_are_the_commands_exit_codes() -> None:
    assert {outcome.name: int(outcome) for outcome in Outcome} == {
        "FINE": exit_codes.OK,
        "FAULT": exit_codes.FAULT,
        "NO_GATEWAY": exit_codes.NO_GATEWAY,
        "REFUSED": exit_codes.REFUSED,
        "CONFLICT": exit_codes.CONFLICT,
        "UNREACHABLE": exit_codes.UNREACHABLE,
        "PLUGIN": exit_codes.PLUGIN,
    }
