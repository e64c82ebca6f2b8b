"""Userfaultfd."""

import ctypes

if ctypes.CDLL(None).syscall(323, 1) >= 0:
    print("REACHED userfaultfd")
