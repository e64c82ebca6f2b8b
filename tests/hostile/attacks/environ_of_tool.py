"""Reads the key from /proc/PID/environ of the program that started it."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
told = Path(f"/proc/{W['tool']}/environ").read_bytes()
Path(W["run"], "told").write_bytes(told)  # the logs would not show it
