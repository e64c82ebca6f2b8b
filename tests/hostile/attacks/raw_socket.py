"""Opens raw and packet sockets."""

import contextlib
import socket

for family, kind, protocol in (
    (socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
    (socket.AF_PACKET, socket.SOCK_RAW, 0),
):
    with contextlib.suppress(OSError), socket.socket(family, kind, protocol):
        print("REACHED a raw socket")
