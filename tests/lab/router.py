"""The router of the lab: a namespace with NAT, a firewall and a real miniupnpd."""

import json
import signal
from pathlib import Path
from typing import Literal

from tests.lab.firewall import Entry, Iptables, Nftables
from tests.lab.miniupnpd import IPTABLES, NFTABLES, RULES, Miniupnpd
from tests.lab.namespace import Namespace, until

__all__ = ["Entry", "Router"]

LAN = "192.168.77.1"  # the router's address inside, which is every LAN host's gateway
WAN = "11.22.33.1"  # globally routable on purpose: miniupnpd refuses reserved ranges (miniupnpd, getifaddr.c)
LAN6, LINK6, WAN6 = "2a00:77::1", "fe80::1", "2a00:11::1"  # inside twice: globally routable, and what hosts route to

Build = Literal["nftables", "iptables"]


class Router(Namespace):
    """The router, `lan` its address inside and `wan` that outside; `home` is a folder for the daemon's files.

    `build` is that of miniupnpd. With `one_link_local` the interface `lan` has fe80::1 alone; by default the kernel
    adds one made of the hardware address.
    """

    def __init__(
        self,
        name: str,
        home: Path,
        lan: str = LAN,
        wan: str = WAN,
        *,
        ipv6: bool = False,
        one_link_local: bool = False,
        build: Build = "nftables",
    ) -> None:
        super().__init__(name, ipv6=ipv6)
        self.lan = lan
        self.wan = wan
        self.rules = RULES  # which ports the daemon may open from its next start on
        self._one_link_local = one_link_local
        self._firewall = Iptables(self) if build == "iptables" else Nftables(self)
        self._daemon = Miniupnpd(self, home, IPTABLES if build == "iptables" else NFTABLES)

    def configure(self) -> None:
        """Addresses, forwarding and NAT. The interfaces `lan`, `host` and `wan` must be there."""
        if self._one_link_local:
            self.ip("link set lan addrgenmode none")
        self.ip(
            f"addr add {self.lan}/24 dev lan", f"addr add {self.wan}/8 dev wan", "link set lan up", "link set wan up"
        )
        self.set("net/ipv4/ip_forward", 1)
        if self._ipv6:
            self.ip(*(f"addr add {address}/64 dev lan nodad" for address in (LAN6, LINK6)))
            self.ip(f"addr add {WAN6}/64 dev wan nodad")
            self.set("net/ipv6/conf/all/forwarding", 1)
        self._firewall.set_up()

    def close(self) -> None:
        """End the daemon with everything else, and remove the namespace."""
        self._daemon.close()
        super().close()

    def start_miniupnpd(self, **options: str) -> None:
        """Start the daemon, options as in miniupnpd.conf(5), and wait until it answers."""
        self._daemon.start(({"ipv6_disable": "no"} if self._ipv6 else {}) | options, self.rules)

    @property
    def log(self) -> str:
        """What the daemon has said since its last start."""
        return self._daemon.log

    @property
    def description_url(self) -> str:
        """Where the daemon's UPnP description is."""
        return f"http://{self.lan}:{self._daemon.http_port}/rootDesc.xml"

    def kill(self) -> None:
        """The daemon dies without a word; what it opened stays open."""
        self._daemon.end(signal.SIGKILL)

    def stop(self) -> None:
        """The daemon is asked to end, and says goodbye."""
        self._daemon.end()

    def reboot(self, **options: str) -> None:
        """The daemon dies, every mapping is forgotten, and it comes back."""
        self.kill()
        self._firewall.flush()
        self.start_miniupnpd(**options)

    def forget_rules(self) -> None:
        """Every rule vanishes from the kernel, while the daemon goes on listing its mappings."""
        self._firewall.flush()

    def drop(self, port: int | None = None) -> None:
        """From now on all packets from the LAN to this UDP port, or all packets at all, are lost without an answer."""
        self._trouble("in", f"udp dport {port} drop" if port else "drop")

    def mute(self) -> None:
        """From now on no announcement of the router arrives: NAT-PMP, PCP, SSDP NOTIFY."""
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
        return self._count("heard")

    def arp_heard(self) -> int:
        """How many of them were ARP: what its kernel asks before it sends, and its answers to the router's kernel."""
        return self._count("arp_heard")

    def _count(self, counter: str) -> int:
        told = json.loads(self.run(["nft", "-j", "list", "counter", "netdev", "lab", counter]))
        return next(int(item["counter"]["packets"]) for item in told["nftables"] if "counter" in item)

    def wait_to_hear(self) -> None:
        """Until the first LAN host has sent something."""
        until(lambda: self.packets_heard() > 0, "the LAN host has sent nothing")

    def mappings(self) -> list[Entry]:
        """The ports that the kernel forwards now, in order."""
        return self._firewall.mappings()

    def pinholes(self) -> list[Entry]:
        """The IPv6 ports to which the kernel lets new connections in, in order."""
        return self._firewall.pinholes()

    def wait_until_left(self, *entries: Entry) -> None:
        """Until these are all that the kernel forwards; the daemon looks at its leases about once a second."""
        until(lambda: self.mappings() == sorted(entries), f"not just {entries} is left")

    def wait_until_left_open(self, *entries: Entry) -> None:
        """The same for pinholes."""
        until(lambda: self.pinholes() == sorted(entries), f"not just {entries} is left open")

    def wan_address(self, address: str) -> None:
        """The provider gives the router another address."""
        self.ip(f"addr del {self.wan}/8 dev wan", f"addr add {address}/8 dev wan")
        self.wan = address

    def _trouble(self, way: str, rule: str) -> None:
        self.run(["nft", "add", "rule", "inet", "filter", f"trouble_{way}", rule])
