"""A simulated router and STUN server, for tests and the demo. Public names: `portmap.testing`.

handlers       RequestHandlers: request in, answers out, all protocols; no socket
loopback       a loopback address for each router
mapping_table  MappingTable and Entry
natpmp         NAT-PMP, server side
pinhole_table  PinholeTable and Pinhole
quirk_options  quirks as command-line options and as a table
quirk_sources  which routers have which quirk, and the source
quirks         Quirks: every misbehaviour, as data
received       Heard (counters) and Hearing (one request)
replay         Replay: plays a capture of a real router
router         Router: the simulated router
sockets        RouterSockets: opens and closes the ports, forwards, announces
state          RouterState: address, table, epoch, what is granted
stun_server    StunServer
net/           The simulator's sockets, timers and HTTP. Knows no protocol of gateways
pcp/           PCP, server side (RFC 6887)
upnp/          UPnP IGD, server side
"""
