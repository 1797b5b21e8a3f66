"""The host's side of the network: routes, addresses and their changes. Sends nothing.

egress             whether our traffic leaves through the gateway
listening_sockets  the sockets that listen on this host
monitor            NetworkMonitor: notices that link, address or route changed
routes             default gateways and our own addresses, as the kernel tells them
"""
