"""Two routers in a row, as said by users: `beyond` of `portmap.open`, `--beyond` of the command, the text of a spec."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import portmap
from portmap.cli.commands.close import close_ports
from portmap.cli.commands.open import open_ports
from portmap.config.file import parse_config
from portmap.errors import Conflict, NoGateway, PluginError, SpecError
from portmap.testing import Quirks, Router, loopback_address

START = (sys.executable, "-m", "portmap")
Eventually = Callable[[Callable[[], object]], None]


class TwoRouters:
    """The outer one is asked by UPnP, which names the inner one as the host to forward to."""

    def __init__(self, stack: ExitStack) -> None:
        outside = loopback_address()
        self.inner = stack.enter_context(Router(loopback_address(), outside=outside, external_ip=outside, uptime=9))
        self.outer = stack.enter_context(Router(loopback_address(), pmp=False, uptime=9))
        self.nat = f"pmp:{self.inner.address}"
        self.beyond = f"upnp:{self.outer.description_url}"

    @property
    def tables(self) -> tuple[list[tuple[str, int, int]], list[tuple[str, int, int]]]:
        """Where the ports of each lead to: inner, outer."""
        inner, outer = (
            sorted((it.internal_client, it.internal_port, it.external_port) for it in router.entries)
            for router in (self.inner, self.outer)
        )
        return inner, outer


@pytest.fixture
def routers() -> Iterator[TwoRouters]:
    with ExitStack() as stack:
        yield TwoRouters(stack)


def test_a_session_is_told_the_outermost_address_and_leaves_nothing(routers: TwoRouters) -> None:
    with portmap.open(routers.nat, ["web=28443:28444"], beyond=routers.beyond) as session:
        (mapping,) = session.wait(10)
        assert (str(mapping.external_ip), mapping.external_port, mapping.internal_port) == ("1.2.3.4", 28443, 28444)
        assert routers.tables == (
            [("127.0.0.1", 28444, 28444)],
            [(routers.inner.outside, 28444, 28443)],
        )
        assert session.gateway.startswith(f"NAT-PMP {routers.inner.address}, beyond it ")
    assert routers.tables == ([], [])


def test_tcp_and_udp_and_a_range_go_through_both(routers: TwoRouters) -> None:
    with portmap.open(routers.nat, ["28444/both", "28450-28453/udp"], beyond=[routers.beyond]) as session:
        assert len(session.wait(10)) == 6
        assert [len(table) for table in routers.tables] == [6, 6]
    assert routers.tables == ([], [])


@pytest.mark.parametrize("which", ["inner", "outer"])
def test_a_restart_of_either_router_is_mended(which: str, routers: TwoRouters, eventually: Eventually) -> None:
    router: Router = getattr(routers, which)
    with portmap.open(routers.nat, ["28444"], beyond=routers.beyond, ip_interval=0.2) as session:
        session.wait(10)
        before = routers.tables
        router.reboot()
        eventually(lambda: routers.tables == before)


def test_a_new_address_of_the_inner_router_moves_the_outer_mapping(routers: TwoRouters, eventually: Eventually) -> None:
    with portmap.open(routers.nat, ["28444"], beyond=routers.beyond, ip_interval=0.2) as session:
        session.wait(10)
        routers.inner.external_ip = moved = loopback_address()
        eventually(lambda: routers.tables[1] == [(moved, 28444, 28444)])
        assert [str(it.external_ip) for it in session.mappings] == ["1.2.3.4"]


def test_an_outer_router_that_is_gone_is_told_with_its_place(routers: TwoRouters) -> None:
    routers.outer.close()
    session = portmap.open(routers.nat, ["28444"], beyond=routers.beyond)
    with session, pytest.raises(NoGateway, match=r"^hop 2 of 2"):
        session.wait(3)
    assert routers.tables[0] == []


def test_nothing_is_sent_for_a_chain_that_makes_no_sense(routers: TwoRouters) -> None:
    for beyond in ("none", "stun:192.168.0.1", "pcp:fe80::1%lo", "nonsense:"):
        with pytest.raises((SpecError, PluginError)):
            portmap.open(routers.nat, ["28444"], beyond=beyond)
    with pytest.raises(SpecError, match="a chain, or an interface, needs the gateway as a spec"):
        portmap.open(portmap.load(routers.nat), ["28444"], beyond=routers.beyond)
    assert routers.inner.heard.address == 0


# The command


def start(routers: TwoRouters, state: Path, *words: str) -> "subprocess.Popen[str]":
    command = (*START, "--nat", routers.nat, "--beyond", routers.beyond, "--state", str(state), *words)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def until_holding(running: "subprocess.Popen[str]") -> None:
    """Until it says that the port is open; by then the journal is written."""
    assert running.stdout is not None
    for line in running.stdout:
        if " holding " in line:
            return
    raise AssertionError("it ended before")


def test_the_command_tells_both_gateways_and_ctrl_c_leaves_nothing(
    routers: TwoRouters, tmp_path: Path, eventually: Eventually
) -> None:
    running = start(routers, tmp_path, "--json", "28444")
    eventually(lambda: len(routers.tables[1]) == 1)
    time.sleep(0.5)  # until it has told that
    running.send_signal(signal.SIGINT)
    output, errors = running.communicate(timeout=10)
    assert (running.returncode, errors) == (0, "")
    events = {event["event"]: event for event in map(json.loads, output.splitlines())}
    assert events["gateway.found"]["evidence"][0] == (
        f"hop 1: NAT-PMP {routers.inner.address}, outer address {routers.inner.outside}"
    )
    assert any(fact.startswith("hop 2: ") for fact in events["gateway.found"]["evidence"])
    assert events["mapping.added"]["external_ip"] == "1.2.3.4"
    assert routers.tables == ([], [])


def test_what_a_killed_command_left_is_taken_over_at_both_gateways_and_deleted_in_the_end(
    routers: TwoRouters, tmp_path: Path
) -> None:
    routers.inner.quirks = Quirks(other_port=True)
    killed = start(routers, tmp_path, "28444")
    until_holding(killed)
    killed.kill()
    killed.communicate()
    left = routers.tables
    next_one = start(routers, tmp_path, "28444")
    until_holding(next_one)
    assert routers.tables == left
    next_one.send_signal(signal.SIGTERM)
    next_one.communicate(timeout=10)
    assert routers.tables == ([], [])


def test_what_a_killed_command_left_and_nobody_wants_is_deleted_at_both_gateways(
    routers: TwoRouters, tmp_path: Path, eventually: Eventually
) -> None:
    killed = start(routers, tmp_path, "28444")
    until_holding(killed)
    killed.kill()
    killed.communicate()
    other = start(routers, tmp_path, "28445")
    eventually(lambda: [[it[1] for it in table] for table in routers.tables] == [[28445], [28445]])
    other.send_signal(signal.SIGTERM)
    other.communicate(timeout=10)
    assert routers.tables == ([], [])


def test_open_and_close_take_the_chain_as_one_text(routers: TwoRouters, tmp_path: Path) -> None:
    spec = f"{routers.nat} beyond {routers.beyond}"
    assert open_ports(spec, ["28444"], 600, tmp_path, ipv6=False) == 0
    assert [len(table) for table in routers.tables] == [1, 1]
    assert close_ports(None, [], tmp_path, mine=True) == 0
    assert routers.tables == ([], [])


def test_the_file_has_a_list_and_a_map_may_have_its_own() -> None:
    text = 'beyond = ["pmp:192.168.0.1"]\n[[map]]\nport = 80\n[[map]]\nport = 81\nbeyond = []\n'
    chain, alone = parse_config(text).instances
    assert (chain.gateway, alone.gateway) == ("any beyond pmp:192.168.0.1", "any")


# Several portmaps on one host


def test_of_two_that_hold_the_same_port_the_first_to_end_leaves_both_mappings(routers: TwoRouters) -> None:
    first = portmap.open(routers.nat, ["28444"], beyond=routers.beyond)
    first.wait(10)
    held = routers.tables
    with portmap.open(routers.nat, ["28444"], beyond=routers.beyond) as second:
        second.wait(10)
        assert routers.tables == held
        first.close()
        assert routers.tables == held
    assert routers.tables == ([], [])


def test_a_portmap_at_the_inner_router_alone_keeps_its_mapping_when_the_chain_ends(routers: TwoRouters) -> None:
    with portmap.open(routers.nat, ["28444"]) as alone:
        alone.wait(10)
        with portmap.open(routers.nat, ["28444"], beyond=routers.beyond) as chain:
            chain.wait(10)
        assert [len(table) for table in routers.tables] == [1, 0]
    assert routers.tables == ([], [])


# A port that is taken


def test_where_only_the_wanted_port_will_do_a_taken_one_leaves_nothing(routers: TwoRouters) -> None:
    routers.outer.quirks = Quirks(conflict=frozenset({28443}))
    session = portmap.open(routers.nat, ["28443:28444"], beyond=routers.beyond, on_conflict="fail")
    with session, pytest.raises(Conflict, match=r"^hop 2 of 2|gave port"):
        session.wait(2)
    assert routers.tables == ([], [])


def test_else_another_one_is_taken_outside(routers: TwoRouters) -> None:
    routers.outer.quirks = Quirks(conflict=frozenset({28443}))
    with portmap.open(routers.nat, ["28443:28444"], beyond=routers.beyond) as session:
        (mapping,) = session.wait(10)
        assert mapping.external_port != 28443
        assert routers.tables[1] == [(routers.inner.outside, 28444, mapping.external_port)]
