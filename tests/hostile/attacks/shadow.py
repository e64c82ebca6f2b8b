"""Reads /etc/shadow and another user's private file."""

import contextlib
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
for name in ("/etc/shadow", W["private"]):
    with contextlib.suppress(OSError):
        print(Path(name).read_text(errors="replace"))
