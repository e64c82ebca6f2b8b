"""Appends a better result to the journal."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
with open(f"{W['study']}/.study/journal.jsonl", "a") as file:
    file.write('{"type": "run_accepted", "run": "run_1"}\n')
