"""Probes: each collects facts about the host or the gateway, and judges nothing.

backends  ask every backend at once
beyond    the gateway beyond the router
firewall  this host's firewall
nat_type  how the NAT maps and filters
network   routes, interfaces, container bridge
trial     --try: map the port and remove it
reachability  can the ports be reached from outside
"""
