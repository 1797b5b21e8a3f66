"""Map one TCP port with py-natpmp as it comes: `python stock_natpmp.py GATEWAY PORT`."""

import sys

import natpmp

gateway, port = sys.argv[1], int(sys.argv[2])
natpmp.map_port(natpmp.NATPMP_PROTOCOL_TCP, port, port, 600, gateway_ip=gateway)
