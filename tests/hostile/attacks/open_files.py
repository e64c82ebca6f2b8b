"""Opens 6000 files."""

import contextlib
import os

files = []
with contextlib.suppress(OSError):
    for _ in range(6000):
        files.append(os.open("/dev/null", os.O_RDONLY))
if len(files) == 6000:
    print("REACHED 6000 open files")
