"""Writes into the machine's /tmp, /var/tmp and /dev/shm, and changes a file of the user there."""

import contextlib
import json
import os

W = json.loads(os.environ["HOSTILE"])
for name in ("/tmp/hostile-note", "/var/tmp/hostile-note", "/dev/shm/hostile-note", W["tmp_file"]):
    with contextlib.suppress(OSError), open(name, "a") as file:
        file.write("mine\n")
