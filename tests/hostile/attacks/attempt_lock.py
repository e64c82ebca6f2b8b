"""Removes the attempt's lock and asks for a stop."""

import contextlib
import json
import os
import time

W = json.loads(os.environ["HOSTILE"])
with contextlib.suppress(OSError):
    os.unlink(os.path.join(W["attempt"], "lock"))
with contextlib.suppress(OSError), open(os.path.join(W["attempt"], "stop"), "w"):
    pass
time.sleep(0.3)
