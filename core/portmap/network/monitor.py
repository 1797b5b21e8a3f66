"""NetworkMonitor: notices that a link, an address or a default route changed: the gateway may be another one.

A signal is only a reason to look. What counts is the view: the default gateways, and our own address towards each. Only
a view that differs is told, so containers that come and go cause nothing.

Linux says at once that something changed (netlink, no privilege needed); elsewhere we look every few seconds, which
costs 0.1 ms each time.
"""

import contextlib
import logging
import selectors
import socket
import threading
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TypeAlias

from portmap.errors import NoGateway
from portmap.model import Address
from portmap.network.routes import default_gateways, default_gateways6, global_ipv6_address, local_address_to

POLL = 5.0  # seconds between looks where the system does not tell
QUIET = 0.1  # seconds of silence that end a burst of changes: DHCP takes down, puts up, routes
BURSTS = 10  # so many waits for silence at the most: a second

# linux/rtnetlink.h: RTMGRP_LINK, RTMGRP_IPV4_IFADDR and _ROUTE, RTMGRP_IPV6_IFADDR and _ROUTE
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400

NetworkView: TypeAlias = tuple[tuple[Address, Address | None], ...]

_log = logging.getLogger("portmap.links")


def current_view(interface: str | None = None) -> NetworkView:
    """Each default gateway, and our own address towards it. No packet is sent.

    `interface`: of this one only, so that what becomes of another one changes nothing.
    """
    return tuple((gateway, _ours(gateway, interface)) for gateway in default_gateways(interface))


def current_view6(interface: str | None = None) -> NetworkView:
    """The same over IPv6, where our own address is one and the same. No packet is sent."""
    ours = global_ipv6_address(interface)
    return tuple((gateway, ours) for gateway in default_gateways6(interface))


def describe_change(before: NetworkView, after: NetworkView) -> str:
    """What changed, in words."""
    return f"network changed: {_words(before)} -> {_words(after)}"


class NetworkMonitor:
    """A daemon thread that calls `tell(reason)` whenever the view has changed, from `start` to `close`."""

    def __init__(self, tell: Callable[[str], None], view: Callable[[], NetworkView] = current_view) -> None:
        self._tell = tell
        self._view = view
        self._wake, self._waker = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="portmap links", daemon=True)

    def start(self) -> "NetworkMonitor":
        """Look once, then watch."""
        self._seen = self._view()
        self._thread.start()
        return self

    def close(self) -> None:
        """End the watch; twice is harmless."""
        with contextlib.suppress(OSError):  # it has ended before
            self._waker.send(b"x")
        self._thread.join(1.0)
        self._waker.close()

    def _run(self) -> None:
        with self._wake, contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
            selector.register(self._wake, selectors.EVENT_READ)
            netlink = _netlink()
            if netlink is not None:
                selector.register(stack.enter_context(netlink), selectors.EVENT_READ)
            while self._wait(selector, None if netlink else POLL):
                self._look()

    def _wait(self, selector: selectors.BaseSelector, timeout: float | None) -> bool:
        """Sleep until there may be something to see, and until a burst is over; False when the watch is over."""
        ready = selector.select(timeout)
        bursts = 0
        while ready and bursts < BURSTS:
            if any(key.fileobj is self._wake for key, _ in ready):
                return False
            for key, _ in ready:
                _drain(key.fileobj)
            bursts += 1
            ready = selector.select(QUIET)
        return True

    def _look(self) -> None:
        before, self._seen = self._seen, self._view()
        if self._seen != before:
            reason = describe_change(before, self._seen)
            _log.debug("%s", reason)  # the loop tells it, and has a brake: any host of the link can cause it by IPv6
            self._tell(reason)


def _netlink() -> socket.socket | None:
    """A socket that becomes readable when links, addresses or routes change; None where there is no such thing."""
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        return None
    try:
        news = socket.socket(family, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError as error:
        _log.info("no netlink here, so the network is read every %g s: %s", POLL, error)
        return None
    news.bind((0, _GROUPS))
    news.setblocking(False)
    return news


def _drain(news: object) -> None:
    """Read what there is: only that something changed matters. An overrun of the buffer says the same."""
    if isinstance(news, socket.socket):
        with contextlib.suppress(OSError):
            while news.recv(65536):
                pass


def _ours(gateway: IPv4Address, interface: str | None) -> IPv4Address | None:
    try:
        return local_address_to(gateway, interface)
    except NoGateway:
        return None


def _words(view: NetworkView) -> str:
    return ", ".join(f"{ours or 'no address'} behind {gateway}" for gateway, ours in view) or "no gateway"
