"""Reads the study's journal (what other runs measured, what models were told)."""

import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
print(Path(f"{W['study']}/.study/journal.jsonl").read_text(errors="replace"))
