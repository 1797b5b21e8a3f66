"""The router of the lab: a namespace with nftables NAT and the real miniupnpd.

Law: what the router has opened is read from the kernel's tables, never from the daemon's or the client's word for it.
The tables are those of Debian's `/etc/miniupnpd/nft_init.sh`, with a home router's own rules around them: from inside
everything passes, masqueraded; from outside only answers and what miniupnpd opened.

What Debian's build of miniupnpd 2.3.1 does with IPv6, found by experiment:

- It listens on [::]:5351 for PCP, on ff02::c for SSDP and with its HTTP port on [::], as soon as `ipv6_disable` is `no`
  and `listening_ip` is an interface's name. A pinhole is a rule in the chain `miniupnpd`, by PCP and by UPnP alike.
- PCP MAP: the sender's address must be the client's (else 12), so that a question to fe80::1 must leave from the host's
  global address; external address and port are the client's own; lifetimes as for IPv4. A renewal loses the nonce: to
  delete afterwards is refused with 2, and the pinhole stays until its lease ends. Another nonce may renew (RFC: 2).
- WANIPv6FirewallControl:1 at /ctl/IP6FCtl, in the description for everybody, whatever IGD is asked for. LOCATION names
  the router's global address, and only who asks from a global address hears it from there. AddPinhole again for the
  same is a renewal with the same UniqueID; they begin with 1 after every start. 402 for a lease of 0 or over a day
  and for an unknown UniqueID (704 in the standard), 606 for an InternalClient that is not the sender and for internal
  ports under 1024.
"""

import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path

from tests.lab.namespace import Namespace, Process

LAN = "192.168.77.1"  # the router's address inside, which is every LAN host's gateway
WAN = "11.22.33.1"  # globally routable on purpose: miniupnpd refuses reserved ranges (miniupnpd, getifaddr.c)
LAN6, LINK6, WAN6 = "2a00:77::1", "fe80::1", "2a00:11::1"  # inside twice: globally routable, and what hosts route to

_TABLES = """
table inet filter {
    chain trouble_in { }
    chain trouble_out { }
    chain output { type filter hook output priority 0; oifname "lan" jump trouble_out; }
    chain input {
        type filter hook input priority 0; policy accept;
        iifname "lan" jump trouble_in
        meta l4proto ipv6-icmp accept
        ct state established,related accept
        iifname "wan" drop
    }
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "lan" accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain postrouting {
        type nat hook postrouting priority 100;
        jump postrouting_miniupnpd
        meta nfproto ipv4 oifname "wan" masquerade
    }
    chain prerouting_miniupnpd { }
    chain postrouting_miniupnpd { }
}
table netdev lab {
    counter heard { }
    chain port { type filter hook ingress device "host" priority 0; counter name heard; }
}
"""

_CHAINS = ("miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd")

_OPTIONS = {
    "ext_ifname": "wan",
    "listening_ip": "lan",
    "http_port": "0",
    "enable_natpmp": "yes",
    "enable_upnp": "yes",
    "secure_mode": "yes",
    "system_uptime": "no",  # the epoch starts with the daemon, as after a reboot
    "ipv6_disable": "yes",
    "min_lifetime": "20",
    "max_lifetime": "86400",
    "uuid": "fd3fff59-0055-48d4-9080-dedae093a8c8",
}
_RULES = "allow 1024-65535 192.168.0.0/16 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n"

# The daemon logs to syslog, too, which without a syslogd means the console: a serial line takes milliseconds for every
# line. `ip netns exec` has made us a mount namespace of our own, so that this mount is seen by the daemon only.
_MUTED = ("sh", "-c", '[ ! -e /dev/console ] || mount --bind /dev/null /dev/console; exec "$@"', "sh")

_TRANSPORT = {"0x6": "TCP", "0x11": "UDP"}
# As nft prints miniupnpd's raw match of the IP protocol byte,
_DNAT = re.compile(r"@nh,72,8 (0x6|0x11) th dport (\d+) dnat ip to ([\d.]+):(\d+)")
# and that of the IPv6 destination and next header, which is a pinhole.
_PINHOLE = re.compile(r'iif "wan" th dport (\d+) @nh,192,128 0x([0-9a-f]+) @nh,48,8 (0x6|0x11) accept')


@dataclass(frozen=True, order=True)
class Entry:
    """One port that the router's kernel forwards."""

    protocol: str
    external_port: int
    client: str
    internal_port: int


