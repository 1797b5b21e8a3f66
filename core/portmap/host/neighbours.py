"""How the portmaps of one host find and ask each other: datagrams over unix sockets.

On Linux the sockets are abstract: every process of the network namespace sees their names in /proc/net/unix, whatever
its user, folders and rights. Elsewhere they are files in a folder of the user, so only portmaps of the same user meet.
Where there are no unix sockets (Windows) no other portmap is found.

Rules:
The kernel says who sent a message (unix(7), SCM_CREDENTIALS); nothing that a message says about its sender is believed.
Bounded: messages of 1 KiB, `MOST` sockets, `TIMEOUT` seconds for all answers.
A socket that gave no answer in time is not waited for again for a minute.
"""

import os
import select
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from portmap.host.files import check_folder

MAX_MESSAGE = 1024  # bytes
MOST = 1024  # sockets that are asked
TIMEOUT = 0.25  # seconds for all answers together
IGNORED_FOR = 60.0  # seconds, after no answer
_PREFIX = "portmap-claims-"
_LINUX = sys.platform == "linux"
_TABLE = Path("/proc/net/unix")
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid


class Sender(NamedTuple):
    """Who sent a message. `pid` 0: not known, as for a process of another container. `uid` None: not known."""

    pid: int
    uid: int | None

    @property
    def is_trusted(self) -> bool:
        """Whether it is our own user or root, who can do all that we can do."""
        return self.uid is not None and self.uid in (0, os.geteuid())


class Message(NamedTuple):
    """What was received. `address` is the sender's socket."""

    text: bytes
    sender: Sender
    address: str


class Mailbox:
    """One socket of ours. Raises OSError where the host has none of the kind; so does every method but `close`."""

    def __init__(self, *, listed: bool) -> None:
        """`listed`: other portmaps find it by its name."""
        if not hasattr(socket, "AF_UNIX"):
            raise OSError("this system has no unix sockets")
        prefix = _PREFIX if listed else f"ask-{_PREFIX}"
        name = f"{prefix}{os.getpid()}-{os.urandom(8).hex()}"
        self.address = f"\0{name}" if _LINUX else str(_folder() / name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            if _LINUX:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            self._socket.bind(self.address)
            self._socket.setblocking(False)
        except OSError:
            self._socket.close()
            raise

    def send(self, text: bytes, address: str) -> bool:
        """Whether it could be sent; never waits."""
        try:
            self._socket.sendto(text, address)
        except OSError:
            return False
        return True

    def receive(self, seconds: float | None) -> Message | None:
        """The next message, None after so many seconds, or for one that no portmap sends."""
        poll = select.poll()  # unlike select, it takes any file descriptor
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(None if seconds is None else max(0.0, seconds) * 1000):
            return None
        try:
            text, ancillary, _, address = self._socket.recvmsg(MAX_MESSAGE, socket.CMSG_SPACE(_CREDENTIALS.size))
        except BlockingIOError:
            return None
        if _LINUX and not isinstance(address, bytes):
            return None  # one of the file system: a link to another user's socket may have taken its place by now
        return Message(text, _sender(ancillary), _text(address))

    def close(self) -> None:
        """Close the socket. A second time does nothing."""
        self._socket.close()
        if not _LINUX:
            with suppress(OSError):
                Path(self.address).unlink()


class Neighbours:
    """The other portmaps of this host. `own`: the sockets that are not asked."""

    def __init__(self) -> None:
        self._silent: dict[str, float] = {}

    def ask(self, text: bytes, own: Collection[str] = ()) -> list[Message]:
        """Every answer to a question to all of them; none where there is no other."""
        addresses = _addresses(own)
        if not addresses:
            self._silent.clear()
            return []
        try:
            mailbox = Mailbox(listed=False)
        except OSError:
            return []
        try:
            asked = {address for address in addresses if mailbox.send(text, address)}
            return self._answers(mailbox, asked)
        except OSError:
            return []
        finally:
            mailbox.close()

    def tell(self, text: bytes, own: Collection[str] = ()) -> None:
        """Send all of them a message that has no answer."""
        addresses = _addresses(own)
        if addresses:
            with suppress(OSError):
                mailbox = Mailbox(listed=False)
                for address in addresses:
                    mailbox.send(text, address)
                mailbox.close()

    def _answers(self, mailbox: Mailbox, asked: set[str]) -> list[Message]:
        began = time.monotonic()
        self._silent = {it: until for it, until in self._silent.items() if until > began and it in asked}
        awaited, more = asked - self._silent.keys(), len(asked)
        answers: dict[str, Message] = {}
        while awaited and more:
            left = began + TIMEOUT - time.monotonic()
            more -= left <= 0  # on a busy host an answer waits here already when the time is over
            answer = mailbox.receive(max(0.0, left))
            if answer is None and left <= 0:
                break
            if answer is not None and answer.address in asked:
                answers[answer.address] = answer
                awaited.discard(answer.address)
        for address in asked - answers.keys():
            self._silent.setdefault(address, began + IGNORED_FOR)
        return list(answers.values())


def _addresses(own: Collection[str]) -> list[str]:
    """The sockets of the other portmaps, `MOST` of them at the most."""
    try:
        found = listed_sockets()
    except OSError:
        return []
    return [address for address in found if address not in own][:MOST]


def listed_sockets() -> list[str]:
    """The sockets that portmaps of this host are found by, our own ones too. Raises OSError where it does not tell."""
    if _LINUX:
        return parse_sockets(_TABLE.read_text(encoding="utf-8", errors="replace"))
    return [str(path) for path in _folder().glob(f"{_PREFIX}*")]


def parse_sockets(table: str) -> list[str]:
    """The sockets of portmaps in a `/proc/net/unix` text; pure.

    proc_net(5): the last of eight columns is the path, an abstract one with `@` in front. A name with a blank is none
    of ours: part of it may be the name of another program's socket.
    """
    rows = map(str.split, table.split("\n"))
    return [f"\0{row[7][1:]}" for row in rows if len(row) == 8 and row[7].startswith(f"@{_PREFIX}")]


def _folder() -> Path:
    """The user's folder for sockets: short, for a socket's path has 104 bytes at the most."""
    folder = Path(tempfile.gettempdir()) / f"portmap-{os.getuid()}"
    folder.mkdir(exist_ok=True, mode=0o700)
    check_folder(folder)
    return folder


def _sender(ancillary: list[tuple[int, int, bytes]]) -> Sender:
    for level, kind, data in ancillary:
        if _LINUX and (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            pid, uid, _ = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])
            return Sender(pid, uid)
    return Sender(0, None if _LINUX else os.geteuid())  # elsewhere the folder is the user's own


def _text(address: object) -> str:
    return address.decode(errors="replace") if isinstance(address, bytes) else str(address)
