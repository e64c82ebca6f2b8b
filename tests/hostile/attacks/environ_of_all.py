"""Reads every /proc/*/environ that it can."""

import contextlib
import os
from pathlib import Path

for name in [*map(str, range(1, 400)), *os.listdir("/proc")]:
    if name.isdecimal():
        with contextlib.suppress(OSError):
            print(Path(f"/proc/{name}/environ").read_text(errors="replace"))
