"""What the doctor may have found, for the tests of its verdicts."""

from dataclasses import replace
from ipaddress import IPv4Address

from portmap.doctor.findings import BackendAnswer, Findings, HostFirewall, HostNetwork
from portmap.errors import GatewayTimeout, NoGateway, NotAuthorized, PortmapError, Refused
from portmap.model import Listed, PortRequest, Protocol
from portmap.network.listening_sockets import ListeningSocket

TCP = Protocol.TCP
GATEWAY, US, PUBLIC = IPv4Address("192.168.1.1"), IPv4Address("192.168.1.20"), IPv4Address("203.0.113.7")
WORLD = IPv4Address("9.9.9.9")
HOME = HostNetwork((GATEWAY,), "eth0", US)
WANTED = PortRequest(TCP, 25565)
FREE: tuple[Listed, ...] = ()
SERVED = (ListeningSocket(TCP, IPv4Address("0.0.0.0"), 25565, "java (4121)"),)  # noqa: S104  # what /proc says, nothing is bound
OPEN = HostFirewall(False, "lets everything in")


def upnp(address: str = "8.8.4.4", **but: object) -> BackendAnswer:
    good = BackendAnswer("upnp", "UPnP 192.168.1.1 (IGD:1)", 12, IPv4Address(address), us=US, table=FREE)
    return replace(good, **{"host": None, **but})  # type: ignore[arg-type]  # fields of a test's choice


def pmp(address: str = "8.8.4.4", **but: object) -> BackendAnswer:
    return upnp(address, **{"name": "pmp", "gateway": "NAT-PMP 192.168.1.1", "ms": 14, "table": None, **but})


def failed(name: str, protocol: str, error: PortmapError, *, chosen: bool = True, evidence: str = "") -> BackendAnswer:
    return BackendAnswer(name, protocol, error=error, chosen=chosen, evidence=(evidence,))


def found(*answers: BackendAnswer, network: HostNetwork = HOME, **more: object) -> Findings:
    return Findings(network, answers, **more)  # type: ignore[arg-type]  # as above


def wanted(*answers: BackendAnswer, **more: object) -> Findings:
    usual: dict[str, object] = {"requests": (WANTED,), "listening": SERVED, "firewall": OPEN}
    return Findings(HOME, answers, **(usual | more))  # type: ignore[arg-type]  # as above


NO_UPNP = failed("upnp", "UPnP", NoGateway("no answer"))
SILENT = failed("pmp", "NAT-PMP 192.168.1.1", GatewayTimeout("silence"))
FORBIDDEN = NotAuthorized("forbidden", code=606)
NO_ADDRESS = failed("upnp", "UPnP 192.168.1.1", Refused("no external address"))
THEIRS = Listed(TCP, 25565, "192.168.1.44", 25565, 0, "Sunshine")
SEEN = BackendAnswer("stun", "STUN", 20, WORLD)
