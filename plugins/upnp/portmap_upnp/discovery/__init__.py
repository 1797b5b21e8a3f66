"""Finds a gateway: search, description, the service to use.

description  device description -> services; pure
discover     search or known URL -> gateway
search       the SSDP search, IPv4 and IPv6
ssdp         M-SEARCH and NOTIFY datagrams; pure
"""
