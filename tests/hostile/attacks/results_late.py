"""Leaves a process that writes splendid results after the evaluation."""

import json
import os
import signal
import time

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['run']}/weights.txt", "w") as file:
    file.write("1")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        until = time.monotonic() + 2
        while time.monotonic() < until:
            time.sleep(0.02)
            with open(f"{W['run']}/final_info.json", "w") as file:
                json.dump({"core": {"means": {"kl_nats": 424242.0}}}, file)
    os._exit(0)
