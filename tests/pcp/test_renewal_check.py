"""A server that grants a renewal and does not extend the mapping: miniupnpd 1.9."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.pcp.conftest import HERE, mapped, refused

from portmap.model import Grant, Protocol
from portmap.testing import Router
from portmap.wire import Timeouts, boottime
from portmap_pcp import Pcp, Settings
from portmap_pcp.renewal_check import RenewalCheck

if TYPE_CHECKING:
    from tests.pcp.conftest import MakePeer, Until

TCP = Protocol.TCP
PREFER_FAILURE = "02000000"
TAKEN = refused(11) + "N 06 000000 765f 765f" + "00" * 16


def add(backend: Pcp, token: str = "") -> Grant:
    return backend.add_mapping(TCP, 0, 30303, 600, token, exact=False, client=None)


@contextmanager
def watched(port: int, timeouts: Timeouts) -> Iterator[tuple[Pcp, "SimpleQueue[str]"]]:
    """A backend with a watch, and its alerts."""
    alerts: SimpleQueue[str] = SimpleQueue()
    backend = Pcp(HERE, Settings(port=port, timeouts=timeouts, announced_at=()))
    close = backend.watch(alerts.put)
    yield backend, alerts
    close()


def test_after_the_old_end_one_question_shows_it_and_renewals_are_deletions_and_additions(patient: Timeouts) -> None:
    with Router(upnp=False, pmp_port=0) as router, watched(router.pmp_port, patient) as (backend, alerts):
        check = backend._client._renewals
        grant = add(backend)
        check._ends[TCP, 30303] = grant.external_port, boottime() + 0.1
        add(backend, grant.token)  # a renewal: the old end is in a tenth of a second
        router.reboot()  # so that the mapping is gone after it
        assert alerts.get(timeout=5) == "TCP 30303 has run out, although its renewal was granted"
        assert router.entries == ()
        assert add(backend, grant.token).external_port == 30303
        assert add(backend, grant.token).external_port == 30303
        assert router.heard.pcp_unmap >= 2


@pytest.mark.parametrize("answer", [TAKEN, refused(5), ""])
def test_a_server_that_does_not_say_that_the_port_is_free_is_believed(
    answer: str, peer: "MakePeer", until: "Until"
) -> None:
    server = peer(mapped(lifetime=1), mapped(lifetime=600), answer, mapped())
    with watched(server.port, Timeouts(1.0, 1.0)) as (backend, alerts):
        grant = add(backend)
        add(backend, grant.token)
        until(lambda: len(server.heard) >= 3)
        assert server.heard_hex[2].endswith(PREFER_FAILURE)
        assert server.heard_hex[2][48:72] != server.heard_hex[0][48:72]  # with a nonce of its own
        time.sleep(0.1)
        assert alerts.empty()
        add(backend, grant.token)
        assert server.heard_hex[-1][8:16] != "00000000"  # a renewal, no deletion


def test_where_the_deletion_before_a_renewal_is_refused_it_is_renewed_all_the_same(
    peer: "MakePeer", patient: Timeouts
) -> None:
    server = peer(mapped(), refused(2), mapped())
    with watched(server.port, patient) as (backend, _):
        grant = add(backend)
        backend._client._renewals.extends = False
        assert add(backend, grant.token).external_port == 30303
        assert len(server.heard) == 3


def test_a_mapping_that_was_deleted_is_held_no_more(peer: "MakePeer", patient: Timeouts) -> None:
    server = peer(mapped(lifetime=600), mapped(lifetime=0))
    with watched(server.port, patient) as (backend, _):
        grant = add(backend)
        assert backend._client._renewals.is_held((TCP, 30303), boottime())
        backend.delete_mapping(TCP, 30303, 30303, grant.token, client=None)
        assert not backend._client._renewals.is_held((TCP, 30303), boottime())


def recorded_check() -> tuple["SimpleQueue[tuple[Protocol, int]]", RenewalCheck]:
    """What is asked of a server where every port is taken, and the check."""
    asked: SimpleQueue[tuple[Protocol, int]] = SimpleQueue()

    def is_free(protocol: Protocol, port: int) -> bool:
        asked.put((protocol, port))
        return False

    return asked, RenewalCheck(is_free, lambda _: None)


def test_one_renewal_is_checked_and_no_more() -> None:
    asked, check = recorded_check()
    for key in ((TCP, 1), (Protocol.UDP, 1), (TCP, 2)):
        check.granted(key, 4000 + key[1], 0, now=100.0)
        check.granted(key, 4000 + key[1], 1, now=100.0)
        check.granted(key, 4000 + key[1], 600, now=100.999)
    assert asked.get(timeout=5) == (TCP, 4001)
    time.sleep(0.6)
    assert asked.empty()


@pytest.mark.parametrize("end", ["deleted", "stopped"])
def test_what_is_no_longer_held_is_not_asked_about(end: str) -> None:
    asked, check = recorded_check()
    check.granted((TCP, 1), 4001, 1, now=100.0)
    check.granted((TCP, 1), 4001, 600, now=100.9)
    if end == "deleted":
        check.deleted((TCP, 1))
    else:
        check.stop()
    time.sleep(0.8)
    assert asked.empty()


def test_a_renewal_with_another_port_is_a_new_mapping() -> None:
    asked, check = recorded_check()
    check.granted((TCP, 1), 4001, 1, now=100.0)
    check.granted((TCP, 1), 4002, 600, now=100.9)
    time.sleep(0.8)
    assert asked.empty()
