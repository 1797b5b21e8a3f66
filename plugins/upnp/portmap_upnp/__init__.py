"""UPnP Internet Gateway Devices, IGD:1 and IGD:2: the backend `upnp`.

From bytes to backend: `ssdp`, `location`, `xmltree`, `description`, `soaperrors` and `soap` are pure; `transfer` and
`search` own the sockets; `discovery` finds a gateway; `gatekeeper` and `igd` let miniupnpc speak to it; `mapper`
decides.
"""

from portmap_upnp.backend import Upnp

__all__ = ["Upnp"]
