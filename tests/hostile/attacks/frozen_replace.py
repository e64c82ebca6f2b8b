"""Renames, deletes and replaces files of the harness."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
os.chdir(W["study"])
for change in (
    lambda: os.rename("harness/evaluate.py", "run_1/evaluate.py"),
    lambda: os.unlink("harness/__init__.py"),
    lambda: os.rename("harness", "harness.old"),
    lambda: os.mkdir("harness"),
    lambda: os.rename("run_1", "template.toml.d"),
):
    with contextlib.suppress(OSError):
        change()
