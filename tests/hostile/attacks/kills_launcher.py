"""SIGKILL to its launcher and reaper."""

import contextlib
import json
import os
import signal
import time

W = json.loads(os.environ["HOSTILE"])
LINES = [os.getppid()]
while LINES[-1] > 1:
    with open(f"/proc/{LINES[-1]}/stat") as file:
        LINES.append(int(file.read().rpartition(")")[2].split()[1]))
for pid in [W["tool"], *reversed([pid for pid in LINES if pid > 1])]:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGKILL)
time.sleep(0.5)
