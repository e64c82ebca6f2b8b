"""Connects to a service on 127.0.0.1 and ::1 of the machine."""

import contextlib
import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
for address in ("127.0.0.1", "::1"):
    with contextlib.suppress(OSError), socket.create_connection((address, W["tcp"]), 1) as client:
        client.sendall(W["proof"].encode())
