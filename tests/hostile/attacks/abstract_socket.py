"""Talks to an abstract Unix socket of the machine."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.socket(socket.AF_UNIX) as client:
    client.connect("\0hostile-abstract")
    client.sendall(W["proof"].encode())
