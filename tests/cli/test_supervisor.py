"""Several sessions at once: their lines, their ends, and a reload that leaves alone what has not changed.

What is shown drives each story: `show` is called in the main thread for every event, and may send a signal.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.stopwatch import Stopwatch

from portmap.cli.hold.human_lines import HumanLines
from portmap.cli.hold.supervisor import supervise
from portmap.cli.output.events import HumanRenderer, json_with_instance_name
from portmap.config.settings import Instance, MappingText
from portmap.errors import GatewayTimeout, PortmapError, SpecError
from portmap.events import Event, PortAdded
from portmap.model import Protocol
from portmap.node.local_node import LocalNode
from portmap.testing import Router, loopback_address

LONG = 20.0  # seconds, that no test here waits out

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP on this system")


class Story:
    """Notes `INSTANCE EVENT PORT`, and does what is due after such a line: sends a signal, or calls something."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.steps: dict[str, list[Callable[[], object]]] = {}

    def after(self, line: str, *steps: Callable[[], object]) -> "Story":
        self.steps.setdefault(line, []).extend(steps)
        return self

    def __call__(self, instance: str, event: Event, at: float) -> str | None:
        line = f"{instance} {event.event} {getattr(event, 'internal_port', '')}".rstrip()
        self.told.append(line)
        for step in self.steps.pop(line, ()):
            step()
        return line


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def hang_up() -> None:
    os.kill(os.getpid(), signal.SIGHUP)


@pytest.fixture
def routers() -> Iterator[tuple[Router, Router]]:
    with Router(loopback_address(), upnp=False) as one, Router(loopback_address(), upnp=False) as other:
        yield one, other


def instance(name: str, router: Router, *mappings: str) -> Instance:
    return Instance(name=name, nat=f"pmp:{router.address}", mappings=tuple(map(MappingText, mappings)), state="none")


def hold(story: Story, before: Sequence[Instance], after: Sequence[Instance] | None = None) -> list[str]:
    supervise(before, story, reload=None if after is None else lambda: after, seconds=LONG)
    return story.told


Routers = tuple[Router, Router]


def test_every_instance_is_held_and_all_end_at_a_signal(routers: Routers) -> None:
    up: list[str] = []

    def show(instance: str, event: Event, at: float) -> None:
        if isinstance(event, PortAdded):
            up.append(instance)
            if len(up) == 2:
                assert [len(router.entries) for router in routers] == [1, 1]
                stop()

    supervise([instance("home", routers[0], "80"), instance("vpn", routers[1], "80")], show, seconds=LONG)
    assert sorted(up) == ["home", "vpn"]
    assert [router.entries for router in routers] == [(), ()]


def test_a_reload_leaves_alone_what_has_not_changed(routers: Routers) -> None:
    story = Story()
    story.after("home mapping.added 80", hang_up)
    story.after("home mapping.added 90", stop)
    told = hold(story, [instance("home", routers[0], "80")], [instance("home", routers[0], "80", "90")])
    assert told.count("home mapping.added 80") == 1
    assert told.index("home mapping.removed 80") > told.index("home mapping.added 90")
    assert routers[0].heard.map == 2  # once each


def test_a_reload_takes_a_mapping_away(routers: Routers) -> None:
    story = Story().after("home mapping.added 90", hang_up).after("home mapping.removed 90", stop)
    told = hold(story, [instance("home", routers[0], "80", "90")], [instance("home", routers[0], "80")])
    assert told.index("home mapping.removed 90") < told.index("home mapping.removed 80")


def test_a_reload_starts_and_ends_instances(routers: Routers) -> None:
    story = Story().after("home mapping.added 80", hang_up).after("vpn mapping.added 80", stop)
    told = hold(story, [instance("home", routers[0], "80")], [instance("vpn", routers[1], "80")])
    assert told.index("home mapping.removed 80") < told.index("vpn mapping.removed 80")
    assert [router.entries for router in routers] == [(), ()]


def test_another_gateway_restarts_the_instance(routers: Routers) -> None:
    story = Story()
    story.after("home mapping.added 80", hang_up)
    story.after("home mapping.removed 80", lambda: story.after("home mapping.added 80", stop))
    hold(story, [instance("home", routers[0], "80")], [instance("home", routers[1], "80")])
    assert story.told.count("home mapping.added 80") == 2
    assert [router.heard.map for router in routers] == [1, 1]


def test_a_reload_that_makes_no_sense_changes_nothing(routers: Routers, capsys: pytest.CaptureFixture[str]) -> None:
    def nonsense() -> Sequence[Instance]:
        stop()
        raise SpecError("my.toml:3: what is this?")

    story = Story().after("home mapping.added 80", hang_up)
    supervise([instance("home", routers[0], "80")], story, reload=nonsense, seconds=LONG)
    assert story.told[-2:] == ["home mapping.removed 80", "home record.changed"]
    assert capsys.readouterr().err == "portmap: nothing was changed: my.toml:3: what is this?\n"


