"""UPnP Internet Gateway Devices, IGD:1 and IGD:2: the backend `upnp`.

From bytes to backend: `ssdp`, `gena`, `location`, `xmltree`, `description`, `soaperrors` and `soap` are pure;
`transfer` and `search` own the sockets; `discovery` finds a gateway; `gatekeeper` and `igd` let miniupnpc speak to it,
for as long as `talks` has it; `mapper` decides, by `marks` and `neighbour` whose an entry is. `ear`, `doorbell` and
`events` hear what the gateway says unasked, and `watch` judges it.

IPv6 pinholes are a backend of their own, `pinholes`: `location6` and `firewall` are pure but for the one call,
`search6` owns sockets, `discovery6` finds. miniupnpc has no part in it: `firewall` says why.
"""

from portmap_upnp.backend import Upnp

__all__ = ["Upnp"]
