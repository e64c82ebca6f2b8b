"""Binds a port on all interfaces for others to connect to."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.create_server(("0.0.0.0", W["offered"])) as server:
    server.settimeout(1.5)
    client, _ = server.accept()
    client.sendall(W["proof"].encode())
    client.close()
