"""The router's packet filter and NAT: nftables, or iptables for the other build of miniupnpd.

What is open is read from the kernel's tables, never from the daemon's or the client's word for it. The chains are those
of Debian's `/etc/miniupnpd`, within the rules of a home router: from inside everything passes, masqueraded; from
outside only answers, and what miniupnpd opened.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from tests.lab.namespace import Namespace

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
    chain postrouting {
        type nat hook postrouting priority 100;
        meta nfproto ipv4 oifname "wan" masquerade
    }
}
table netdev lab {
    counter heard { }
    counter arp_heard { }
    chain port {
        type filter hook ingress device "host" priority 0;
        counter name heard
        ether type arp counter name arp_heard
    }
}
"""
_NFTABLES = """
table inet filter {
    chain forward {
        type filter hook forward priority 0; policy drop;
        ct state established,related accept
        iifname "lan" accept
        jump miniupnpd
    }
    chain miniupnpd { }
    chain prerouting { type nat hook prerouting priority -100; jump prerouting_miniupnpd; }
    chain prerouting_miniupnpd { }
    chain before_masquerade { type nat hook postrouting priority 99; jump postrouting_miniupnpd; }
    chain postrouting_miniupnpd { }
}
"""
_CHAINS = ("miniupnpd", "prerouting_miniupnpd", "postrouting_miniupnpd")
# miniupnpd's other build speaks to the kernel's older interface only, which the program iptables-legacy shares.
_IPTABLES_NAT = """*nat
:MINIUPNPD -
:MINIUPNPD-POSTROUTING -
-A PREROUTING -i wan -j MINIUPNPD
-A POSTROUTING -o wan -j MINIUPNPD-POSTROUTING
COMMIT
*mangle
:MINIUPNPD -
-A FORWARD -j MINIUPNPD
COMMIT
"""
_IPTABLES_FILTER = """*filter
:FORWARD DROP
:MINIUPNPD -
-A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
-A FORWARD -i lan -j ACCEPT
-A FORWARD -i wan -j MINIUPNPD
COMMIT
"""

_TRANSPORT = {"0x6": "TCP", "0x11": "UDP"}
# As nft prints miniupnpd's raw match of the IP protocol byte,
_NFT_DNAT = re.compile(r"@nh,72,8 (0x6|0x11) th dport (\d+) dnat ip to ([\d.]+):(\d+)")
# and that of the IPv6 destination and next header, which is a pinhole.
_NFT_PINHOLE = re.compile(r'iif "wan" th dport (\d+) @nh,192,128 0x([0-9a-f]+) @nh,48,8 (0x6|0x11) accept')
# iptables-legacy cannot print where the daemon's DNAT rule leads to; its rule for the way back says so.
_IPTABLES_DNAT = re.compile(r"-A MINIUPNPD -p (tcp|udp) .*--dport (\d+) -j DNAT")
_IPTABLES_BACK = re.compile(
    r"-A MINIUPNPD-POSTROUTING -s ([\d.]+)/32 -p (tcp|udp) .*--sport (\d+) -j MASQUERADE --to-ports (\d+)"
)
_IPTABLES_PINHOLE = re.compile(r"-A MINIUPNPD -d ([0-9a-f:]+)/128 .*-p (tcp|udp) .*--dport (\d+) -j ACCEPT")


@dataclass(frozen=True, order=True)
class Entry:
    """One port that the router's kernel forwards."""

    protocol: str
    external_port: int
    client: str
    internal_port: int


class Firewall(ABC):
    """The rules in one namespace, with the interfaces `lan`, `host` (a port of the bridge `lan`) and `wan`."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def set_up(self) -> None:
        """Filter, masquerade, and count what the first LAN host sends."""
        self._nft(_TABLES)

    @abstractmethod
    def flush(self) -> None:
        """Delete what miniupnpd opened, as its package's stop script does."""

    @abstractmethod
    def mappings(self) -> list[Entry]:
        """The ports that the kernel forwards now, in order."""

    @abstractmethod
    def pinholes(self) -> list[Entry]:
        """The IPv6 ports to which the kernel lets new connections in, in order."""

    def _nft(self, commands: str) -> None:
        self._namespace.run(["nft", "-f", "-"], stdin=commands)


class Nftables(Firewall):
    """For Debian's package miniupnpd-nftables."""

    def set_up(self) -> None:
        """The common rules, and miniupnpd's chains."""
        super().set_up()
        self._nft(_NFTABLES)

    def flush(self) -> None:
        """Empty miniupnpd's chains."""
        self._nft("".join(f"flush chain inet filter {chain}\n" for chain in _CHAINS))

    def mappings(self) -> list[Entry]:
        """Those in the chain `prerouting_miniupnpd`."""
        return sorted(
            Entry(_TRANSPORT[number], int(external), client, int(internal))
            for number, external, client, internal in _NFT_DNAT.findall(self._chain("prerouting_miniupnpd"))
        )

    def pinholes(self) -> list[Entry]:
        """Those in the chain `miniupnpd`."""
        return sorted(
            Entry(_TRANSPORT[number], int(port), str(IPv6Address(int(client, 16))), int(port))
            for port, client, number in _NFT_PINHOLE.findall(self._chain("miniupnpd"))
        )

    def _chain(self, name: str) -> str:
        return self._namespace.run(["nft", "list", "chain", "inet", "filter", name])


class Iptables(Firewall):
    """For Debian's package miniupnpd-iptables."""

    def set_up(self) -> None:
        """The common rules, and miniupnpd's chains."""
        super().set_up()
        self._namespace.run(["iptables-legacy-restore", "-n"], stdin=_IPTABLES_NAT + _IPTABLES_FILTER)
        self._namespace.run(["ip6tables-legacy-restore", "-n"], stdin=_IPTABLES_FILTER)

    def flush(self) -> None:
        """Empty miniupnpd's chains."""
        empty = "*nat\n-F MINIUPNPD\n-F MINIUPNPD-POSTROUTING\nCOMMIT\n"
        self._namespace.run(["iptables-legacy-restore", "-n"], stdin=f"{empty}*filter\n-F MINIUPNPD\nCOMMIT\n")
        self._namespace.run(["ip6tables-legacy-restore", "-n"], stdin="*filter\n-F MINIUPNPD\nCOMMIT\n")

    def mappings(self) -> list[Entry]:
        """Those in the chain MINIUPNPD of the table nat."""
        rules = self._namespace.run(["iptables-legacy", "-t", "nat", "-S"])
        open_ = set(_IPTABLES_DNAT.findall(rules))
        return sorted(
            Entry(protocol.upper(), int(external), client, int(internal))
            for client, protocol, internal, external in _IPTABLES_BACK.findall(rules)
            if (protocol, external) in open_
        )

    def pinholes(self) -> list[Entry]:
        """Those in the chain MINIUPNPD of the IPv6 table filter."""
        rules = self._namespace.run(["ip6tables-legacy", "-S", "MINIUPNPD"])
        return sorted(
            Entry(protocol.upper(), int(port), str(ip_address(client)), int(port))
            for client, protocol, port in _IPTABLES_PINHOLE.findall(rules)
        )
