"""The paths: none, static or loop, chosen by the kind that the backend declares.

loop_path     Kind.LOOP: the loop with network monitor and journal
none_path     Kind.NONE: consume the requests
path_setup    what a path starts with: backend, journal, event translation (IPv6: mapping -> pinhole)
port_mapping  setup_port_mapping and PortMapping: the running path
static_path   Kind.STATIC: announce address and ports, open nothing
"""
