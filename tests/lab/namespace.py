"""One network namespace: a machine of its own as far as the network can tell.

Nothing here touches the network of the machine that runs the tests. Namespaces are named `pm-PID-N-ROLE`, so that
two runs never meet and what a killed run left behind is known by its dead PID.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Self, TypeAlias, TypeVar

T = TypeVar("T")
Process: TypeAlias = subprocess.Popen[str]

TOOLS = ("ip", "nft", "miniupnpd", "natpmpc", "upnpc", "turnserver")
_CLONE_NEWNET = 0x40000000  # linux/sched.h; os.setns is there from Python 3.12 only
_OURS = re.compile(r"^(pm-(\d+)-\S+)", re.MULTILINE)


def run(arguments: list[str], *, stdin: str | None = None) -> str:
    """Run a command to its end and give its stdout. Raises RuntimeError with its stderr where it fails."""
    done = subprocess.run(arguments, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: exit {done.returncode}: {done.stderr or done.stdout}")
    return done.stdout


def until(met: Callable[[], object], complaint: str, *, within: float = 5) -> None:
    """Wait until it is met; an AssertionError with the complaint after `within` seconds."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)


def why_not() -> str:
    """The reason why this machine can have no lab; empty where it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "needs root on Linux for network namespaces"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)} (Debian: miniupnpd-nftables nftables iproute2 natpmpc miniupnpc coturn)"
    try:
        with Namespace(f"pm-{os.getpid()}-try"):
            return ""
    except RuntimeError as error:
        return f"network namespaces cannot be made here: {error}"


def sweep() -> None:
    """Remove the namespaces, and end the processes in them, of runs that died without cleaning up."""
    for name, pid in _OURS.findall(run(["ip", "netns", "list"])):
        if not Path(f"/proc/{pid}").exists():
            with contextlib.suppress(RuntimeError):  # another run sweeps at the same time
                Namespace(name).close()


class Namespace:
    """A context manager: inside it the namespace exists, with loopback up and IPv6 off unless it is asked for.

    IPv6 is off so that a counter of packets counts what programs send, not what the kernel says to itself.
    """

    def __init__(self, name: str, *, ipv6: bool = False) -> None:
        self.name = name
        self._ipv6 = ipv6
        self._children: list[Process] = []

    def __enter__(self) -> Self:
        run(["ip", "netns", "add", self.name])
        self.ip("link set lo up")
        for scope in ("all", "default"):
            self.set(f"net/ipv6/conf/{scope}/disable_ipv6", 0 if self._ipv6 else 1)
            self.set(f"net/ipv6/conf/{scope}/accept_dad", 0)  # else an address is of no use for a second or two
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every process that lives here, then remove the namespace."""
        for pid in run(["ip", "netns", "pids", self.name]).split():
            _end(int(pid))
        for child in self._children:
            child.wait(5)
        run(["ip", "netns", "delete", self.name])

    def ip(self, *lines: str) -> None:
        """Run `ip` commands here, all in one process."""
        run(["ip", "-n", self.name, "-batch", "-"], stdin="\n".join(lines) + "\n")

    def set(self, key: str, value: int) -> None:
        """Set one of the kernel's parameters below /proc/sys, where the kernel knows it at all."""
        file = Path("/proc/sys") / key

        def write() -> None:
            if file.exists():
                file.write_text(str(value))

        self.inside(write)

    def run(self, arguments: list[str], *, stdin: str | None = None) -> str:
        """Run a command here to its end and give its stdout; see the function `run`."""
        return run(self.command(arguments), stdin=stdin)

    def popen(self, arguments: list[str], *, stdout: int | IO[str], stderr: int | IO[str]) -> Process:
        """Start a command here. Its pid is the process' own: `ip netns exec` becomes the command."""
        child = subprocess.Popen(self.command(arguments), stdout=stdout, stderr=stderr, text=True)
        self._children.append(child)
        return child

    def command(self, arguments: list[str]) -> list[str]:
        """The words that run the command here."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def inside(self, work: Callable[[], T]) -> T:
        """Call `work` on a thread that stands in this namespace. Its sockets stay here, whichever thread uses them."""
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._entered, work).result()

    def _entered(self, work: Callable[[], T]) -> T:
        with Path(f"/run/netns/{self.name}").open("rb") as door:
            if ctypes.CDLL(None, use_errno=True).setns(door.fileno(), _CLONE_NEWNET):
                raise RuntimeError(f"setns {self.name}: {os.strerror(ctypes.get_errno())}")
        return work()


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended by itself meanwhile
