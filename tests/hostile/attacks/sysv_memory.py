"""Attaches another process's System V shared memory."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
c = ctypes.CDLL(None)
c.shmat.restype = ctypes.c_void_p
at = c.shmat(W["sysv"], None, 0o10000)
if at not in (None, ctypes.c_void_p(-1).value):
    print(ctypes.string_at(at).decode())
