"""The verdict engine: what was found -> one word, its exit code and a next step. A table, and the order of its rows."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest

from portmap.cli import exit_codes
from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.findings import BackendAnswer, Findings, HostFirewall, HostNetwork, PortHolder, TrialResult
from portmap.errors import (
    Conflict,
    Garbled,
    GatewayTimeout,
    NoGateway,
    NoPublicAddress,
    NotAuthorized,
    OutOfResources,
    PluginError,
    PortmapError,
    Refused,
    UnverifiedGateway,
)
from portmap.model import Listed, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket
from portmap.reachability.verdict import Blame, Reachability
from portmap.reachability.verdict import Verdict as Proved

TCP = Protocol.TCP
GATEWAY, US, PUBLIC = IPv4Address("192.168.1.1"), IPv4Address("192.168.1.20"), IPv4Address("203.0.113.7")
WORLD = IPv4Address("9.9.9.9")
HOME = HostNetwork((GATEWAY,), "eth0", US)
WANTED = PortRequest(TCP, 25565)
FREE: tuple[Listed, ...] = ()
SERVED = (ListeningSocket(TCP, IPv4Address("0.0.0.0"), 25565, "java (4121)"),)  # noqa: S104  # what /proc says, nothing is bound
OPEN = HostFirewall(False, "lets everything in")


def upnp(address: str = "8.8.4.4", **but: object) -> BackendAnswer:
    good = BackendAnswer("upnp", "UPnP 192.168.1.1 (IGD:1)", 12, IPv4Address(address), us=US, table=FREE)
    return replace(good, **{"host": None, **but})  # type: ignore[arg-type]  # fields of a test's choice


def pmp(address: str = "8.8.4.4", **but: object) -> BackendAnswer:
    return upnp(address, **{"name": "pmp", "gateway": "NAT-PMP 192.168.1.1", "ms": 14, "table": None, **but})


def failed(name: str, protocol: str, error: PortmapError, *, chosen: bool = True, evidence: str = "") -> BackendAnswer:
    return BackendAnswer(name, protocol, error=error, chosen=chosen, evidence=(evidence,))


def found(*answers: BackendAnswer, network: HostNetwork = HOME, **more: object) -> Findings:
    return Findings(network, answers, **more)  # type: ignore[arg-type]  # as above


def wanted(*answers: BackendAnswer, **more: object) -> Findings:
    usual: dict[str, object] = {"requests": (WANTED,), "listening": SERVED, "firewall": OPEN}
    return Findings(HOME, answers, **(usual | more))  # type: ignore[arg-type]  # as above


NO_UPNP = failed("upnp", "UPnP", NoGateway("no answer"))
SILENT = failed("pmp", "NAT-PMP 192.168.1.1", GatewayTimeout("silence"))
OFF_501 = failed("upnp", "UPnP 192.168.1.1", Refused("it failed", code=501))
FORBIDDEN = NotAuthorized("forbidden", code=606)
NO_ADDRESS = failed("upnp", "UPnP 192.168.1.1", Refused("no external address"))
BROKEN = failed("pcp", "pcp", PluginError("broken"))
THEIRS = Listed(TCP, 25565, "192.168.1.44", 25565, 0, "Sunshine")
SEEN = BackendAnswer("stun", "STUN", 20, WORLD)

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


def test_the_holder_of_the_port_is_named() -> None:
    verdict = diagnose(wanted(upnp(table=(THEIRS,))))
    assert '192.168.1.44 ("Sunshine")' in verdict.title
    assert "portmap 25566:25565" in verdict.next_steps[0]


def test_the_router_in_front_is_guessed_from_the_address_in_between() -> None:
    assert "probably 192.168.0.1" in diagnose(found(upnp("192.168.0.17"))).next_steps[1]


def test_both_addresses_are_named_where_they_differ() -> None:
    verdict = diagnose(found(upnp("8.8.4.4"), outside=SEEN))
    assert "8.8.4.4" in verdict.explanation
    assert "9.9.9.9" in verdict.explanation


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ("AVM Berlin FRITZ!Box 7590", "Permit independent port sharing for this device"),
        ("MiniUPnP project", "miniupnpd.conf"),
        ("Netgate pfSense", "ACL"),
        ("an unknown vendor", "allow this computer"),
    ],
)
def test_a_refusal_is_answered_in_the_makers_words(evidence: str, words: str) -> None:
    forbidden = failed("upnp", "UPnP 192.168.1.1", FORBIDDEN, evidence=evidence)
    assert words in diagnose(found(forbidden)).next_steps[0]


def test_a_vpn_gateway_that_is_silent_gets_its_providers_words() -> None:
    tunnel = HostNetwork((IPv4Address("10.2.0.1"),), "wg0", IPv4Address("10.2.0.2"))
    silent = failed("pmp", "NAT-PMP", NoGateway("no answer"))
    assert "+pmp" in diagnose(found(silent, network=tunnel)).next_steps[0]


def test_a_protocol_that_does_answer_is_offered_instead() -> None:
    assert "--nat upnp" in diagnose(found(SILENT, upnp(chosen=False))).next_steps[0]


OURS = Listed(TCP, 25565, str(US), 25565, 0, "portmap:c0ffee:", ours=True)
HOLDER = PortHolder(4242, WANTED.key, 25565)


@pytest.mark.parametrize(
    ("findings", "who"),
    [
        (wanted(upnp(), holders=(HOLDER,)), "portmap (process 4242)"),
        (wanted(upnp(table=(OURS,))), "portmap"),
        (wanted(upnp(table=(replace(OURS, ours=False, description="Sunshine"),))), '"Sunshine"'),
    ],
)
def test_a_port_that_is_open_already_is_said_with_its_owner_and_how_to_try_it(findings: Findings, who: str) -> None:
    verdict = diagnose(findings)
    assert (verdict.code, verdict.outcome) == ("ok", Outcome.FINE)
    assert who in verdict.explanation
    assert verdict.next_steps == ("try it from outside, as from a phone without Wi-Fi: 8.8.4.4:25565",)


def test_only_the_ports_that_are_not_open_yet_are_to_be_opened() -> None:
    both = (WANTED, PortRequest(Protocol.UDP, 25565))
    verdict = diagnose(wanted(upnp(table=(OURS,)), requests=both, listening=None))
    assert verdict.next_steps[0] == "open it, for as long as it is needed: portmap 25565/udp"


def test_a_port_is_said_to_be_open_only_where_something_says_so() -> None:
    said = diagnose(wanted(upnp(), listening=())).explanation
    assert "would" in said
    assert "portmap (process 4242)" in diagnose(wanted(upnp(), listening=(), holders=(HOLDER,))).explanation
    tried = (TrialResult("UPnP", WANTED, 25565, 60),)
    assert "did open" in diagnose(wanted(upnp(), listening=(), attempts=tried)).explanation


@pytest.mark.parametrize(("findings", "port"), [(found(NO_ADDRESS), "PORT"), (wanted(NO_ADDRESS), "25565/tcp")])
def test_advice_names_the_port_that_was_asked_about(findings: Findings, port: str) -> None:
    assert f"portmap doctor {port} --try" in diagnose(findings).next_steps[-1]


def test_no_advice_names_a_port_that_was_not_asked_about() -> None:
    other = PortRequest(TCP, 8123)
    served = (replace(SERVED[0], port=8123),)
    for findings, _, _ in TABLE.values():
        requests = (other,) if findings.requests else ()
        verdict = diagnose(replace(findings, requests=requests, listening=served, attempts=()))
        assert "25565" not in " ".join(verdict.next_steps)


def test_a_named_gateway_that_is_not_the_default_one_is_called_so() -> None:
    silent = failed("pmp", "NAT-PMP 192.168.1.254", GatewayTimeout("silence"))
    verdict = diagnose(found(replace(silent, name="pmp:192.168.1.254", placed=True)))
    assert verdict.title.startswith("192.168.1.254, the address that you named,")
    assert "portmap doctor --nat pmp:192.168.1.1" in verdict.next_steps[0]


def test_a_package_that_is_missing_is_named_in_the_verdict() -> None:
    missing = failed("upnp", "upnp", PluginError("upnp: No module named 'miniupnpc'"))
    assert "miniupnpc" in diagnose(found(missing, SILENT)).explanation


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


def test_where_answers_leave_by_another_interface_than_the_chosen_one_a_rule_is_named() -> None:
    network = replace(HOME, chosen="eth1", outward=IPv4Address("192.168.77.2"), outward_interface="eth0")
    told = diagnose(found(pmp("8.8.4.4"), network=network))
    assert told.code == "traffic-elsewhere"
    route, rule = told.next_steps[0].removeprefix("as root: ").split(" && ")
    assert route == f"ip route add default via {GATEWAY} dev eth1 table 100"
    assert rule == f"ip rule add from {US} lookup 100"
