"""`upnpc -a` once a minute, as people put it into cron: `python upnpc_in_cron.py HOST PORT`. Tells as JSON lines."""

import json
import subprocess
import sys
import time

MINUTE = 60.0
host, port = sys.argv[1:]
while True:
    words = ["upnpc", "-a", host, port, port, "tcp", "600"]
    done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        print(json.dumps({"event": "mapping.added", "protocol": "TCP", "external_port": int(port)}), flush=True)
    time.sleep(MINUTE)
