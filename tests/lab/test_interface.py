"""`--interface`: of a host with two routers the chosen one is asked, and not a frame is sent to the other."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.carrier import FULL_CONE
from tests.lab.command import PORTMAP, Portmap, Program
from tests.lab.inner_router import InnerRouter
from tests.lab.lab import HOST6, OTHER_HOST, OTHER_INTERNET, OTHER_LAN, OTHER_WAN, Lab
from tests.lab.router import WAN, Entry, Router
from tests.lab.second_uplink import OTHER, TWIN, Way, frames_sent, plug_in_decoy, plug_in_second, plug_in_twin
from tests.lab.test_stun import coturn
from tests.lab.traffic import knock

PORT = 4001
PROTOCOLS = ("pmp", "pcp", "upnp", "any")
WAYS = [pytest.param(way, id=way.name) for way in Way]


@pytest.fixture
def second(lab: Lab) -> Iterator[Router]:
    router = plug_in_second(lab)
    yield router
    print(router.log)  # pytest shows it with a failure only


def run(lab: Lab, *words: str) -> tuple[int, str]:
    """The exit code of a command, and all that it printed."""
    command = ["sh", "-c", '"$@" 2>&1; echo "exit $?"', "sh", *PORTMAP, *words]
    *lines, last = lab.lan.run(command).splitlines()
    return int(last.removeprefix("exit ")), "\n".join(lines)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_chosen_router_maps_and_the_other_one_hears_nothing(lab: Lab, protocol: str, way: Way) -> None:
    second = plug_in_second(lab, way)
    before = frames_sent(lab.lan)
    words = ("--interface", OTHER, "--nat", protocol, "--ip-interval", "1h", f"{PORT}/both")
    with Portmap(lab.lan, *words) as portmap:
        for each in ("TCP", "UDP"):
            portmap.wait_for("mapping.added", protocol=each, external_ip=OTHER_WAN, external_port=PORT)
        assert {entry.client for entry in second.mappings()} == {OTHER_HOST}
        lab.router.reboot()  # what it announces is not ours
        second.reboot()
        told = portmap.wait_for("gateway.rebooted")
        assert OTHER_LAN in told["gateway"]
        assert portmap.stop().code == 0, portmap.story()
    assert second.mappings() == []
    assert lab.router.mappings() == []
    assert frames_sent(lab.lan) == before
    assert lab.router.packets_heard() == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_two_routers_with_the_same_address_are_told_apart_by_their_interfaces(lab: Lab, protocol: str) -> None:
    twin = plug_in_twin(lab)
    before = frames_sent(lab.lan)
    with Portmap(lab.lan, "--interface", OTHER, "--nat", protocol, str(PORT)) as portmap:
        portmap.wait_for("mapping.added", external_ip=OTHER_WAN)
        assert [entry.client for entry in twin.mappings()] == [TWIN]
        assert portmap.stop().code == 0, portmap.story()
    assert twin.mappings() == []
    assert frames_sent(lab.lan) == before


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_other_interface_may_go_and_come_and_nothing_is_told(lab: Lab, second: Router, protocol: str) -> None:
    words = ("--interface", OTHER, "--nat", protocol, "--ip-interval", "1s", f"{PORT}/both")
    with Portmap(lab.lan, *words) as portmap:
        portmap.wait_for("record.changed")
        told = len(portmap.events)
        lab.lan.ip("link set eth0 down")
        lab.lan.ip("link set eth0 up", f"route add default via {lab.router.lan}")
        lab.lan.ip(f"addr add 192.168.88.9/24 dev {OTHER}", f"link set {OTHER} down")  # that is ours
        portmap.wait_for("gateway.lost")
        since = [event["event"] for event in portmap.events[told:]]
        assert since[:2] == ["network.changed", "gateway.lost"], portmap.story()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_chosen_interface_may_go_and_come_and_the_port_is_open_again(
    lab: Lab, second: Router, protocol: str
) -> None:
    words = ("--interface", OTHER, "--nat", protocol, "--ip-interval", "1s", f"{PORT}/both")
    with Portmap(lab.lan, *words) as portmap:
        portmap.wait_for("record.changed")
        lab.lan.ip(f"link set {OTHER} down")
        portmap.wait_for("gateway.lost")
        lab.lan.ip(f"link set {OTHER} up", f"route add default via {OTHER_LAN} dev {OTHER} metric 200")
        portmap.wait_for("gateway.found", since=len(portmap.events) - 1)
        assert portmap.stop().code == 0, portmap.story()
    assert second.mappings() == []


def test_bytes_arrive_where_a_rule_has_programs_answer_by_the_chosen_interface(lab: Lab) -> None:
    lab.serve(PORT)
    first, lab.router = lab.router, plug_in_second(lab, Way.BY_RULE)
    with Portmap(lab.lan, "--interface", OTHER, str(PORT)) as portmap:
        portmap.wait_for("record.changed")
        assert lab.bytes_arrive("TCP", portmap.port(), within=2)
    assert first.packets_heard() == 0


@pytest.mark.parametrize("protocol", ["pmp", "pcp", "upnp"])
def test_a_gateway_of_the_chosen_network_may_be_named(lab: Lab, second: Router, protocol: str) -> None:
    code, told = run(lab, "ip", "--nat", f"{protocol}:{OTHER_LAN}", "--interface", OTHER)
    assert (code, told) == (0, OTHER_WAN)
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize("protocol", ["pmp", "pcp", "upnp"])
def test_a_gateway_of_the_other_network_is_not_reached_by_the_chosen_interface(
    lab: Lab, second: Router, protocol: str
) -> None:
    code, told = run(lab, "ip", "--nat", f"{protocol}:{lab.router.lan}", "--interface", OTHER)
    assert code in (3, 7), told
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize("protocol", ["pmp", "pcp"])
def test_without_a_route_the_usual_address_of_the_chosen_network_is_asked_and_not_believed(
    lab: Lab, second: Router, protocol: str
) -> None:
    lab.lan.ip(f"route del default dev {OTHER}")
    code, told = run(lab, "ip", "--nat", protocol, "--interface", OTHER)
    assert code != 0
    assert f"{OTHER_LAN} answers, but no default route leads there" in told
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--interface", "eth7"), "there is no interface eth7: use one of eth0, eth1"),
        (("--interface", "lo"), "lo leads to this host itself, so no gateway is there: use one of eth0, eth1"),
        (
            ("--interface", OTHER, "--nat", "extip:1.2.3.4"),
            "extip uses no interface that can be chosen: leave out eth1",
        ),
        (("--interface", OTHER, "--nat", "pmp on eth0"), "two interfaces are named, eth0 and eth1: name one"),
        (
            ("--interface", OTHER, "--nat", "pmp,miniupnpc"),
            "miniupnpc connects as the routes say, not by eth1: use upnp",
        ),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(lab: Lab, second: Router, words: tuple[str, ...], told: str) -> None:
    code, said = run(lab, str(PORT), *words)
    assert code == 2, said
    assert told in said
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (f"link set {OTHER} down", f"the interface {OTHER} is down"),
        (f"addr del {OTHER_HOST}/24 dev {OTHER}", "has no"),  # address
        (f"link delete {OTHER}", f"there is no interface {OTHER}"),
    ],
)
def test_an_interface_without_use_is_told(lab: Lab, second: Router, protocol: str, change: str, told: str) -> None:
    lab.lan.ip(change)
    code, said = run(lab, "ip", "--nat", protocol, "--interface", OTHER)
    assert code != 0
    assert told in said
    assert frames_sent(lab.lan) == 0


def test_open_ls_and_close_speak_to_the_chosen_router(lab: Lab, second: Router, tmp_path: Path) -> None:
    folder = ("--state", str(tmp_path))
    code, told = run(lab, "open", "--interface", OTHER, *folder, str(PORT))
    assert code == 0, told
    assert [entry.client for entry in second.mappings()] == [OTHER_HOST]
    code, told = run(lab, "ls", "--nat", "upnp", "--interface", OTHER, "--json", *folder)
    assert [row["ours"] for row in json.loads(told)["mappings"]] == [True]
    code, told = run(lab, "close", *folder, str(PORT))  # where it was opened was noted
    assert code == 0, told
    assert second.mappings() == []
    assert frames_sent(lab.lan) == 0


def test_the_doctor_says_how_programs_answer_by_the_chosen_interface(lab: Lab, second: Router) -> None:
    code, said = run(lab, "doctor", "--interface", OTHER, "--json")
    told = json.loads(said)
    assert told["verdict"] == "traffic-elsewhere", said
    for command in told["next"][0].removeprefix("as root: ").split(" && "):
        lab.lan.run(command.split())
    code, said = run(lab, "doctor", "--interface", OTHER)
    assert code == 0, said
    assert OTHER_LAN in said
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize("beyond", ["auto", "pmp:192.168.77.1"])
def test_every_gateway_of_a_row_is_reached_by_the_chosen_interface(lab: Lab, beyond: str) -> None:
    with InnerRouter(lab) as inner:
        plug_in_decoy(inner.far)
        with Portmap(inner.far, "--interface", "eth0", "--beyond", beyond, str(PORT)) as portmap:
            portmap.wait_for("mapping.added", external_ip=WAN, external_port=PORT)
            assert portmap.stop().code == 0, portmap.story()
        assert lab.router.mappings() == []
        assert frames_sent(inner.far, OTHER) == 0


@pytest.mark.parametrize("protocol", ["pcp", "upnp", "any"])
def test_pinholes_are_opened_in_the_firewall_of_the_chosen_interface(laboratory: None, protocol: str) -> None:
    with Lab(ipv6=True) as lab:
        lab.router.start_miniupnpd()
        plug_in_decoy(lab.lan, ipv6=True)
        with Portmap(lab.lan, "-6", "--interface", "eth0", "--nat", protocol, str(PORT)) as portmap:
            portmap.wait_for("pinhole.added", external_ip=HOST6)
            assert lab.router.pinholes() == [Entry("TCP", PORT, HOST6, PORT)]
            assert portmap.stop().code == 0, portmap.story()


def test_a_responder_is_asked_by_the_chosen_interface(lab: Lab) -> None:
    plug_in_second(lab, Way.BY_RULE)
    lab.serve(PORT)
    with (
        Program(lab.internet, *PORTMAP, "echo", "--json") as responder,
        Portmap(lab.lan, "--interface", OTHER, str(PORT)) as portmap,
    ):
        responder.wait_for("echo.listening")
        portmap.wait_for("mapping.added")
        via = ("--via", f"http://{OTHER_INTERNET}:8080")
        code, told = run(lab, "check", "--interface", OTHER, *via, "--state", "none", str(PORT))
        assert code == 0, told
    assert frames_sent(lab.lan) == 0


def test_a_stun_server_sees_the_router_of_the_chosen_interface(lab: Lab, second: Router, tmp_path: Path) -> None:
    with coturn(lab.internet, tmp_path, OTHER_INTERNET):
        assert run(lab, "ip", "--nat", f"stun:{OTHER_INTERNET}", "--interface", OTHER) == (0, OTHER_WAN)
    assert frames_sent(lab.lan) == 0


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_hole_is_punched_by_the_chosen_interface_and_peers_are_answered_by_it(
    lab: Lab, second: Router, protocol: str, tmp_path: Path
) -> None:
    lab.serve(PORT)
    lab.internet.ip("addr add 12.34.56.253/8 dev eth1")
    second.run(["nft", "-f", "-"], stdin=FULL_CONE.replace("HOST", OTHER_HOST))
    spec = f"punch:{OTHER_INTERNET}+12.34.56.253"
    with (
        coturn(lab.internet, tmp_path, OTHER_INTERNET, "12.34.56.253", discovery=True),
        Portmap(lab.lan, "--interface", OTHER, "--nat", spec, f"{PORT}/{protocol.lower()}") as portmap,
    ):
        port = int(portmap.wait_for("mapping.added", external_ip=OTHER_WAN)["external_port"])
        assert lab.internet.inside(lambda: knock(protocol, OTHER_WAN, port))
    assert frames_sent(lab.lan) == 0
