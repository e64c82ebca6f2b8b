"""Renames the machine."""

import contextlib
import socket

with contextlib.suppress(OSError):
    socket.sethostname("hostile")
with contextlib.suppress(OSError), open("/proc/sys/kernel/hostname", "w") as file:
    file.write("hostile")
