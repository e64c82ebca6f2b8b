"""Writes /etc/cron.d, /etc/passwd and /usr/local/bin."""

import contextlib

for name in ("/etc/cron.d/hostile", "/etc/passwd", "/usr/local/bin/hostile", "/etc/ld.so.preload.d"):
    with contextlib.suppress(OSError), open(name, "a") as file:
        file.write("#\n")
