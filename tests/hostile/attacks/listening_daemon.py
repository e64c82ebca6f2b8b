"""Leaves a listening daemon behind."""

import json
import os
import socket
import time

W = json.loads(os.environ["HOSTILE"])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(0.6)
        server = socket.create_server(("0.0.0.0", W["daemon"]))
        until = time.monotonic() + 30
        server.settimeout(30)
        while time.monotonic() < until:
            client, _ = server.accept()
            client.sendall(W["proof"].encode())
            client.close()
    os._exit(0)
