"""Reads the key from /proc/PID/environ of an unrelated process of the user."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(f"/proc/{W['bystander']}/environ").read_text(errors="replace"))
