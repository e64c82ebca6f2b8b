"""Reads the key from /proc/PID/environ of the program that started it."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(f"/proc/{W['tool']}/environ").read_text(errors="replace"))
