"""Becomes root in a user namespace of its own and mounts there."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
folder = f"{W['run']}/m"
os.mkdir(folder)
c = ctypes.CDLL(None)
if c.unshare(0x10000000) == 0:
    print("REACHED a user namespace", flush=True)
if c.unshare(0x00020000) == 0 and c.mount(b"none", folder.encode(), b"tmpfs", 0, b"size=1m") == 0:
    print("REACHED a mount in it", flush=True)
