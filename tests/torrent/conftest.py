"""Each client's publisher beside a small web interface for it, and the states to publish."""

from collections.abc import Iterator
from ipaddress import IPv4Address

import pytest
from tests.torrent.fakes import Fake, FakeDeluge, FakeQBittorrent, FakeTransmission

from portmap.endpoints import Endpoints, OpenPort
from portmap.model import Protocol
from portmap_torrent import Deluge, QBittorrent, Transmission
from portmap_torrent.client import TorrentClient

KINDS: dict[type[TorrentClient], type[Fake]] = {
    QBittorrent: FakeQBittorrent,
    Transmission: FakeTransmission,
    Deluge: FakeDeluge,
}


def at(port: int, *, name: str = "", protocol: Protocol = Protocol.TCP) -> Endpoints:
    """One port to follow."""
    return Endpoints((OpenPort(protocol, 1, port, IPv4Address("8.8.8.8"), name, follow=True),))


@pytest.fixture(params=KINDS, ids=lambda kind: kind.spec)
def kind(request: pytest.FixtureRequest) -> type[TorrentClient]:
    found: type[TorrentClient] = request.param
    return found


@pytest.fixture
def fake(kind: type[TorrentClient]) -> Iterator[Fake]:
    with KINDS[kind]() as running:
        yield running


@pytest.fixture
def client(kind: type[TorrentClient], fake: Fake) -> TorrentClient:
    return kind.from_argument(fake.url())
