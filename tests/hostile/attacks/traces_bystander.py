"""Ptrace-attaches another process."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
ATTACH, DETACH, SEIZE = 16, 17, 0x4206
ptrace = ctypes.CDLL(None).ptrace
if ptrace(SEIZE, W["bystander"], None, None) == 0:
    print("REACHED a hold on another process", flush=True)
