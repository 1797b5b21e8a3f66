"""UPnP IGD: mappings and IPv6 pinholes.

backend          the backend `upnp`
contact          Whom we talk to, as the hooks' thread and the watch's thread share it; values only
discovery6       From an IPv6 search, or from one known URL, to the firewall of a gateway
gateway_session  GatewaySession: the gateway in use, found again when calls fail
http             one bounded HTTP exchange with a gateway
location         Location: a vetted http URL, IPv4 and IPv6
location6        Where a device says by IPv6 that it can be reached, and whether we go there; pure
neighbour        Whether somebody lives at an address of the LAN
pinhole_backend  its IPv6 firewall, as a backend
search6          The SSDP search by IPv6, for who opens pinholes: thin sockets
xml_tree         bounded XML parser, no DTD
control/         UPnP actions
discovery/       Finds a gateway
mapping/         Opens and closes a port, and tells whose entry is whose
notifications/   Notices that the gateway restarted or changed
"""

from portmap_upnp.backend import Upnp

__all__ = ["Upnp"]
