"""Redirect: `?forward=nft`: the kernel hands packets on to the application, and their source stays. Linux, root.

The rules stand in a table that the kernel removes by itself when the `nft` process that made it ends (flag `owner`,
nftables 0.9.9 and Linux 5.12), so that nothing is left even after kill -9.
"""

import os
import select
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field

from portmap.errors import NATError, NoGateway, Refused
from portmap.model import Protocol

_ANSWER = 2.0  # seconds for nft to make the rules
_END = 2.0  # seconds for nft to end


@dataclass(slots=True)
class Redirect:
    """The table of this process, made with the first rule."""

    _rules: dict[tuple[Protocol, int], int] = field(default_factory=dict)
    _nft: subprocess.Popen[str] | None = None

    @property
    def table(self) -> str:
        """The table's name."""
        return f"portmap_punch_{os.getpid()}"

    def add(self, protocol: Protocol, local_port: int, internal_port: int) -> None:
        """Redirect what arrives at the local port to the application's: it is so afterwards. Raises NATError."""
        if self._rules.get((protocol, internal_port)) == local_port:
            return
        self._rules[protocol, internal_port] = local_port
        try:
            self._write()
        except NATError:
            del self._rules[protocol, internal_port]
            raise

    def remove(self, protocol: Protocol, internal_port: int) -> None:
        """Redirect it no more."""
        if self._rules.pop((protocol, internal_port), None) is not None:
            self._write()

    def close(self) -> None:
        """Remove the table."""
        self._rules.clear()
        nft, self._nft = self._nft, None
        if nft is None:
            return
        with suppress(OSError):
            nft.communicate("quit\n", _END)
        if nft.poll() is None:
            nft.kill()
            nft.wait()

    def rules(self) -> str:
        """The commands that make the table what it is to be."""
        lines = [
            f"add rule inet {self.table} redirect_in {protocol.lower()} dport {local} redirect to :{internal}"
            for (protocol, internal), local in sorted(self._rules.items())
        ]
        return "\n".join([f"flush chain inet {self.table} redirect_in", *lines, ""])

    def _write(self) -> None:
        nft = self._nft if self._nft is not None and self._nft.poll() is None else self._start()
        assert nft.stdin is not None  # noqa: S101  # it was asked for
        try:
            nft.stdin.write(f"{self.rules()}list chain inet {self.table} redirect_in\n")
            nft.stdin.flush()
        except OSError as error:
            raise Refused(f"nft has ended, so nothing can be redirected ({error.strerror}): is this root?") from error
        if _listed(nft).count("redirect to") != len(self._rules):
            raise Refused(f"nft has not made the redirect within {_ANSWER:g} s: does this kernel have nftables' NAT?")

    def _start(self) -> subprocess.Popen[str]:
        if os.geteuid() != 0:
            raise Refused("?forward=nft needs root: leave it out, and portmap relays the packets itself")
        try:
            nft = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S607
        except OSError as error:
            raise NoGateway(f"nft cannot be started ({error.strerror}): install nftables") from error
        assert nft.stdin is not None  # noqa: S101  # it was asked for
        nft.stdin.write(
            f"add table inet {self.table} {{ flags owner; }}\n"
            f"add chain inet {self.table} redirect_in "
            "{ type nat hook prerouting priority dstnat; policy accept; }\n"
        )
        self._nft = nft
        return nft


def _listed(nft: subprocess.Popen[str]) -> str:
    """The chain as nft lists it, when it has carried out all before; what came of it in time."""
    assert nft.stdout is not None  # noqa: S101  # it was asked for
    listed, until = b"", time.monotonic() + _ANSWER
    while not listed.endswith(b"\n}\n") and select.select([nft.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        more = os.read(nft.stdout.fileno(), 65536)
        if not more:
            break
        listed += more
    return listed.decode(errors="replace")
