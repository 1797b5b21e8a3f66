"""Behind two NATs the doctor names the command that opens the port through both, or says why none will."""

from dataclasses import replace
from ipaddress import IPv4Address, ip_address

import pytest
from tests.doctor.findings import GATEWAY, HOME, NO_UPNP, US, failed, found, pmp, upnp, wanted

from portmap.backends.any.candidates import Candidate
from portmap.backends.nat import Nat
from portmap.doctor.diagnose import diagnose
from portmap.doctor.findings import BackendAnswer, Beyond, Findings
from portmap.doctor.probes.beyond import look_beyond
from portmap.doctor.redact import redacted_findings
from portmap.doctor.report import report_lines
from portmap.doctor.rules.double_nat import commands_through
from portmap.errors import GatewayTimeout, NoPublicAddress
from portmap.model import PortRequest, Protocol
from portmap.reachability.nat_type import Behaviour, NatType
from portmap.testing.scripted import ScriptedBackend

OUTER, PUBLIC = IPv4Address("192.168.0.1"), IPv4Address("8.8.4.4")
BEHIND = "192.168.0.17"
FRONT = BackendAnswer("pmp:192.168.0.1", "NAT-PMP 192.168.0.1", 4, PUBLIC)
SILENT = failed("pmp:192.168.0.1", "NAT-PMP 192.168.0.1", GatewayTimeout("silence"))
SAME, ADDRESS = Behaviour.ENDPOINT_INDEPENDENT, Behaviour.ADDRESS_DEPENDENT
FULL_CONE = NatType((PUBLIC, 4001), True, SAME, SAME)


def steps(findings: Findings) -> tuple[str, ...]:
    return diagnose(findings).next_steps


# What to type


def test_where_the_router_in_front_answers_the_command_is_told() -> None:
    told = wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (FRONT,)))
    assert diagnose(told).code == "double-nat"
    assert steps(told)[0] == "open the port in both routers: portmap --nat upnp --beyond pmp:192.168.0.1 25565"


def test_the_interface_that_was_chosen_is_part_of_the_command() -> None:
    told = wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (FRONT,)))
    told = replace(told, network=replace(HOME, chosen="eth1"))
    assert steps(told)[0].endswith(": portmap --interface eth1 --nat upnp --beyond pmp:192.168.0.1 25565")
    silent = replace(told, answers=(failed("upnp", "UPnP", NoPublicAddress("no address")),), nat=FULL_CONE)
    assert "portmap --interface eth1 --nat punch:A+B 25565" in commands_through(silent)[1]


@pytest.mark.parametrize(
    ("requests", "port"),
    [
        ((), "PORT"),
        ((PortRequest(Protocol.UDP, 8443, 443),), "443:8443/udp"),
        (tuple(PortRequest(protocol, 30303) for protocol in Protocol), "30303/both"),
    ],
)
def test_the_port_is_told_as_it_is_typed(requests: tuple[PortRequest, ...], port: str) -> None:
    told = wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (FRONT,)), requests=requests)
    assert steps(told)[0].endswith(f" --beyond pmp:192.168.0.1 {port}")


def test_the_quickest_answer_is_taken_and_a_silent_one_is_not() -> None:
    slow = replace(FRONT, name="upnp:192.168.0.1", ms=90)
    told = wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (SILENT, slow, FRONT)))
    assert "--beyond pmp:192.168.0.1 " in steps(told)[0]


def test_where_that_router_has_no_public_address_either_a_third_is_looked_for() -> None:
    told = wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (replace(FRONT, address=IPv4Address("10.0.0.2")),)))
    assert "--beyond pmp:192.168.0.1 --beyond auto 25565" in steps(told)[0]


def test_where_it_was_not_looked_for_the_search_is_told() -> None:
    assert steps(wanted(upnp(BEHIND)))[0].endswith("portmap --nat upnp --beyond auto 25565")


def test_a_url_of_the_user_is_not_repeated() -> None:
    named = upnp(BEHIND, name="upnp:http://user:secret@192.168.1.1/", placed=True)
    assert "portmap --nat upnp --beyond " in steps(wanted(named))[0]


def test_behind_a_providers_nat_the_command_is_told_as_well() -> None:
    told = wanted(upnp("100.72.3.9"), beyond=Beyond((IPv4Address("100.72.0.1"),), (FRONT,)))
    assert diagnose(told).code == "cgnat"
    assert steps(told)[0].startswith("open the port in both routers: ")


# Why there is nothing to type


