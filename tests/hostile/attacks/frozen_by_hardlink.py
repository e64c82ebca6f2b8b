"""Writes a frozen file through a hard link in its run folder."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
os.link(f"{W['study']}/harness/evaluate.py", f"{W['run']}/way")
with contextlib.suppress(OSError):
    os.chmod(f"{W['run']}/way", 0o666)
with open(f"{W['run']}/way", "w") as file:
    file.write("# mine\n")
