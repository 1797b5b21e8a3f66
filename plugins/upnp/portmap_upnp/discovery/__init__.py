"""Finds a gateway: search, description, the service to use.

answer_quota    how many answers to a search each sender may give
description     device description -> services; pure
discover        search or known URL -> gateway
search          the SSDP search, IPv4 and IPv6
search_sockets  the search's sockets
ssdp            M-SEARCH and NOTIFY datagrams; pure
"""
