"""Writes its own good outcome into status.json and ends badly."""

import json
import os
import sys
import time

W = json.loads(os.environ["HOSTILE"])
forged = {
    "state": "ended",
    "pid": 1,
    "host": os.uname().nodename,
    "started": time.time(),
    "heartbeat": time.time(),
    "command": "experiment",
    "outcome": {"ending": "finished", "exit_code": 0, "seconds": 1.0, "detail": "FORGED"},
}
new = os.path.join(W["attempt"], "new")
with open(new, "w") as file:
    json.dump(forged, file)
os.replace(new, os.path.join(W["attempt"], "status.json"))
time.sleep(0.5)
sys.exit(3)
