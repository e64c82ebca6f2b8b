"""Mounts a file system over its study, chroots."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
folder = f"{W['run']}/m"
os.mkdir(folder)
if ctypes.CDLL(None).mount(b"none", folder.encode(), b"tmpfs", 0, b"size=1m") == 0:
    print("REACHED a mount", flush=True)
    ctypes.CDLL(None).umount2(folder.encode(), 2)
os.chroot(folder)
print("REACHED a root of its own", flush=True)
