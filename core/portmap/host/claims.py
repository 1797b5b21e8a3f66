"""Which ports this portmap holds, and which of them another portmap of this host holds, too.

A gateway knows one mapping for a host, a protocol and an internal port, whichever program asked for it. So two portmaps
that hold the same port hold the same mapping, and the one that ends first must leave it to the other.

Rules:
A port is claimed before the gateway is asked for it, and released before another portmap is asked about it: if two
portmaps end at the same time, at least one of them deletes the mapping.
A claim of another user is not trusted. It opens nothing and renews nothing. It can only make us leave a
mapping, which then ends with its lease, at the port that we had; a permanent mapping is never left to another user.
A token proves to the gateway that a mapping is ours: only our own user and root are told it.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from portmap.host.neighbours import Mailbox, Message, Neighbours, Sender
from portmap.model import MAX_PORT, Key, Protocol

POLL = 60.0  # seconds; the thread is woken before, unless its socket is flooded
OTHER_USERS_REST = 0.005  # seconds after each message of another user: it may send as many as it likes
OTHER_USERS_PAUSE = 30.0  # seconds between two messages of other users that are heeded
_log = logging.getLogger("portmap.claims")


class Claim(NamedTuple):
    """One port that we hold or ask for. `external_port` 0: not granted yet. `permanent`: it has no lease.

    `client`: the address of the host that it leads to, empty for this host.
    """

    gateway: str
    protocol: Protocol
    internal_port: int
    external_port: int = 0
    token: str = ""
    permanent: bool = True
    client: str = ""

    @property
    def key(self) -> Key:
        """What it leads to."""
        return Key(self.protocol, self.internal_port, self.client)


class OtherHolder(NamedTuple):
    """Another portmap that holds the port. `token`: the mapping's, empty where we are not told it."""

    sender: Sender
    external_port: int
    token: str = ""

    def __str__(self) -> str:
        if self.sender.pid == os.getpid():
            return "another session of this process"
        process = f" (process {self.sender.pid})" if self.sender.pid else ""
        return f"another portmap{process}" + ("" if self.sender.is_trusted else " of another user")


class PortClaims:
    """What one backend holds at its gateway. The socket and its thread are there while there is a claim.

    Every method may be called from any thread.
    """

    def __init__(self, neighbours: Neighbours | None = None) -> None:
        self._lock = threading.Lock()
        self._claims: dict[Key, Claim] = {}
        self._mailbox: Mailbox | None = None
        self._thread: threading.Thread | None = None
        self._neighbours = neighbours or Neighbours()
        self._on_change: Callable[[str], None] = lambda _: None
        self._other_users_from = 0.0

    def add(self, claim: Claim) -> None:
        """Claim a port, or say more about one that is claimed."""
        with self._lock:
            self._claims[claim.key] = claim
            if self._mailbox is None:
                self._start()

    def remove(self, key: Key) -> Claim | None:
        """Release a port; what was claimed."""
        with self._lock:
            claim = self._claims.pop(key, None)
            if not self._claims:
                self._stop()
        return claim

    def close(self) -> None:
        """Release everything."""
        with self._lock:
            self._claims.clear()
            thread = self._thread
            self._stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def watch(self, alert: Callable[[str], None]) -> Callable[[], None]:
        """Call `alert(reason)` when another portmap has let go of a port that we hold. Returns what ends it."""
        self._on_change = alert

        def unwatch() -> None:
            self._on_change = lambda _: None

        return unwatch

    def other_holder(self, claim: Claim) -> OtherHolder | None:
        """Another portmap that holds the same port, with the same external port unless either is 0.

        Our own user and root are preferred to other users, and of those who tells the token.
        """
        if not claim.gateway:
            return None
        answers = self._neighbours.ask(_question("holds", claim), self._own())
        holders = [holder for answer in answers if (holder := _holder(answer)) is not None]
        fitting = [it for it in holders if not (it.external_port and claim.external_port) or _same(it, claim)]
        return min(fitting, key=lambda it: (not it.sender.is_trusted, not it.token), default=None)

    def tell_released(self, claim: Claim) -> None:
        """Let the other portmaps make sure that what they hold is still there, with the lease that they need."""
        if claim.gateway:
            self._neighbours.tell(_question("released", claim), self._own())

    def _own(self) -> tuple[str, ...]:
        mailbox = self._mailbox
        return () if mailbox is None else (mailbox.address,)

    def _start(self) -> None:
        try:
            self._mailbox = Mailbox(listed=True)
        except OSError as error:
            _log.debug("other portmaps of this host cannot see what is held: %s", error)
            return
        self._thread = threading.Thread(target=self._serve, args=(self._mailbox,), name="portmap claims", daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        mailbox, self._mailbox, self._thread = self._mailbox, None, None
        if mailbox is not None:
            mailbox.send(b"", mailbox.address)  # wakes the thread, which closes it

    def _serve(self, mailbox: Mailbox) -> None:
        try:
            while self._mailbox is mailbox:
                message = mailbox.receive(POLL)
                if message is not None and message.text:
                    self._handle(message, mailbox)
                    if not message.sender.is_trusted:
                        time.sleep(OTHER_USERS_REST)
        except OSError as error:
            _log.debug("other portmaps of this host no longer see what is held: %s", error)
        finally:
            mailbox.close()

    def _handle(self, message: Message, mailbox: Mailbox) -> None:
        try:
            what, gateway, protocol, internal_port, client = json.loads(message.text)
            key = Key(Protocol(protocol), int(internal_port), str(client))
        except (ValueError, TypeError, OverflowError, RecursionError):
            return
        with self._lock:
            claim = self._claims.get(key)
        if claim is None or claim.gateway != gateway:
            claim = None
        if what == "holds":
            mailbox.send(_answer(claim, message.sender), message.address)
        elif what == "released" and claim is not None and self._heeds(message.sender):
            self._on_change(f"another portmap has let go of {claim.key}")

    def _heeds(self, sender: Sender) -> bool:
        """Whether to act on what a sender says: for another user, only once in a while."""
        now = time.monotonic()
        if sender.is_trusted:
            return True
        heeded = now >= self._other_users_from
        if heeded:
            self._other_users_from = now + OTHER_USERS_PAUSE
        return heeded


def _question(what: str, claim: Claim) -> bytes:
    return json.dumps([what, claim.gateway, claim.protocol, claim.internal_port, claim.client]).encode()


def _answer(claim: Claim | None, asked_by: Sender) -> bytes:
    if claim is None:
        return b"null"
    token = claim.token.rpartition(" ")[2] if asked_by.is_trusted else ""
    return json.dumps([claim.external_port, token]).encode()


def _holder(answer: Message) -> OtherHolder | None:
    """What an answer says, if it makes sense."""
    try:
        said: Any = json.loads(answer.text)
        if said is None:
            return None
        external_port, token = said
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(external_port, int) or not 0 <= external_port <= MAX_PORT or not isinstance(token, str):
        return None
    return OtherHolder(answer.sender, external_port, token if answer.sender.is_trusted else "")


def _same(holder: OtherHolder, claim: Claim) -> bool:
    return holder.external_port == claim.external_port
