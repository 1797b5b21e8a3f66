"""Redirect: `?forward=nft`: the kernel hands packets on to the application, and their source stays. Linux, root.

The rules stand in a table that the kernel removes by itself when the `nft` process that made it ends (flag `owner`,
nftables 0.9.9 and Linux 5.12), so that nothing is left even after kill -9.
"""

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field

from portmap.errors import NoGateway, Refused
from portmap.model import Protocol

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
        """Redirect what arrives at the local port to the application's. Raises Refused where nft does not obey."""
        if self._rules.get((protocol, internal_port)) == local_port:
            return
        self._rules[protocol, internal_port] = local_port
        self._write()

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
            nft.stdin.write(self.rules())
            nft.stdin.flush()
        except OSError as error:
            raise Refused(f"nft has ended, so nothing can be redirected ({error.strerror}): is this root?") from error

    def _start(self) -> subprocess.Popen[str]:
        if os.geteuid() != 0:
            raise Refused("?forward=nft needs root: leave it out, and portmap relays the packets itself")
        try:
            nft = subprocess.Popen(["nft", "-i"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)  # noqa: S607
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