def test_where_nothing_answers_it_is_said_where_and_what_to_switch_on() -> None:
    first, second, *_ = steps(wanted(upnp(BEHIND), beyond=Beyond((OUTER,), (SILENT,))))
    assert first == (
        "no command opens the port in the router in front: nothing that maps ports answers at 192.168.0.1; if it is "
        "yours, switch UPnP or NAT-PMP on in its settings"
    )
    assert second.startswith("find out whether a port can be kept open without asking: portmap doctor --stun A+B")


def test_where_no_router_makes_itself_known_that_is_said() -> None:
    assert "it makes itself not known" in steps(wanted(upnp("100.72.3.9"), beyond=Beyond(())))[0]


def test_where_the_router_refuses_behind_another_that_is_why() -> None:
    refusal = failed("pmp", "NAT-PMP 192.168.1.1", NoPublicAddress("double NAT", external_ip=IPv4Address("10.0.0.2")))
    assert "your router maps nothing while its own address is not public" in steps(wanted(refusal))[0]


@pytest.mark.parametrize(
    ("nat", "words"),
    [
        (FULL_CONE, "portmap --nat upnp --beyond punch:A+B 25565"),
        (replace(FULL_CONE, filtering=ADDRESS), "for some peers only"),
        (replace(FULL_CONE, mapping=ADDRESS), "hole punching will not help: the NAT maps each destination"),
        ("no answer", "portmap doctor --stun A+B"),
    ],
)
def test_what_hole_punching_can_do_depends_on_the_nat(nat: NatType | str, words: str) -> None:
    assert words in steps(wanted(upnp("100.72.3.9"), beyond=Beyond(()), nat=nat))[1]


# Looking


class OtherGateway(ScriptedBackend):
    """A gateway that states 1.2.3.4."""

    def __str__(self) -> str:
        return f"Scripted {OUTER}"


def candidates_at(place: IPv4Address) -> list[Candidate]:
    return [Candidate.of(Nat(OtherGateway(), "scripted"), name=f"scripted:{place}")]


def nobody_asks(_: object) -> None:
    raise AssertionError("nothing is to be asked")


def test_the_second_router_on_the_way_out_is_asked() -> None:
    beyond = look_beyond(found(upnp(BEHIND)), {2: OUTER}.get, candidates_at)
    assert beyond is not None
    assert beyond.places == (OUTER,)
    assert beyond.best is not None
    assert (beyond.best.name, str(beyond.best.address)) == ("scripted:192.168.0.1", "1.2.3.4")


def test_where_none_says_where_it_is_the_usual_addresses_are_asked() -> None:
    beyond = look_beyond(found(upnp(BEHIND)), lambda _: None, candidates_at)
    assert beyond is not None
    assert list(map(str, beyond.places)) == ["192.168.0.1", "192.168.0.254"]


@pytest.mark.parametrize(
    "findings",
    [
        found(upnp()),
        found(NO_UPNP),
        found(pmp(BEHIND, host=ip_address("127.0.0.5"))),
        found(upnp(BEHIND), network=replace(HOME, gateways=())),
        found(upnp(BEHIND), network=replace(HOME, gateways=(IPv4Address("192.168.1.2"), GATEWAY))),
    ],
    ids=["a public address", "no router", "a router that is not ours", "no default route", "the second default route"],
)
def test_where_nothing_is_beyond_or_it_is_not_on_the_way_nothing_is_asked(findings: Findings) -> None:
    assert look_beyond(findings, nobody_asks, candidates_at) is None


# Telling


@pytest.mark.parametrize(
    ("beyond", "line"),
    [
        (Beyond((OUTER,), (FRONT,)), f"NAT-PMP 192.168.0.1 says {PUBLIC}  public"),
        (Beyond((OUTER,), (SILENT,)), "nothing that maps ports answers at 192.168.0.1"),
        (Beyond(()), "the router beyond makes itself not known"),
    ],
)
def test_a_line_says_what_is_beyond(beyond: Beyond, line: str) -> None:
    assert [it.text for it in report_lines(found(upnp(BEHIND), beyond=beyond)) if it.section == "Beyond"] == [line]


def test_a_report_shows_no_public_address_of_it() -> None:
    beyond = Beyond((IPv4Address("100.72.0.1"),), (replace(FRONT, host=IPv4Address("100.72.0.1")),))
    shown = redacted_findings(found(upnp("100.72.3.9"), beyond=beyond), {"pmp", "upnp"})
    text = "\n".join((*(line.text for line in report_lines(shown)), *diagnose(shown).next_steps))
    assert str(PUBLIC) not in text
    assert "100.72.0.1" not in text
    assert str(US) in text
