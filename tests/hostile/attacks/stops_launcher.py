"""SIGSTOP to its launcher, so that no limit is kept."""

import contextlib
import json
import os
import signal
import time

W = json.loads(os.environ["HOSTILE"])
line = [os.getppid()]
with contextlib.suppress(OSError):
    while line[-1] > 1:
        with open(f"/proc/{line[-1]}/stat") as file:
            line.append(int(file.read().rpartition(")")[2].split()[1]))
for pid in [W["tool"], *reversed([pid for pid in line if pid > 1])]:
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGSTOP)
time.sleep(3)
