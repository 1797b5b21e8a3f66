"""Our own publishers are held to the same promises as others: each installed entry point has its contract here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.contract import test_installed_backends
from tests.contract.targets import Client, Folder, Hook
from tests.torrent.fakes import Fake, FakeDeluge, FakeQBittorrent, FakeTransmission
from tests.wire.website import WebSite

from portmap.hookspecs import BACKENDS, PUBLISHERS
from portmap.loading.catalog import Catalogue
from portmap.loading.own_entries import DISTRIBUTION
from portmap.testing import PublisherContract
from portmap.testing.contract.plugin import PluginContract
from portmap_enr import EnrPublisher
from portmap_publish import ExecPublisher, FilePublisher, HttpPublisher, HttpsPublisher
from portmap_torrent import Deluge, QBittorrent, Transmission


class TestEnr(PublisherContract):
    plugin = EnrPublisher
    argument: ClassVar[str | None] = "nodekey"


class TestFile(PublisherContract):
    plugin = FilePublisher

    @pytest.fixture
    def target(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path / "there")

    def make(self, target: Folder) -> FilePublisher:
        return FilePublisher.from_argument(f"{target.folder}/port")


class TestExec(PublisherContract):
    plugin = ExecPublisher

    @pytest.fixture
    def target(self, tmp_path: Path) -> Folder:
        return Folder(tmp_path / "there")

    def make(self, target: Folder) -> ExecPublisher:
        note = "rm -f {old_port} && if [ {event} = lost ]; then rm {port}; else echo {port} > {port}; fi"
        return ExecPublisher.from_argument(f"sh:cd {target.folder} && {note}")


class TestHttp(PublisherContract):
    plugin = HttpPublisher

    @pytest.fixture
    def target(self) -> Iterator[Hook]:
        with WebSite() as site:
            yield Hook(site)

    def make(self, target: Hook) -> HttpPublisher:
        return HttpPublisher.from_argument(f"//127.0.0.1:{target.site.port}/hook")


class TestHttps(PublisherContract):
    plugin = HttpsPublisher
    argument: ClassVar[str | None] = "//127.0.0.1:1/"


class TestQBittorrent(PublisherContract):
    plugin: ClassVar[type[Any]] = QBittorrent
    fake: ClassVar[type[Fake]] = FakeQBittorrent

    @pytest.fixture
    def target(self) -> Iterator[Client]:
        with self.fake() as fake:
            yield Client(fake)

    def make(self, target: Client) -> Any:
        return self.plugin.from_argument(target.fake.url())


class TestTransmission(TestQBittorrent):
    plugin = Transmission
    fake: ClassVar[type[Fake]] = FakeTransmission


class TestDeluge(TestQBittorrent):
    plugin = Deluge
    fake: ClassVar[type[Fake]] = FakeDeluge


def test_every_plugin_that_we_ship_has_a_contract_here() -> None:
    ours = {
        plugin.load()
        for group in (BACKENDS, PUBLISHERS)
        for plugin in Catalogue(group).plugins
        if plugin.distribution == DISTRIBUTION
    }
    held = {
        it.plugin
        for it in (*vars(test_installed_backends).values(), *globals().values())
        if isinstance(it, type) and issubclass(it, PluginContract) and "plugin" in dir(it)
    }
    assert ours <= held
