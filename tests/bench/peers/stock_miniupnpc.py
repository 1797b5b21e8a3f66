"""Map one TCP port with miniupnpc as it comes: `python stock_miniupnpc.py PORT`."""

import sys

import miniupnpc

port = int(sys.argv[1])
igd = miniupnpc.UPnP()
igd.discover()
igd.selectigd()
igd.addportmapping(port, "TCP", igd.lanaddr, port, "bench", "", 600)
