"""Whether the lab can be believed: the same with other people's clients, and without any."""

import subprocess
import sys

from tests.lab.lab import HOST, Lab
from tests.lab.namespace import Namespace, run, sweep
from tests.lab.router import Entry


def test_no_bytes_arrive_before_anything_is_mapped(lab: Lab) -> None:
    lab.serve(4001)
    assert not lab.bytes_arrive("TCP", 4001)
    assert not lab.bytes_arrive("UDP", 4001)


def test_bytes_arrive_through_a_mapping_made_by_natpmpc(lab: Lab) -> None:
    lab.serve(4001)
    lab.lan.run(["natpmpc", "-a", "4002", "4001", "tcp", "60"])
    assert lab.router.mappings() == [Entry("TCP", 4002, HOST, 4001)]
    assert lab.bytes_arrive("TCP", 4002)


def test_bytes_arrive_through_a_mapping_made_by_upnpc(lab: Lab) -> None:
    lab.serve(4001)
    lab.lan.run(["upnpc", "-u", lab.router.description_url, "-a", HOST, "4001", "4002", "udp", "60"])
    assert lab.router.mappings() == [Entry("UDP", 4002, HOST, 4001)]
    assert lab.bytes_arrive("UDP", 4002)


def test_a_single_datagram_from_the_lan_host_is_counted(lab: Lab) -> None:
    before = lab.router.packets_heard()
    lab.lan.run(["natpmpc"])
    assert lab.router.packets_heard() > before


def test_an_idle_lan_host_is_not_heard(lab: Lab) -> None:
    assert lab.router.packets_heard() == 0


def test_what_a_killed_run_left_behind_is_swept_away(laboratory: None) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, text=True) as killed:
        left_behind = Namespace(f"pm-{killed.pid}-0-router")
        run(["ip", "netns", "add", left_behind.name])  # while it lives: another worker may be sweeping just now
        killed.communicate("\n")
    sweep()
    assert left_behind.name not in run(["ip", "netns", "list"])
