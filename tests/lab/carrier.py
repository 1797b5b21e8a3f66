"""What the router of the lab can be made to be: a provider's NAT of three kinds. It speaks no mapping protocol.

Full cone: it maps a port to the same port, and lets in packets of every host. Restricted cone: the same, but only hosts
that were sent to may answer. Symmetric: another port for each destination.
"""

from tests.lab.lab import HOST, Lab

FULL_CONE = """
    add rule inet filter prerouting iifname "wan" ip protocol { tcp, udp } dnat ip to HOST
    insert rule inet filter forward iifname "wan" ip protocol { tcp, udp } accept
"""
RESTRICTED_CONE = ""
SYMMETRIC = """
    flush chain inet filter postrouting
    add rule inet filter postrouting oifname "wan" masquerade fully-random
"""


def become(lab: Lab, kind: str, host: str = HOST) -> None:
    """Make the lab's router that kind of NAT, of which `host` is the only customer."""
    lab.router.run(["nft", "-f", "-"], stdin=kind.replace("HOST", host))
