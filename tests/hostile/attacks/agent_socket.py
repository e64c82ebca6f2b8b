"""Talks to an ssh-agent's socket in /tmp."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.socket(socket.AF_UNIX) as client:
    client.connect(W["agent_socket"])
    client.sendall(W["proof"].encode())
