"""Hold two ports with miniupnpc as it comes, and sleep: `python holding_miniupnpc.py PORT PORT`."""

import sys
import time

import miniupnpc

igd = miniupnpc.UPnP()
igd.discover()
igd.selectigd()
for port in map(int, sys.argv[1:]):
    igd.addportmapping(port, "TCP", igd.lanaddr, port, "bench", "", 600)
time.sleep(60)
