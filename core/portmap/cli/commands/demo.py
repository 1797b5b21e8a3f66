"""`portmap demo`: what portmap does, in a few seconds, against a simulated router on this machine's loopback.

The lines are those of the real command: the router is really asked, and bytes really pass.
"""

import logging
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import portmap
from portmap.cli import logs
from portmap.cli.output.events import HumanRenderer
from portmap.cli.output.style import format_line, style_of
from portmap.errors import PortmapError
from portmap.events import Event
from portmap.session.session import Session
from portmap.testing import Router, loopback_address

TIMEOUT = 10.0  # seconds for each step; each takes a few milliseconds, the reboot one look at the address
LOOK = 1.0  # seconds between looks at the external address: the router's own clock tells of its reboot
DOWNTIME = 0.5  # seconds that the router is away
UPTIME = 86400.0  # seconds; a clock that jumps back from 0 to 0 shows no restart (RFC 6886 §3.6)
GREETING = b"hello from the inside\n"


def run_demo() -> None:
    """Map a port, connect through it, reboot the router, connect again, clean up. Raises PortmapError."""
    logs.set_up(0)
    with Router(loopback_address(), uptime=UPTIME) as router, _service() as port:
        spec = f"pmp:{router.address}"
        _say("demo", f"a simulated router on {router.address}, and a service of ours on 127.0.0.1:{port}")
        _say("$", f"portmap --nat {spec} demo={port}")
        with portmap.open(spec, [f"demo={port}"], ip_interval=LOOK) as session:
            told = _EventFollower(session)
            session.wait(TIMEOUT)
            told.until("mapping.added")
            _connect(router, session)
            _say("demo", f"the router reboots: it is away for {DOWNTIME} s and forgets every mapping")
            router.reboot(downtime=DOWNTIME)
            told.until("mapping.renewed")
            _connect(router, session)
            _say("demo", "Ctrl-C")
        told.until("mapping.removed")
        _say("demo", f"the router's table is {'not ' if router.entries else ''}empty")


class _EventFollower:
    """Prints the session's events as they come, and waits for one of a given name."""

    def __init__(self, session: Session) -> None:
        self._render = HumanRenderer(renewals=True, style=style_of(sys.stdout))
        self._names: list[str] = []
        self._changed = threading.Condition()
        threading.Thread(target=self._follow, args=(session.events(),), daemon=True).start()

    def until(self, name: str) -> None:
        """Wait for an event of that name. Raises PortmapError when it does not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: name in self._names, TIMEOUT):
                raise PortmapError(f"the demo waited {TIMEOUT:g} s for {name}: please report this")

    def _follow(self, events: Iterator[Event]) -> None:
        for event in events:
            text = self._render(event, time.time())
            if text:
                print(text, flush=True)
            with self._changed:
                self._names.append(event.event)
                self._changed.notify_all()


def _connect(router: Router, session: Session) -> None:
    (mapping,) = session.mappings
    outside = (router.outside, mapping.external_port)
    with socket.create_connection(outside, timeout=TIMEOUT) as connection, connection.makefile("rb") as lines:
        heard = lines.readline()
    if heard != GREETING:
        raise PortmapError(f"the demo heard {heard!r} through the mapping: please report this")
    _say("outside", f"connected to the router's port {mapping.external_port}, heard {heard.decode().strip()!r}")


@contextmanager
def _service() -> Iterator[int]:
    """A small TCP service on loopback that greets each client; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_greet_all, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def _greet_all(listener: socket.socket) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError as closed:
            logging.getLogger("portmap.demo").debug("the service ends: %s", closed)
            return
        with connection:
            connection.sendall(GREETING)


def _say(word: str, text: str) -> None:
    print(format_line(word, text, time.time(), style_of(sys.stdout)), flush=True)
