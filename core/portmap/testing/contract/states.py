"""States to show to a publisher: nothing at all, one port, the same port elsewhere, all that a state can say.

Law: values only; every port here is one that any publisher may publish - open outside as inside, or to be followed.
"""

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from portmap.endpoints import Endpoints, OpenPort
from portmap.events import RecordChanged
from portmap.model import Protocol

FIRST_PORT, SECOND_PORT = 40123, 40456

_ADDRESS = IPv4Address("198.51.100.7")
_PORT = OpenPort(Protocol.TCP, 1, FIRST_PORT, _ADDRESS, "first", follow=True)

NOTHING = Endpoints()
FIRST = Endpoints((_PORT,), _ADDRESS, "a gateway")
SECOND = Endpoints((replace(_PORT, external_port=SECOND_PORT),), _ADDRESS, "a gateway")
LOST = Endpoints((), _ADDRESS, "a gateway")
FULL = Endpoints(
    (
        _PORT,
        OpenPort(Protocol.UDP, 53, 53, _ADDRESS, "naïve; rm -rf / $(reboot) 'x", static=True),
        OpenPort(Protocol.TCP, 65535, 65535, IPv6Address("2001:db8::7"), pinhole=True),
    ),
    _ADDRESS,
    "Ünïcode <gateway> '$(reboot)' & \"x\"\n\x00\x1b[31m\ud800",
    RecordChanged(seq=2**64 - 1, ip=_ADDRESS, tcp=FIRST_PORT, enr="enr:-IS4Q"),
)

STATES = {"nothing": NOTHING, "one port": FIRST, "nothing but the address": LOST, "all that it can say": FULL}
