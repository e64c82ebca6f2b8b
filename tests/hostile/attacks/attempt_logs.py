"""Empties its logs after writing what it would hide."""

import contextlib
import json
import os
import sys
import time

W = json.loads(os.environ["HOSTILE"])
print("WHAT IT WOULD HIDE", flush=True)

time.sleep(0.4)
for name in ("stdout.log", "stderr.log"):
    with contextlib.suppress(OSError):
        os.truncate(os.path.join(W["attempt"], name), 0)
        os.unlink(os.path.join(W["attempt"], name))
sys.exit(0)
