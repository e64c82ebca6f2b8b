"""Asks the hub for another port than that of HTTPS."""

import contextlib
import json
import os
import socket
import ssl

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


def hello(name):
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


with contextlib.suppress(OSError), tunnel(f"huggingface.co:{W['tcp']}") as client:
    client.sendall(hello("huggingface.co") + W["proof"].encode())
