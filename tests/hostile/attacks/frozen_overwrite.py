"""Overwrites the frozen harness and template.toml."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in ("harness/evaluate.py", "harness/__init__.py", "template.toml", "experiment.py"):
    with contextlib.suppress(OSError), open(os.path.join(W["study"], name), "w") as file:
        file.write("# mine\n")
