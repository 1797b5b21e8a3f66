"""What a verdict says: what it names, and what to try next."""

from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from tests.doctor.findings import (
    FORBIDDEN,
    GATEWAY,
    HOME,
    NO_ADDRESS,
    SEEN,
    SILENT,
    TCP,
    THEIRS,
    US,
    WANTED,
    failed,
    found,
    pmp,
    upnp,
    wanted,
)

from portmap.doctor.diagnose import diagnose
from portmap.doctor.diagnosis import Outcome
from portmap.doctor.findings import Findings, HostNetwork, PortHolder, TrialResult
from portmap.errors import GatewayTimeout, NoGateway, PluginError
from portmap.model import Listed, PortRequest, Protocol


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


def test_a_named_gateway_that_is_not_the_default_one_is_called_so() -> None:
    silent = failed("pmp", "NAT-PMP 192.168.1.254", GatewayTimeout("silence"))
    verdict = diagnose(found(replace(silent, name="pmp:192.168.1.254", placed=True)))
    assert verdict.title.startswith("192.168.1.254, the address that you named,")
    assert "portmap doctor --nat pmp:192.168.1.1" in verdict.next_steps[0]


def test_a_package_that_is_missing_is_named_in_the_verdict() -> None:
    missing = failed("upnp", "upnp", PluginError("upnp: No module named 'miniupnpc'"))
    assert "miniupnpc" in diagnose(found(missing, SILENT)).explanation


def test_where_answers_leave_by_another_interface_than_the_chosen_one_a_rule_is_named() -> None:
    network = replace(HOME, chosen="eth1", outward=IPv4Address("192.168.77.2"), outward_interface="eth0")
    told = diagnose(found(pmp("8.8.4.4"), network=network))
    assert told.code == "traffic-elsewhere"
    route, rule = told.next_steps[0].removeprefix("as root: ").split(" && ")
    assert route == f"ip route add default via {GATEWAY} dev eth1 table 100"
    assert rule == f"ip rule add from {US} lookup 100"
