"""Opens another process's deleted file by /proc/PID/fd, and pidfd_getfd."""

import contextlib
import ctypes
import json
import os
from pathlib import Path

W = json.loads(os.environ["HOSTILE"])
number = W["descriptor"]
with contextlib.suppress(OSError):
    print(Path(f"/proc/{W['bystander']}/fd/{number}").read_text(errors="replace"))
system = ctypes.CDLL(None).syscall
mine = system(438, system(434, W["bystander"], 0), number, 0)  # pidfd_getfd, pidfd_open
if mine >= 0:
    print(os.pread(mine, 1000, 0).decode())
