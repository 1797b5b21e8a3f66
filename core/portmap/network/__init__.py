"""The host's side of the network: routes, addresses and their changes. Sends nothing, but to look up a host's name.

egress             whether our traffic leaves through the gateway
interface          one interface, by its name: its gateways, its addresses
listening_sockets  the sockets that listen on this host
lan_hosts          LanHosts: the address of another host of our network that a mapping may lead to
monitor            NetworkMonitor: notices that link, address or route changed
name_lookup        NameLookup: the addresses of a host's name, within a time limit
netlink            links, addresses and routes, as the kernel lists them
routes             default gateways and our own addresses, as the kernel tells them
"""
