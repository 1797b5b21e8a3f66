"""What our own publishers publish to in a test: a file, a command's notes, a web site, a torrent client's settings."""

import json
from pathlib import Path
from typing import ClassVar

from tests.torrent.fakes import Fake
from tests.wire.website import WebSite

from portmap.testing import Target


class Folder(Target):
    """Files with a port on each line; dead, it is away."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def ports(self) -> list[int]:
        return [int(line) for file in sorted(self.folder.iterdir()) for line in file.read_text().split()]

    def kill(self) -> None:
        self.folder.rename(self.folder.with_name("away"))

    def revive(self) -> None:
        self.folder.with_name("away").rename(self.folder)


class Hook(Target):
    """The last state that was posted; when dead, it does not listen."""

    def __init__(self, site: WebSite) -> None:
        self.site = site

    def ports(self) -> list[int]:
        if not self.site.requests:
            return []
        told = json.loads(self.site.requests[-1].body)
        return [port["external_port"] for port in told["ports"]]

    def kill(self) -> None:
        self.site.close()

    def revive(self) -> None:
        self.site.start()


class Client(Target):
    """A torrent client's listening port; dead, its web interface is down."""

    keeps_what_was_lost: ClassVar[bool] = True

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    def ports(self) -> list[int]:
        return [self.fake.port]

    def kill(self) -> None:
        self.fake.close()

    def revive(self) -> None:
        self.fake.start()