def test_what_cannot_be_restarted_runs_on_as_before(routers: Routers, capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.after("home mapping.added 80", hang_up)
    story.after("home mapping.removed 80", lambda: story.after("home mapping.added 80", stop))
    hold(story, [instance("home", routers[0], "80")], [Instance(name="home", nat="acme")])
    assert story.told.count("home mapping.added 80") == 2
    assert "instance home cannot be started: unknown backend 'acme'" in capsys.readouterr().err


def test_an_instance_that_cannot_be_started_at_first_is_an_error(routers: Routers) -> None:
    with pytest.raises(SpecError, match="unknown backend 'acme'"):
        hold(Story(), [instance("home", routers[0], "80"), Instance(name="x", nat="acme")])
    assert routers[0].entries == ()


def test_without_a_reload_the_end_is_the_same(routers: Routers) -> None:
    assert "home mapping.removed 80" in hold(
        Story().after("home mapping.added 80", stop), [instance("home", routers[0], "80")]
    )


def test_the_end_of_the_time_is_an_end(routers: Routers) -> None:
    story = Story()
    supervise([instance("home", routers[0], "80")], story, seconds=3)
    assert "home mapping.removed 80" in story.told


class EventRecorder:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def apply(self, instance: str, event: Event) -> None:
        self.heard.append(f"{instance} {event.event}")

    def forget(self, instance: str) -> None:
        self.heard.append(f"{instance} forgotten")


def test_the_metrics_hear_everything(routers: Routers) -> None:
    recorder = EventRecorder()
    story = Story().after("home mapping.added 80", stop)
    supervise([instance("home", routers[0], "80")], story, consumers=[recorder], seconds=LONG)
    assert recorder.heard[0] == "home gateway.found"
    assert recorder.heard[-1] == "home forgotten"


HANGS = """
import time
from portmap import Kind, hookimpl
class Hangs:
    kind = Kind.LOOP
    @classmethod
    def from_argument(cls, argument):
        return cls()
    @hookimpl
    def external_ip(self):
        time.sleep(15)
    @hookimpl
    def add_mapping(self):
        pass
    @hookimpl
    def delete_mapping(self):
        pass
"""
ENTRIES = "[portmap.backends]\nhangs = hangs_nat:Hangs\n"


def test_sessions_that_hang_end_within_three_seconds_in_all(install: Callable[..., Path]) -> None:
    install("hangs", ENTRIES, hangs_nat=HANGS)
    wanted = [Instance(name=str(n), nat="hangs", mappings=(MappingText("80"),), state="none") for n in range(4)]
    with Stopwatch() as watch, pytest.raises(GatewayTimeout, match="nothing was opened"):
        supervise(wanted, Story(), seconds=0.2)
    assert watch.seconds < 3.5


def test_one_that_falls_takes_no_other_with_it(
    routers: Routers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("oops")

    monkeypatch.setattr(LocalNode, "set_static_ip", fail)
    fallen = Instance(name="fallen", nat="extip:1.2.3.4", mappings=(MappingText("80"),))
    story = Story().after("home mapping.added 80", stop)
    with pytest.raises(PortmapError, match="oops"):
        hold(story, [fallen, instance("home", routers[0], "80")])
    assert "home mapping.removed 80" in story.told
    assert "instance fallen has ended: " in capsys.readouterr().err


# systemd's view

SERVICE = """
import sys
from portmap.cli.hold.human_lines import HumanLines
from portmap.cli.hold.supervisor import supervise
from portmap.config.settings import Instance, MappingText
wanted = [Instance(name="home", nat=sys.argv[1], mappings=(MappingText("80"),), state="none")]
supervise(wanted, lambda name, event, at: event.event, reload=lambda: wanted)
"""


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(LONG)
        manager.bind(str(tmp_path / "notify"))
        yield manager


def test_a_service_says_ready_lives_reloads_and_stops(routers: Routers, manager: socket.socket, tmp_path: Path) -> None:
    asked = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "200000"}
    command = [sys.executable, "-c", SERVICE, f"pmp:{routers[0].address}"]
    with subprocess.Popen(command, env=os.environ | asked, stdout=subprocess.DEVNULL) as service:
        _until(manager, "READY=1\nSTATUS=the mapping is up at 1.2.3.4")
        _until(manager, "WATCHDOG=1")
        service.send_signal(signal.SIGHUP)
        _until(manager, "RELOADING=1\nMONOTONIC_USEC=")
        _until(manager, "READY=1\nSTATUS=the mapping is up at 1.2.3.4")
        service.send_signal(signal.SIGTERM)
        _until(manager, "STOPPING=1")
    assert (service.returncode, routers[0].entries) == (0, ())


def _until(manager: socket.socket, beginning: str) -> None:
    """Read until a message begins so; the manager's time limit fails it."""
    while not manager.recv(4096).decode().startswith(beginning):
        pass


# lines

ADDED = PortAdded(protocol=Protocol.TCP, internal_port=80, external_port=80)


def test_lines_have_the_instances_name_in_front() -> None:
    show = HumanLines([Instance(name="home"), Instance(name="protonvpn")])
    line = show("home", ADDED, 0)
    assert line is not None
    assert line.startswith("home      ")
    assert line.endswith(HumanRenderer()(ADDED, 0) or "")


def test_a_single_instance_needs_no_name() -> None:
    assert HumanLines([Instance(name="home")])("home", ADDED, 0) == HumanRenderer()(ADDED, 0)


def test_what_people_need_not_see_stays_unseen() -> None:
    assert HumanLines([Instance(name="a"), Instance(name="b")], quiet=True)("a", ADDED, 0) is None


def test_json_names_the_instance() -> None:
    told = json.loads(json_with_instance_name("home", ADDED, 1.5))
    assert (told["v"], told["ts"], told["instance"], told["event"]) == (1, 1.5, "home", "mapping.added")
