"""Writes a frozen file through a symlink in its run folder."""

import json
import os

W = json.loads(os.environ["HOSTILE"])
os.symlink(f"{W['study']}/harness/evaluate.py", f"{W['run']}/way")
with open(f"{W['run']}/way", "w") as file:
    file.write("# mine\n")
