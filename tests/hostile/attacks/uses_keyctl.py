"""Adds a key to the kernel's keyring."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
key = ctypes.CDLL(None).syscall(248, b"user", b"hostile-own-" + W["proof"].encode(), b"x", 1, ctypes.c_long(-2))
if key > 0:
    print("REACHED a key of its own in the kernel")
