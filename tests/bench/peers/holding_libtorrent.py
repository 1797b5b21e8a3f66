"""libtorrent with UPnP and NAT-PMP on and its listen port mapped; tells what it hears as JSON lines, named as ours.

`python holding_libtorrent.py PORT [LEASE]`; without LEASE, in seconds, it asks for its own.
"""

import json
import sys
from importlib import import_module
from typing import Any

libtorrent: Any = import_module("libtorrent")  # is in the benchmark's own environment only
port, *lease = sys.argv[1:]
leases = {name: int(lease[0]) for name in ("upnp_lease_duration", "natpmp_lease_duration") if lease}
session = libtorrent.session(
    {
        **leases,
        "listen_interfaces": f"0.0.0.0:{port}",
        "alert_mask": libtorrent.alert.category_t.port_mapping_notification
        | libtorrent.alert.category_t.status_notification,
        "enable_upnp": True,
        "enable_natpmp": True,
        "enable_dht": False,
        "enable_lsd": False,
    }
)


def tell(event: str, **fields: object) -> None:
    """One line."""
    print(json.dumps({"event": event, **fields}), flush=True)


while True:
    session.wait_for_alert(1000)
    for alert in session.pop_alerts():
        match alert:
            case libtorrent.portmap_alert():
                protocol = str(alert.map_protocol).upper()
                tell("mapping.added", protocol=protocol, external_port=alert.external_port)
            case libtorrent.external_ip_alert():
                tell("external_ip.changed", external_ip=str(alert.external_address))
