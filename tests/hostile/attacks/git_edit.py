"""Edits .git: a hook, the index, a ref."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in ("hooks/post-checkout", "HEAD", "config"):
    with contextlib.suppress(OSError), open(os.path.join(W["study"], ".git", name), "a") as file:
        file.write("\n#!/bin/sh\n")
