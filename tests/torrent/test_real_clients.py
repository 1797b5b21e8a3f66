"""The real programs, of Debian's transmission-daemon, qbittorrent-nox, deluged and deluge-web.

`PORTMAP_DAEMONS=required` turns the skip of a machine without them into a failure.
"""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from tests.torrent import daemons
from tests.torrent.conftest import at
from tests.torrent.daemons import Daemon, free_port
from tests.torrent.fakes import PASSWORD, USER

from portmap.endpoints import Endpoints
from portmap.errors import PortmapError, Refused
from portmap.events import PortAdded
from portmap.model import Protocol
from portmap.publishers.convergence import RetrySchedule
from portmap.publishers.runner import PublisherRunner
from portmap_torrent import Deluge, QBittorrent, Transmission
from portmap_torrent.client import TorrentClient

TIMEOUT = 20.0  # seconds until a client that was just started, or told, does as it was told
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"


@pytest.fixture
def transmission(tmp_path: Path) -> Iterator[Daemon]:
    daemons.need("transmission-daemon")
    with daemons.transmission(tmp_path) as running:
        yield running


@pytest.fixture
def qbittorrent(tmp_path: Path) -> Iterator[Daemon]:
    daemons.need("qbittorrent-nox")
    with daemons.qbittorrent(tmp_path) as running:
        yield running


@pytest.fixture
def deluge(tmp_path: Path) -> Iterator[Daemon]:
    daemons.need("deluged", "deluge-web")
    with daemons.deluged(tmp_path) as daemon, daemons.deluge_web(tmp_path, daemon) as running:
        yield running


KINDS: dict[str, type[TorrentClient]] = {
    "transmission": Transmission,
    "qbittorrent": QBittorrent,
    "deluge": Deluge,
}


@pytest.fixture(params=KINDS)
def running(request: pytest.FixtureRequest) -> tuple[TorrentClient, Daemon]:
    """A client's publisher, and the client, which may not be up yet."""
    daemon: Daemon = request.getfixturevalue(request.param)
    return KINDS[request.param].from_argument(f"http://{LOGIN}127.0.0.1:{daemon.port}"), daemon


def in_time(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


def taken(client: TorrentClient, state: Endpoints) -> bool:
    try:
        client.converge(state)
    except PortmapError:
        return False
    return True


def listens(port: int) -> bool:
    with closing(socket.socket()) as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def listening_ports(client: TorrentClient) -> object:
    return client.read()[next(iter(client.wanted(0)))]


def test_the_client_really_listens_on_the_open_port(running: tuple[TorrentClient, Daemon]) -> None:
    client, daemon = running
    daemon.until_it_answers()
    for port in (free_port(), free_port()):
        in_time(partial(taken, client, at(port)))
        in_time(partial(listens, port))


def test_a_client_that_starts_later_and_restarts_has_the_port_in_the_end(
    running: tuple[TorrentClient, Daemon],
) -> None:
    client, daemon = running
    daemon.stop()
    port = free_port()
    runner = PublisherRunner(client, client.spec, RetrySchedule(settle=0.0, first=0.1, last=0.2, every=0.2))
    try:
        runner.handle(PortAdded(protocol=Protocol.TCP, internal_port=1, external_port=port, follow=True))
        in_time(lambda: runner.status.failures >= 2)
        daemon.start()
        in_time(lambda: runner.status.ok)
    finally:
        runner.close()
    assert listening_ports(client) in (port, [port, port])


def test_on_loss_the_client_keeps_its_port(running: tuple[TorrentClient, Daemon]) -> None:
    client, daemon = running
    daemon.until_it_answers()
    port = free_port()
    in_time(lambda: taken(client, at(port)))
    client.converge(Endpoints())
    assert listening_ports(client) in (port, [port, port])


def test_a_wrong_password_is_told_as_such(running: tuple[TorrentClient, Daemon]) -> None:
    client, daemon = running
    daemon.until_it_answers()
    wrong = type(client).from_argument(f"http://{USER}:wrong@127.0.0.1:{daemon.port}")
    with pytest.raises(Refused, match="refuses the user name or password"):
        wrong.converge(at(4321))


def test_a_client_whose_port_another_program_holds_is_an_error(running: tuple[TorrentClient, Daemon]) -> None:
    client, daemon = running
    daemon.until_it_answers()
    in_time(partial(taken, client, at(free_port())))
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(PortmapError, match="does not listen on it"):
        client.converge(at(holder.getsockname()[1]))


def test_a_client_that_was_given_another_port_by_hand_is_set_right(running: tuple[TorrentClient, Daemon]) -> None:
    client, daemon = running
    daemon.until_it_answers()
    port, other = free_port(), free_port()
    in_time(partial(taken, client, at(port)))
    client.write(client.wanted(other))
    assert client.converge(at(port)) == str(port)
    assert listening_ports(client) in (port, [port, port])


@pytest.mark.parametrize("login", ["", LOGIN])
def test_qbittorrent_that_lets_this_host_in_needs_no_user(login: str, tmp_path: Path) -> None:
    daemons.need("qbittorrent-nox")
    with daemons.qbittorrent(tmp_path, ask_localhost=False) as daemon:
        daemon.until_it_answers()
        client = QBittorrent.from_argument(f"http://{login}127.0.0.1:{daemon.port}")
        client.converge(at(port := free_port()))
        assert listening_ports(client) == port
