"""STUN against the real thing: coturn on the internet host, asked from the LAN through the router's NAT."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.command import PORTMAP, Portmap
from tests.lab.lab import HOST6, INTERNET, INTERNET6, Lab
from tests.lab.namespace import Namespace
from tests.lab.router import WAN

SPEC = f"stun:{INTERNET}:3478"
_TIMEOUT = 10  # seconds for the daemon to start


@contextlib.contextmanager
def coturn(namespace: Namespace, home: Path, *addresses: str, discovery: bool = False) -> Iterator[None]:
    """The daemon, STUN only, with all its files in `home`; with `discovery` it speaks RFC 5780."""
    files = ["--db", str(home / "turndb"), "--pidfile", str(home / "pid"), "--log-file", "stdout"]
    modest = ["--no-cli", "--no-tls", "--no-dtls", *([] if discovery else ["--no-rfc5780"]), "--simple-log", "-m", "1"]
    listening = [word for address in addresses for word in ("-L", address)]
    log = home / "log"
    with log.open("w") as out:
        words = ["turnserver", "-n", "--stun-only", "-v", *modest, *files, *listening]
        daemon = namespace.popen(words, stdout=out, stderr=out)
    deadline = time.monotonic() + _TIMEOUT
    while log.read_text().count("UDP listener opened") < len(addresses) * (2 if discovery else 1):
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)
    try:
        yield
    finally:
        daemon.kill()
        daemon.wait(5)


@pytest.fixture
def world(quiet_lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    """A lab in which no router maps ports, with coturn on the internet."""
    with coturn(quiet_lab.internet, tmp_path, INTERNET):
        yield quiet_lab


def test_the_lan_host_learns_the_routers_outer_address(world: Lab) -> None:
    assert world.lan.run([*PORTMAP, "ip", "--nat", SPEC]) == f"{WAN}\n"


def test_a_session_tells_the_address_whose_word_it_is_and_that_no_port_is_open(world: Lab) -> None:
    with Portmap(world.lan, "--nat", SPEC, "4001/both") as portmap:
        portmap.wait_for("external_ip.changed", external_ip=WAN, scope="public", reason=f"{INTERNET}:3478 sees {WAN}")
        for protocol in ("TCP", "UDP"):
            portmap.wait_for("mapping.failed", protocol=protocol, internal_port=4001, error="Refused")
        assert portmap.wait_for("record.changed", ip=WAN).keys().isdisjoint({"tcp", "udp"})
        assert portmap.stop().code == 0
        assert not portmap.told("mapping.added")


def test_another_outer_address_is_noticed_at_the_next_check(world: Lab) -> None:
    with Portmap(world.lan, "--nat", SPEC, "--ip-interval", "1s", "4001") as portmap:
        portmap.wait_for("external_ip.changed", external_ip=WAN)
        world.wan_address("11.22.33.7")
        portmap.wait_for("external_ip.changed", external_ip="11.22.33.7", previous_ip=WAN)
        portmap.wait_for("record.changed", ip="11.22.33.7")


def test_a_server_that_is_not_there_is_told_and_one_that_is_suffices(world: Lab) -> None:
    told = world.lan.run([*PORTMAP, "ip", "--json", "--nat", f"stun:{INTERNET}:9+{INTERNET}"])
    assert json.loads(told)["external_ip"] == WAN


def test_only_the_server_that_was_named_is_asked(world: Lab) -> None:
    before = world.router.packets_heard()
    world.lan.run([*PORTMAP, "ip", "--nat", SPEC])
    heard = world.router.packets_heard() - before
    assert 1 <= heard <= 4, "the question, and ARP for the way there"


def test_the_address_of_a_public_hosts_interface_needs_no_server(world: Lab) -> None:
    assert world.internet.run([*PORTMAP, "ip", "--nat", "if:eth0"]) == f"{INTERNET}\n"


def test_the_interface_of_a_host_behind_a_nat_is_refused_with_its_address(world: Lab) -> None:
    with pytest.raises(
        RuntimeError, match=r"interface eth0 has only 192\.168\.77\.2, not public: use pcp, pmp or upnp"
    ):
        world.lan.run([*PORTMAP, "ip", "--nat", "if:eth0"])


def test_an_interface_follows_its_address_and_ports_are_open_as_they_stand(world: Lab) -> None:
    with Portmap(world.internet, "--nat", "if:eth0", "--ip-interval", "1s", "4001") as portmap:
        portmap.wait_for("mapping.added", external_ip=INTERNET, external_port=4001, static=True)
        world.internet.ip(f"addr del {INTERNET}/8 dev eth0", "addr add 11.22.33.99/8 dev eth0")
        portmap.wait_for("mapping.changed", external_ip="11.22.33.99", external_port=4001)
        portmap.wait_for("record.changed", ip="11.22.33.99", tcp=4001)


@pytest.fixture
def six(laboratory: None, tmp_path: Path) -> Iterator[Lab]:
    with Lab(ipv6=True) as lab, coturn(lab.internet, tmp_path, INTERNET, INTERNET6):
        lab.router.run(["nft", "insert rule inet filter postrouting meta nfproto ipv6 accept"])  # no NAT for IPv6
        yield lab


def test_by_ipv6_the_hosts_own_address_is_seen(six: Lab) -> None:
    assert six.lan.run([*PORTMAP, "ip", "--nat", f"stun:[{INTERNET6}]"]) == f"{HOST6}\n"


def test_where_both_answer_ipv4_is_told(six: Lab) -> None:
    assert six.lan.run([*PORTMAP, "ip", "--nat", f"stun:[{INTERNET6}]+{INTERNET}"]) == f"{WAN}\n"
