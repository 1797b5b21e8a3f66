"""One session that holds many mappings and renews them all at once: seconds and CPU seconds of this process, as JSON.

`python holding_thousand.py pmp GATEWAY:PORT STATE COUNT` or `… upnp DESCRIPTION-URL STATE COUNT`
"""

import json
import sys
import time
from ipaddress import IPv4Address

import portmap
from portmap.backends.load import load
from portmap.backends.nat import Nat
from portmap.events import PortRenewed
from portmap.loop.inbox import NetworkAlert
from portmap_natpmp import NatPmp

FIRST_PORT = 20000


def gateway(spec: str, where: str) -> Nat:
    """The door to it; NAT-PMP's spec knows no ports."""
    if spec == "upnp":
        return load(f"upnp:{where}")
    address, _, port = where.partition(":")
    return Nat(NatPmp(IPv4Address(address), int(port)), "pmp")


def main() -> None:
    """Make all, renew all, tell."""
    spec, where, state, count = sys.argv[1:]
    ports = [str(port) for port in range(FIRST_PORT, FIRST_PORT + int(count))]
    told = {}
    begun, cpu = time.monotonic(), time.process_time()
    with portmap.open(gateway(spec, where), ports, lease=3600, state=state) as session:
        session.wait(200)
        told["made"], told["made_cpu"] = time.monotonic() - begun, time.process_time() - cpu
        events = session.events()
        begun, cpu = time.monotonic(), time.process_time()
        session._paths[0]._inbox.put(NetworkAlert("a renewal round"))
        left = len(ports)
        while left:
            left -= isinstance(next(events), PortRenewed)
        told["renewed"], told["renewed_cpu"] = time.monotonic() - begun, time.process_time() - cpu
    print(json.dumps(told))


if __name__ == "__main__":
    main()
