"""The gateway under test: what a contract must be able to do to it, apart from letting the backend speak to it.

Every ability is optional. A promise that needs a missing one is skipped, with that for a reason.
"""

import socket
import struct
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from typing import NoReturn

import pytest

from portmap.errors import PortmapError
from portmap.model import Protocol
from portmap.simulator.loopback import loopback_address
from portmap.simulator.mapping_table import Entry
from portmap.simulator.natpmp import OPCODE, VERSION
from portmap.simulator.router import Router

PLANT_TIMEOUT = 5.0  # seconds; a few milliseconds are enough
PLANTED_LIFETIME = 3600


class Gateway:
    """Subclass it for a gateway of your own; override what it can do."""

    def entries(self) -> Iterable[Entry]:
        """Every mapping that it holds now."""
        self._cannot("entries()", "tell what it holds")

    def plant(self, protocol: Protocol, external_port: int) -> None:  # noqa: ARG002  # for those who override it
        """Let another host of the LAN hold an external port."""
        self._cannot("plant(protocol, external_port)", "hold a mapping of another host")

    def kill(self) -> None:
        """From now on it does not answer."""
        self._cannot("kill()", "fall silent")

    def revive(self) -> None:
        """It answers again."""
        self._cannot("revive()", "come back")

    def _cannot(self, method: str, what: str) -> NoReturn:
        pytest.skip(f"the gateway under test cannot {what}: override {type(self).__name__}.{method}")


class RouterGateway(Gateway):
    """The simulated router as a gateway under test. To `plant` it needs `pmp=True`, whatever the backend speaks.

    Dead, it hears everything and answers nothing; or with `gone` its ports are shut, and a new router opens them again.
    """

    def __init__(self, router: Router, *, gone: bool = False) -> None:
        self.router = router
        self._gone = gone

    def entries(self) -> tuple[Entry, ...]:
        """The router's table."""
        return self.router.entries

    def plant(self, protocol: Protocol, external_port: int) -> None:
        """As a real second host would: a NAT-PMP request from another loopback address."""
        request = struct.pack("!BBHHHI", VERSION, OPCODE[protocol], 0, 9, external_port, PLANTED_LIFETIME)
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as host:
            host.bind((loopback_address(), 0))
            host.settimeout(PLANT_TIMEOUT)
            host.sendto(request, (self.router.address, self.router.pmp_port))
            answer = host.recv(64)
        if struct.unpack_from("!HIHH", answer, 2)[3] != external_port:
            raise PortmapError(f"the router under test did not give port {external_port} to the other host")

    def kill(self) -> None:
        """Fall silent, or be gone."""
        if self._gone:
            self.router.close()
        else:
            self.router.quirks = replace(self.router.quirks, silent=True)

    def revive(self) -> None:
        """Answer again; after having been gone, with an empty table."""
        if self._gone:
            self.router = _successor(self.router).start()
        else:
            self.router.quirks = replace(self.router.quirks, silent=False)


def _successor(router: Router) -> Router:
    """A new router in the place of one that was closed."""
    return Router(
        router.address,
        outside=router.outside,
        external_ip=router.external_ip,
        pmp_port=router.pmp_port,
        ssdp_port=router.ssdp_port,
        http_port=router.http_port,
        quirks=router.quirks,
    )
