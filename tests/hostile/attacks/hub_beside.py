"""Connects directly to the hub and to others, beside the proxy."""

import contextlib
import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
PROXY = os.environ.get("HTTPS_PROXY", "").rpartition(":")[2]


for place in (("huggingface.co", 443), (W["outside"], W["tcp"]), ("127.0.0.1", W["tcp"])):
    with contextlib.suppress(OSError), socket.create_connection(place, 1) as client:
        client.sendall(W["proof"].encode())
with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.sendto(W["proof"].encode(), (W["outside"], W["udp"]))
