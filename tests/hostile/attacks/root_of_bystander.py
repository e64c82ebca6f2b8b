"""Reads the home folder by /proc/PID/root and /proc/PID/cwd."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
for way in ("root" + W["home"], "cwd"):
    with contextlib.suppress(OSError):
        print(Path(f"/proc/{W['bystander']}/{way}/.ssh/id_rsa").read_text(errors="replace"))
