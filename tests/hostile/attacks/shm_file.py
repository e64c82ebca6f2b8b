"""Reads another process's file in /dev/shm."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(W["shm_file"]).read_text(errors="replace"))