class Router(Namespace):
    """The router, `lan` its address inside and `wan` that outside; `home` is a folder for the daemon's files."""

    def __init__(self, name: str, home: Path, lan: str = LAN, wan: str = WAN, *, ipv6: bool = False) -> None:
        super().__init__(name, ipv6=ipv6)
        self.lan = lan
        self.wan = wan
        self._log = home / f"{name}.log"
        self._config = home / f"{name}.conf"
        self._daemon: Process | None = None

    def configure(self) -> None:
        """Addresses, forwarding and NAT. The interfaces `lan`, `host` and `wan` must be there."""
        self.ip(
            f"addr add {self.lan}/24 dev lan", f"addr add {self.wan}/8 dev wan", "link set lan up", "link set wan up"
        )
        self.set("net/ipv4/ip_forward", 1)
        if self._ipv6:
            self.ip(*(f"addr add {address}/64 dev lan nodad" for address in (LAN6, LINK6)))
            self.ip(f"addr add {WAN6}/64 dev wan nodad")
            self.set("net/ipv6/conf/all/forwarding", 1)
        self.run(["nft", "-f", "-"], stdin=_TABLES)

    def start_miniupnpd(self, **options: str) -> None:
        """Start the daemon, options as in miniupnpd.conf(5), and wait until it answers."""
        chosen = _OPTIONS | ({"ipv6_disable": "no"} if self._ipv6 else {}) | options
        self._config.write_text("".join(f"{name}={value}\n" for name, value in chosen.items()) + _RULES)
        with self._log.open("w") as log:
            command = ["miniupnpd", "-d", "-f", str(self._config), "-P", str(self._config.with_suffix(".pid"))]
            self._daemon = self.popen([*_MUTED, *command], stdout=log, stderr=log)
        natpmp = chosen["enable_natpmp"] == "yes"
        ready = "Listening for NAT-PMP" if natpmp else "HTTP listening on port"
        _until(lambda: ready in self.log, f"miniupnpd did not start: see {self._log}")

    @property
    def log(self) -> str:
        """What the daemon said, at its most talkative."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def description_url(self) -> str:
        """Where the daemon's UPnP description is."""
        port = re.search(r"HTTP listening on port (\d+)", self.log)
        assert port, "miniupnpd serves no HTTP"
        return f"http://{self.lan}:{port[1]}/rootDesc.xml"

    def kill(self) -> None:
        """The daemon dies without a word; what it opened stays open."""
        assert self._daemon
        self._daemon.kill()
        self._daemon.wait(5)

    def stop(self) -> None:
        """The daemon is asked to end, and says goodbye."""
        assert self._daemon
        self._daemon.send_signal(signal.SIGTERM)
        self._daemon.wait(5)

    def reboot(self, **options: str) -> None:
        """The daemon dies, every mapping is forgotten, and it comes back."""
        self.kill()
        self.run(["nft", "-f", "-"], stdin="".join(f"flush chain inet filter {c}\n" for c in _CHAINS))
        self.start_miniupnpd(**options)

    def drop(self, port: int | None = None) -> None:
        """From now on whatever comes from the LAN to this UDP port, or at all, is lost without an answer."""
        self._trouble("in", f"udp dport {port} drop" if port else "drop")

    def mute(self) -> None:
        """From now on nobody hears what the router tells everybody: NAT-PMP and PCP announcements, SSDP NOTIFY."""
        self._trouble("out", "ip daddr 224.0.0.0/4 drop")
        self._trouble("out", "ip6 daddr { ff02::1, ff02::c } drop")

    def lose(self, percent: int) -> None:
        """From now on so many of the packets between the LAN and the router itself are lost, both ways.

        What it forwards is not, or a knock would not tell a lost mapping from a lost packet.
        """
        for way in ("in", "out"):
            self._trouble(way, f"numgen random mod 100 < {percent} drop")

    def recover(self) -> None:
        """The end of all `drop`, `mute` and `lose`."""
        for way in ("in", "out"):
            self.run(["nft", "flush", "chain", "inet", "filter", f"trouble_{way}"])

    def packets_heard(self) -> int:
        """How many frames the first LAN host has sent so far, ARP included."""
        told = json.loads(self.run(["nft", "-j", "list", "counter", "netdev", "lab", "heard"]))
        return next(int(item["counter"]["packets"]) for item in told["nftables"] if "counter" in item)

    def wait_to_hear(self) -> None:
        """Until the first LAN host has sent something."""
        _until(lambda: self.packets_heard() > 0, "the LAN host has sent nothing")

    def mappings(self) -> list[Entry]:
        """The ports that the kernel forwards now, in order."""
        rules = self.run(["nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"])
        return sorted(
            Entry(_TRANSPORT[number], int(external), client, int(internal))
            for number, external, client, internal in _DNAT.findall(rules)
        )

    def pinholes(self) -> list[Entry]:
        """The IPv6 ports to which the kernel lets new connections in, in order."""
        rules = self.run(["nft", "list", "chain", "inet", "filter", "miniupnpd"])
        return sorted(
            Entry(_TRANSPORT[number], int(port), str(IPv6Address(int(client, 16))), int(port))
            for port, client, number in _PINHOLE.findall(rules)
        )

    def wait_until_left(self, *entries: Entry) -> None:
        """Until these are all that the kernel forwards; the daemon looks at its leases about once a second."""
        _until(lambda: self.mappings() == sorted(entries), f"not just {entries} is left")

    def wait_until_left_open(self, *entries: Entry) -> None:
        """The same for pinholes."""
        _until(lambda: self.pinholes() == sorted(entries), f"not just {entries} is left open")

    def wan_address(self, address: str) -> None:
        """The provider gives the router another address."""
        self.ip(f"addr del {self.wan}/8 dev wan", f"addr add {address}/8 dev wan")
        self.wan = address

    def _trouble(self, way: str, rule: str) -> None:
        self.run(["nft", "add", "rule", "inet", "filter", f"trouble_{way}", rule])


def _until(met: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + 5
    while not met():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.01)
