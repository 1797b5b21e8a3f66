"""UPnP IGD: mappings and IPv6 pinholes.

argument           `upnp:ARGUMENT`
backend            the backend `upnp`
gateway_session    GatewaySession: the gateway in use, found again when calls fail
http               one bounded HTTP exchange with a gateway
location           Location: a vetted http URL, IPv4 and IPv6
miniupnpc_backend  the backend `miniupnpc`: the same, with the C library as SOAP client; by name only
pinhole_backend    its IPv6 firewall, as a backend
xml_tree           bounded XML parser, no DTD
control/           UPnP actions
discovery/         Finds a gateway
mapping/           Opens and closes a port, and tells whose entry is whose
notifications/     Notices that the gateway restarted or changed
"""

from portmap_upnp.backend import Upnp

__all__ = ["Upnp"]
