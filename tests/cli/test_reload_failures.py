"""A reload that fails costs no port that can still be held."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from portmap.cli.hold.supervisor import supervise
from portmap.config.settings import Instance, MappingText
from portmap.errors import PluginError, SpecError
from portmap.events import Event, PortAdded, PortRemoved
from portmap.testing import Router, loopback_address

LONG = 20.0  # seconds, that no test here waits out

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP on this system")


@pytest.fixture
def router() -> Iterator[Router]:
    with Router(loopback_address(), upnp=False) as simulated:
        yield simulated


def instance(name: str, router: Router, mapping: str, state: str = "none") -> Instance:
    return Instance(name=name, nat=f"pmp:{router.address}", mappings=(MappingText(mapping),), state=state)


def send(number: int) -> None:
    os.kill(os.getpid(), number)


class Shown:
    """What was opened and removed, by instance; calls `once_open` when so many ports are open."""

    def __init__(self, count: int, once_open: Callable[[], object]) -> None:
        self.told: list[tuple[str, str]] = []
        self._count = count
        self._once_open = once_open

    def __call__(self, name: str, event: Event, _at: float) -> None:
        if isinstance(event, PortAdded | PortRemoved):
            self.told.append((name, event.event))
        if isinstance(event, PortAdded) and len(self.told) == self._count:
            self._once_open()


def reloading(answer: Callable[[], Sequence[Instance]]) -> Callable[[], Sequence[Instance]]:
    """A reload that is followed by the end."""

    def reload() -> Sequence[Instance]:
        send(signal.SIGTERM)
        return answer()

    return reload


def test_a_broken_plugin_in_the_new_file_changes_nothing(router: Router, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> Sequence[Instance]:
        raise PluginError("backend 'acme' is broken")

    shown = Shown(1, lambda: send(signal.SIGHUP))
    supervise([instance("home", router, "24001")], shown, reload=reloading(broken), seconds=LONG)
    assert shown.told == [("home", "mapping.added"), ("home", "mapping.removed")]
    assert capsys.readouterr().err == "portmap: nothing was changed: backend 'acme' is broken\n"


def unusable_and_reloaded(folder: Path) -> None:
    folder.rename(folder.with_name("away"))  # at once: a running session writes there
    folder.write_text("no folder any more")
    send(signal.SIGHUP)


def test_what_can_no_longer_be_started_at_all_leaves_the_other_instances_alone(
    router: Router, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    before = [instance("home", router, "24001", str(folder)), instance("vpn", router, "24002")]
    after = [replace(before[0], lease=900), before[1]]
    shown = Shown(2, lambda: unusable_and_reloaded(folder))
    supervise(before, shown, reload=reloading(lambda: after), seconds=LONG)
    assert shown.told.count(("vpn", "mapping.added")) == 1
    assert shown.told[-1] == ("vpn", "mapping.removed")
    assert "portmap: instance home cannot be started: the state folder" in capsys.readouterr().err


def test_the_only_instance_that_can_no_longer_be_started_at_all_is_an_error(router: Router, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    before = instance("home", router, "24001", str(folder))
    shown = Shown(1, lambda: unusable_and_reloaded(folder))
    with pytest.raises(SpecError, match="the state folder"):
        supervise([before], shown, reload=lambda: [replace(before, lease=900)], seconds=LONG)
    assert router.entries == ()
