"""What holds for every PCP answer of the simulated router, mapping or pinhole: refusals, lifetimes, addresses.

Pure. Where the RFC (6887) leaves room it does as miniupnpd: lifetimes from 120 s to a day.
"""

from ipaddress import IPv4Address, IPv6Address

from portmap.simulator.pcp.packets import Map, OptionCode, PcpResult

LEAST, MOST = 120, 86400  # seconds that a mapping may last: §15
SHORT, LONG = 30, 1800  # seconds that an error holds: §7.4
SHORT_LIVED = {
    PcpResult.NETWORK_FAILURE,
    PcpResult.NO_RESOURCES,
    PcpResult.USER_EX_QUOTA,
    PcpResult.CANNOT_PROVIDE_EXTERNAL,
}
NOWHERE = (IPv6Address("::"), IPv6Address("::ffff:0.0.0.0"))  # §5: "no address" in either family


class PcpRefusal(Exception):
    """The request is refused. `lifetime`: how long that holds, None for what is usual for the result.

    `address`: the external address that the answer states all the same.
    """

    def __init__(self, result: int, lifetime: int | None = None, address: IPv4Address | None = None) -> None:
        super().__init__(result)
        self.result = result
        self.lifetime = lifetime
        self.address = address


def error_lifetime(refusal: PcpRefusal) -> int:
    """For how many seconds a refusal holds."""
    if refusal.lifetime is not None:
        return refusal.lifetime
    return SHORT if refusal.result in SHORT_LIVED else LONG


def clamped(lifetime: int) -> int:
    """What is granted of a lifetime."""
    return max(LEAST, min(lifetime, MOST))


def prefers_failure(request: Map) -> bool:
    """Whether the client wants just what it suggests, or nothing (§13.2)."""
    return any(option.code == OptionCode.PREFER_FAILURE for option in request.options)


def suits(request: Map, port: int | None, address: IPv6Address) -> bool:
    """Whether this is what the client suggests."""
    return request.external_port in (0, port) and request.external_ip in (*NOWHERE, address)


def to_wire(address: IPv4Address | str) -> IPv6Address:
    """An address as PCP writes it: IPv4 in the mapped form (§5), IPv6 as it is, without a zone."""
    text = str(address).partition("%")[0]
    return IPv6Address(text if ":" in text else f"::ffff:{text}")
