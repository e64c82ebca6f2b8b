"""Raises its own limits again, then opens 6000 files."""

import contextlib
import os
import resource

for wanted in (20_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
    for hard in (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
files = []
with contextlib.suppress(OSError):
    for _ in range(6000):
        files.append(os.open("/dev/null", os.O_RDONLY))
if len(files) == 6000:
    print("REACHED 6000 open files")
