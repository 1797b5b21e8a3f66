"""The daemon miniupnpd in a namespace: its configuration, its start, its end and its log.

It runs in the background, as on a router. In debug mode (`-d`) it logs each of the 65,535 ports that it tries before it
refuses a request, and hears nothing for seconds.

Facts about Debian's build of miniupnpd 2.3.1, found by experiment:

- With `system_uptime=yes`, the default of Debian and OpenWrt, the epoch is the uptime of the machine: it goes on
  counting when the daemon restarts. With `no` it begins with the daemon.
- It listens on [::]:5351 for PCP, on ff02::c for SSDP and with its HTTP port on [::], as soon as `ipv6_disable` is `no`
  and `listening_ip` is the name of an interface.
- PCP MAP by IPv6: the sender's address must be the client's (else 12), so that a question to fe80::1 must leave from
  the host's global address; external address and port are the client's own; lifetimes as for IPv4. A renewal loses the
  nonce: to delete afterwards is refused with 2, and the pinhole stays until its lease ends. Another nonce may renew
  (RFC 6887 §11.3: 2).
- WANIPv6FirewallControl:1 at /ctl/IP6FCtl is in the description for every client and every IGD version. LOCATION names
  the router's global address, in answers to global addresses only. AddPinhole again for the same is a renewal with the
  same UniqueID; they begin with 1 after every start. 402 for a lease of 0 or over a day and for an unknown UniqueID
  (704 in the standard), 606 for an InternalClient that is not the sender and for internal ports under 1024.
"""

import os
import re
import select
import signal
from pathlib import Path

from tests.lab.namespace import Namespace, Process, until

NFTABLES = "miniupnpd"
ROOT = Path(__file__).parents[2]
IPTABLES = str(ROOT / ".lab" / "miniupnpd-iptables" / "usr" / "sbin" / "miniupnpd")  # .ci/run unpacks it

OPTIONS = {
    "ext_ifname": "wan",
    "listening_ip": "lan",
    "enable_natpmp": "yes",
    "enable_upnp": "yes",
    "secure_mode": "yes",
    "system_uptime": "yes",  # as Debian and OpenWrt ship it
    "ipv6_disable": "yes",
    "min_lifetime": "20",
    "max_lifetime": "86400",
    "uuid": "fd3fff59-0055-48d4-9080-dedae093a8c8",
}
RULES = ("allow 1024-65535 192.168.0.0/16 1024-65535", "deny 0-65535 0.0.0.0/0 0-65535")
_FIRST_HTTP_PORT = 5001
_NATPMP_PORT = 5351

# Without a syslogd the daemon's lines go to the console. `ip netns exec` has made a mount namespace for this command
# alone, so a FIFO in place of the console is seen by the daemon only.
_WITH_CONSOLE = 'fifo=$1; shift; [ ! -e /dev/console ] || mount --bind "$fifo" /dev/console; exec "$@"'
_READ_CONSOLE = 'exec cat <>"$1"'  # opened for writing too, so that it does not end with the daemon's first line


class Miniupnpd:
    """One daemon. `program` is its path, `home` a folder for its files; it may be started again after its end."""

    def __init__(self, namespace: Namespace, home: Path, program: str = NFTABLES) -> None:
        self._namespace = namespace
        self._home = home
        self._program = program
        self._starts = 0
        self._process = -1  # a pidfd: the daemon is no child of ours
        self._reader: Process | None = None

    def start(self, options: dict[str, str], rules: tuple[str, ...] = RULES) -> None:
        """Start it with options as in miniupnpd.conf(5), at another HTTP port each time; wait until it listens."""
        self._starts += 1
        config, fifo, pid = self._file("conf"), self._file("fifo"), self._file("pid")
        chosen = OPTIONS | {"http_port": str(self.http_port)} | options
        config.write_text("".join(f"{name}={value}\n" for name, value in chosen.items()) + "\n".join(rules) + "\n")
        os.mkfifo(fifo)
        with self._file("log").open("w") as log:
            self._reader = self._namespace.popen(["sh", "-c", _READ_CONSOLE, "sh", str(fifo)], stdout=log, stderr=log)
        command = [self._program, "-v", "-f", str(config), "-P", str(pid)]
        self._namespace.run(["sh", "-c", _WITH_CONSOLE, "sh", str(fifo), *command])
        until(lambda: pid.exists() and pid.read_text().strip(), f"miniupnpd did not start: {self.log}")
        number = int(pid.read_text())
        self._process = os.pidfd_open(number)
        port = _NATPMP_PORT if chosen["enable_natpmp"] == "yes" else self.http_port
        until(lambda: _listens(number, port), f"miniupnpd does not listen on port {port}: {self.log}")

    @property
    def http_port(self) -> int:
        """The port of its UPnP description."""
        return _FIRST_HTTP_PORT + self._starts - 1

    @property
    def log(self) -> str:
        """What it has said since its last start."""
        file = self._file("log")
        return file.read_text(errors="replace") if file.exists() else ""

    def end(self, signum: int = signal.SIGTERM) -> None:
        """Send it the signal, and wait until it has ended."""
        signal.pidfd_send_signal(self._process, signum)
        ended, _, _ = select.select([self._process], [], [], 5)
        assert ended, "miniupnpd does not end"
        os.close(self._process)
        self._process = -1
        if self._reader:
            self._reader.kill()

    def close(self) -> None:
        """Forget it; its namespace ends it."""
        if self._process >= 0:
            os.close(self._process)
            self._process = -1

    def _file(self, suffix: str) -> Path:
        return self._home / f"{self._namespace.name}-{self._starts}.{suffix}"


def _listens(process: int, port: int) -> bool:
    """Whether a socket listens on this port, UDP or TCP, where the process runs: /proc/PID/net, proc_net(5)."""
    tables = (Path(f"/proc/{process}/net/{name}") for name in ("udp", "udp6", "tcp", "tcp6"))
    bound = re.compile(rf"^ *\d+: [0-9A-F]+:{port:04X} [0-9A-F]+:0000 ", re.MULTILINE)
    return any(bound.search(table.read_text()) for table in tables if table.exists())
