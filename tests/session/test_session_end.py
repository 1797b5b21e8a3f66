"""Session: its end, its publishers, and what is refused before anything is sent."""

import threading
from contextlib import suppress
from pathlib import Path

import pytest
from tests.session.sessions import LONG, WEB, Open, Publisher, names
from tests.stopwatch import Stopwatch

import portmap
from portmap.backends.nat import Nat
from portmap.dispatch.path_setup import PathSetup
from portmap.errors import (
    NoGateway,
    NotAuthorized,
    SpecError,
)
from portmap.hookspecs import hookimpl
from portmap.model import PortRequest, Protocol
from portmap.node.local_node import Record
from portmap.session.session import Session
from portmap.storage.status_file import live_sessions
from portmap.testing import Quirks, Router, loopback_address
from portmap.testing.scripted import ScriptedBackend


class Signer(Publisher):
    """Signs, too."""

    @hookimpl
    def sign_record(self, record: Record) -> str:
        return f"signed {record.seq}"


# the end


def test_the_end_deletes_what_is_held() -> None:
    backend = ScriptedBackend()
    with portmap.open(Nat(backend, "fake"), ["8080", "53/udp"]) as session:
        session.wait(LONG)
        assert len(backend.table) == 2
    assert backend.table == {}
    assert session.mappings == ()


def test_the_end_comes_after_an_exception_too() -> None:
    backend = ScriptedBackend()
    with suppress(LookupError), portmap.open(Nat(backend, "fake"), ["8080"]) as session:
        session.wait(LONG)
        raise LookupError
    assert backend.table == {}


def test_to_close_twice_is_harmless(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.close()
    session.close()


def test_to_stop_returns_at_once_and_ends_the_events(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.stop()
    assert names(session)[-1] == "record.changed"


def test_a_session_with_a_hung_backend_ends_in_time(release: threading.Event) -> None:
    backend = ScriptedBackend()
    session = Session([PathSetup(Nat(backend, "fake"))], [WEB])
    session.wait(LONG)
    backend.fails(0, 1, lambda: NoGateway(str(release.wait(LONG))), "")
    with Stopwatch() as watch:
        session.close()
    assert watch.seconds < 3.5
    assert names(session)[-1] in {"mapping.removed", "record.changed"}


# publishers


def test_every_publisher_is_told_everything(start: Open) -> None:
    publishers = Publisher(), Publisher()
    session = start(ScriptedBackend(), WEB, publishers=publishers)
    session.wait(LONG)
    session.close()
    told = [name for name in names(session) if not name.startswith("publisher.")]  # their own news they know
    assert [[event.event for event in publisher.told] for publisher in publishers] == [told] * 2


def test_a_hung_publisher_delays_nothing(start: Open, release: threading.Event) -> None:
    hung, well = Publisher(lambda: release.wait(LONG)), Publisher()
    session = start(ScriptedBackend(), WEB, publishers=(hung, well))
    assert len(session.wait(LONG)) == 1
    session.close()
    assert "mapping.removed" in [event.event for event in well.told]


def test_a_raising_publisher_is_logged_and_harms_no_other(start: Open, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise LookupError("oops")

    session = start(ScriptedBackend(), WEB, publishers=(Publisher(fail),))
    session.wait(LONG)
    session.close()
    assert "publisher 0 failed" in caplog.text


def test_without_a_signer_a_record_is_told_unsigned(start: Open) -> None:
    session = start(ScriptedBackend(), WEB)
    session.wait(LONG)
    session.close()
    assert [event.to_dict().get("enr") for event in session.events() if event.event == "record.changed"] == [None] * 2


def test_a_signature_travels_with_the_record(start: Open) -> None:
    session = start(ScriptedBackend(), WEB, publishers=(Publisher(), Signer()))
    session.wait(LONG)
    session.close()
    changes = [event.to_dict() for event in session.events() if event.event == "record.changed"]
    assert [change["enr"] for change in changes] == [f"signed {change['seq']}" for change in changes]
    assert len(changes) == 2


# setting up


def test_all_public_names_are_there() -> None:
    assert [name for name in portmap.__all__ if not hasattr(portmap, name)] == []


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = portmap.nothing


@pytest.mark.parametrize(
    ("nat", "mappings"), [("foo", []), ("extip", []), ("any:x", []), ("none", ["0"]), ("none", ["80", "80"])]
)
def test_what_makes_no_sense_opens_nothing(nat: str, mappings: list[str]) -> None:
    before = set(threading.enumerate())
    with pytest.raises(SpecError):
        portmap.open(nat, mappings)
    assert set(threading.enumerate()) <= before


@pytest.mark.parametrize("interval", [0, -1, float("nan")])
def test_an_interval_that_is_none_is_refused(interval: float) -> None:
    with pytest.raises(SpecError, match="use a number of seconds above 0"):
        portmap.open("none", ip_interval=interval)


def test_a_publisher_that_is_unknown_opens_nothing() -> None:
    with pytest.raises(SpecError, match="unknown publisher"):
        portmap.open("none", publish=["unknown"])


def test_a_static_session_announces_its_ports_as_static() -> None:
    with portmap.open("extip:1.2.3.4", ["443:8443", PortRequest(Protocol.UDP, 53)]) as session:
        opened = session.wait(LONG)
    assert [(mapping.external_port, mapping.static, mapping.lifetime) for mapping in opened] == [
        (443, True, 0),
        (53, True, 0),
    ]


def test_a_removed_port_that_was_never_open_leaves_the_status_at_once(tmp_path: Path) -> None:
    with (
        Router(loopback_address(), quirks=Quirks(pmp_result=2)) as router,
        portmap.open(f"pmp:{router.address}", ["8080"], state=tmp_path) as session,
    ):
        with pytest.raises(NotAuthorized):
            session.wait(LONG)
        session.remove((Protocol.TCP, 8080))
        assert [status.ports for status in live_sessions(tmp_path)] == [()]
