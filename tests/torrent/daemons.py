"""The real torrent clients, each in a folder of its own, on loopback only and told to look for no peer.

Only what was started here is ended, by its process id. No client has a torrent, and all by which it would look
for peers or a router (DHT, LSD, UPnP, NAT-PMP, databases of countries) is switched off before it starts.
"""

import base64
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
from tests.torrent.fakes import PASSWORD, USER

from portmap.errors import PortmapError
from portmap.wire.http import request
from portmap.wire.site import Site

START = 30.0  # seconds; on a quiet machine each is up within two


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def need(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing and os.environ.get("PORTMAP_DAEMONS") == "required":
        pytest.fail(f"PORTMAP_DAEMONS=required, but {', '.join(missing)} is not installed")
    if missing:
        pytest.skip(f"needs {', '.join(missing)} (Debian packages of these names)")


class Daemon:
    """A running program; `port` is its web interface's. It may be stopped and started again."""

    def __init__(self, folder: Path, arguments: Callable[[int], list[str]]) -> None:
        self.port = free_port()
        self._folder = folder
        self._arguments = arguments(self.port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        log = (self._folder / f"{Path(self._arguments[0]).name}.log").open("ab")
        home = {"HOME": str(self._folder), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
        with log:
            self._process = subprocess.Popen(
                self._arguments, cwd=self._folder, env=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        return self

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def until_it_answers(self) -> None:
        deadline = time.monotonic() + START
        while True:
            assert self._process is not None
            assert self._process.poll() is None, f"{self._arguments[0]} ended: see the log in {self._folder}"
            try:
                request(Site.parse(f"http://127.0.0.1:{self.port}/"), deadline=2)
            except PortmapError:
                assert time.monotonic() < deadline, f"{self._arguments[0]} does not answer"
                time.sleep(0.05)
            else:
                return

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def transmission(folder: Path) -> Daemon:
    quiet = ["--no-dht", "--no-lpd", "--no-portmap", "--bind-address-ipv4", "127.0.0.1", "--bind-address-ipv6", "::1"]
    (folder / "settings.json").write_text(json.dumps({"peer-port-random-on-start": True}))

    def arguments(port: int) -> list[str]:
        where = ["--config-dir", str(folder), "--download-dir", str(folder), "--pid-file", str(folder / "pid")]
        web = ["--port", str(port), "--rpc-bind-address", "127.0.0.1"]
        login = ["--auth", "--username", USER, "--password", PASSWORD]
        return ["transmission-daemon", "--foreground", *where, *web, *login, *quiet]

    return Daemon(folder, arguments)


QBITTORRENT = """\
[LegalNotice]
Accepted=true
[BitTorrent]
Session\\DHTEnabled=false
Session\\LSDEnabled=false
Session\\PeXEnabled=false
Session\\Interface=lo
Session\\InterfaceAddress=127.0.0.1
Session\\UseRandomPort=true
[Network]
PortForwardingEnabled=false
[Preferences]
Connection\\ResolvePeerCountries=false
Connection\\UPnP=false
WebUI\\UseUPnP=false
WebUI\\Address=127.0.0.1
WebUI\\LocalHostAuth={ask}
WebUI\\Username={user}
WebUI\\Password_PBKDF2="@ByteArray({password})"
"""


def qbittorrent(folder: Path, *, ask_localhost: bool = True) -> Daemon:
    config = folder / "qBittorrent" / "config"
    config.mkdir(parents=True)
    words = {"ask": str(ask_localhost).lower(), "user": USER, "password": _pbkdf2(PASSWORD)}
    (config / "qBittorrent.conf").write_text(QBITTORRENT.format(**words))
    return Daemon(folder, lambda port: ["qbittorrent-nox", f"--profile={folder}", f"--webui-port={port}"])


def _pbkdf2(password: str) -> str:
    """As qBittorrent 4.2 and later keep it: salt and key (src/base/utils/password.cpp)."""
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 100_000, 64)
    return f"{base64.b64encode(salt).decode()}:{base64.b64encode(key).decode()}"


QUIET = {
    "dht": False,
    "upnp": False,
    "natpmp": False,
    "lsd": False,
    "utpex": False,
    "new_release_check": False,
    "listen_interface": "127.0.0.1",
    "random_port": True,
}


def deluged(folder: Path) -> Daemon:
    """The daemon behind the web interface: it speaks no HTTP, so it is not asked whether it is up."""
    _deluge_config(folder / "core.conf", 1, QUIET)
    (folder / "auth").write_text("localclient:secret:10\n")
    where = ["--config", str(folder), "--do-not-daemonize", "--ui-interface", "127.0.0.1"]
    return Daemon(folder, lambda port: ["deluged", *where, "--port", str(port), "--interface", "127.0.0.1"])


def deluge_web(folder: Path, daemon: Daemon) -> Daemon:
    salt = os.urandom(20).hex()
    password = hashlib.sha1((salt + PASSWORD).encode(), usedforsecurity=False).hexdigest()
    _deluge_config(folder / "web.conf", 2, {"pwd_salt": salt, "pwd_sha1": password, "first_login": False})
    hosts = [["0123456789abcdef", "127.0.0.1", daemon.port, "localclient", "secret"]]
    _deluge_config(folder / "hostlist.conf", 3, {"hosts": hosts})
    where = ["--config", str(folder), "--do-not-daemonize", "--interface", "127.0.0.1"]
    return Daemon(folder, lambda port: ["deluge-web", *where, "--port", str(port)])


def _deluge_config(path: Path, version: int, settings: dict[str, Any]) -> None:
    path.write_text(json.dumps({"file": version, "format": 1}) + json.dumps(settings))
