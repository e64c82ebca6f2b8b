"""Talks to /run/docker.sock."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.socket(socket.AF_UNIX) as client:
    client.connect("/run/docker.sock")
    client.sendall(W["proof"].encode())
