"""The fixtures, as another project switches them on."""

import subprocess
import sys
from pathlib import Path

CONFTEST = 'pytest_plugins = "portmap.testing.pytest"\n'
TESTS = """
import socket

import pytest

from portmap.testing import Heard, Quirks, Router


def address_of(router):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(2)
        sock.sendto(bytes(2), (router.address, router.pmp_port))
        return socket.inet_ntoa(sock.recv(16)[8:])


def test_a_router_answers(router):
    assert address_of(router) == "1.2.3.4"
    assert router.heard == Heard(address=1)


def test_routers_are_made_to_order(router_factory):
    one, two = router_factory(external_ip="203.0.113.7"), router_factory(quirks=Quirks(silent=True))
    assert address_of(one) == "203.0.113.7"
    assert one.address != two.address
    with pytest.raises(TimeoutError):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.05)
            sock.sendto(bytes(2), (two.address, two.pmp_port))
            sock.recv(16)


def test_an_address_of_ones_own(loopback_address, router_factory):
    assert router_factory(loopback_address).address == loopback_address


LEFT = []


def test_a_router_is_kept(router):
    LEFT.append(router)


def test_and_has_ended_with_its_test():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LEFT[0].address, LEFT[0].pmp_port))
"""


def test_any_project_can_switch_the_fixtures_on(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_it.py").write_text(TESTS)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
    ]
    ran = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, check=False, timeout=50)
    assert "5 passed" in ran.stdout, ran.stdout + ran.stderr
