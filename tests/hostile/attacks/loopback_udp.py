"""Sends a datagram to a service on 127.0.0.1."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.sendto(W["proof"].encode(), ("127.0.0.1", W["udp"]))
