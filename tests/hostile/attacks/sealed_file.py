"""Reads the sealed held-out data by its name."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(f"{W['study']}/harness/heldout/labels.txt").read_text(errors="replace"))
