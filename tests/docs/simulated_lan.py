"""The network of the documents, on loopback: routers, a VPN's gateway, a STUN server, torrent clients.

The documents name usual addresses. Each is replaced by a real one before a command runs, and back in its output.
"""

import os
import re
import secrets
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from tests.docs.blocks import blocks, commands_in, steps
from tests.docs.parser import understand
from tests.torrent.fakes import FakeDeluge, FakeQBittorrent, FakeTransmission
from tests.wire.website import WebSite

from portmap.testing import Quirks, Router, StunServer, loopback_address

DAY = 86400.0
TIMEOUT = 50  # seconds for one block
# The simulated router listens on what it opens, so each stands for a free one: only root may listen below 1024, and
# other tests open the other at the same time.
_PORTS = (443, 25565)
_HOLDS = {"", "router"}  # commands that end by a signal only


class Stage:
    """A context manager; `folder` is where commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        enter = self._stack.enter_context
        self.router = enter(Router(loopback_address(), uptime=DAY))
        shared = enter(Router(loopback_address(), uptime=DAY, external_ip="100.72.3.9"))
        between = "192.168.1.23"  # the address of the inner one of two routers, in the network of the outer one
        inner = enter(Router(loopback_address(), uptime=DAY, external_ip=between))
        vpn = enter(Router(loopback_address(), uptime=DAY, quirks=Quirks(vpn_gateway=True)))
        mute = enter(Router(loopback_address(), quirks=Quirks(silent=True)))  # so that it is always PCP who is first
        stun = enter(StunServer(external_ip="1.2.3.4"))
        qbittorrent, transmission, deluge = (
            enter(FakeQBittorrent()),
            enter(FakeTransmission()),
            enter(FakeDeluge()),
        )
        site = enter(WebSite())
        self._ports = {str(port): str(_free_port()) for port in _PORTS}
        self._any = f"pcp:{self.router.address},pmp:{mute.address}"
        self._pairs = (
            ("http://192.168.1.1:5000/desc.xml", self.router.description_url),
            ("192.168.1.1", self.router.address),
            ("192.168.0.1", shared.address),
            ("192.168.8.1", inner.address),
            ("10.2.0.1", vpn.address),
            ("stun.example.org:3478", f"127.0.0.1:{stun.port}"),
            ("http://USER:PASSWORD@localhost:8080", qbittorrent.url()),
            ("http://USER:PASSWORD@localhost:9091", transmission.url()),
            ("http://:PASSWORD@localhost:8112", deluge.url(user="")),
            ("http://localhost:8080", _without_password(qbittorrent.url())),
            ("http://localhost:9091", _without_password(transmission.url())),
            ("http://localhost:8112", _without_password(deluge.url())),
            ("http://nas.lan:8000", site.url),
            ("/etc/portmap.toml", str(self.folder / "portmap.toml")),
            ("KEYFILE", str(self.folder / "key")),
        )
        self._protonvpn = f"protonvpn:{vpn.address}"
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def real(self, text: str) -> str:
        """The text with what is there in place of what the documents say."""
        for told, real in self._pairs:
            text = text.replace(told, real)
        for told, real in self._ports.items():
            text = re.sub(rf"\b{told}\b", real, text)
        return re.sub(r"\bprotonvpn\b(?!:)", self._protonvpn, text)

    def told(self, text: str) -> str:
        """The other way round."""
        text = text.replace(self._any, "any").replace(self._protonvpn, "protonvpn")
        for told, real in self._pairs:
            text = text.replace(real, told)
        for told, real in self._ports.items():
            text = re.sub(rf"\b{real}\b", told, text)
        return text

    def write_files(self, document: Path) -> None:
        """The configurations of a document that say in their first line which file they are.

        In place of that line comes the gateway of those who name none.
        """
        for block in blocks("toml"):
            name = re.match(r"# (?:/etc/)?(\S+\.toml)\n", block.text)
            if name and block.document == document:
                text = block.text.replace(name[0], f'nat = "{self._any}"\n', 1)
                file = self.folder / name[1]
                file.write_text(self.real(text))
                file.chmod(0o600)  # it may have a password

    def play(self, console: str) -> list[tuple[str, int]]:
        """Run the block's commands in one shell; what each printed, and its exit code."""
        mark = secrets.token_hex(8)
        script = ["exec 2>&1", "pids="]
        for command, _ in steps(console):
            script += [self.real(_bounded(command)), "code=$?"]
            if command.endswith(" &"):
                script += ['pids="$pids $!"']
                script += [_until_all_is_well(command.count("--publish") or command.count("--config"))]
            script += [f"printf '\\n{mark} %d\\n' $code", "(exit $code)"]
        script += ["kill $pids", "wait"]
        done = subprocess.run(
            ["sh", "-c", "\n".join(script)],
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            cwd=self.folder,
            env=self._environment(),
            check=False,
        )
        parts = re.split(rf"\n{mark} (\d+)\n", done.stdout)
        return [(self.told(text), int(code)) for text, code in zip(parts[0::2], parts[1::2], strict=False)]

    def _environment(self) -> dict[str, str]:
        """`portmap` is ours, and the gateway that it finds by itself the simulated one."""
        program = self.folder / "bin" / "portmap"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m portmap "$@"\n')
        program.chmod(0o700)
        path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PORTMAP_NAT": self._any, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}


def _until_all_is_well(publishers: int) -> str:
    """A shell's wait for the instance that was just started in the background; gives up after a few seconds."""
    published = f"[ $(portmap status --json | grep -o '\"ok\": *true' | wc -l) -ge {publishers} ]"
    return f"for try in $(seq 100); do portmap status --check && {published} && break; sleep 0.05; done"


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _without_password(url: str) -> str:
    return f"http://{url.rpartition('@')[2]}"


def _bounded(command: str) -> str:
    """A command that would hold for ever ends after a second, with a publisher after four, or with the block."""
    if not command.startswith("portmap ") or " --for " in command:
        return command
    if understand(next(commands_in(command.replace("\\\n", " ")))) not in _HOLDS:
        return command
    seconds = TIMEOUT if command.endswith(" &") else 4 if "--publish" in command else 1
    ours = "env -u PORTMAP_NAT " if "--config" in command else ""  # the file's word counts
    return ours + command.replace("portmap", f"portmap --for {seconds}s", 1)
