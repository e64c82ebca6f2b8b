"""Reads a token on another process's command line."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
for name in [str(W["bystander"]), *os.listdir("/proc")]:
    if name.isdecimal():
        with contextlib.suppress(OSError):
            print(Path(f"/proc/{name}/cmdline").read_text(errors="replace"))
