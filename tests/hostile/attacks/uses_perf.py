"""Perf_event_open on itself."""

import ctypes
import struct

attributes = struct.pack("IIQ", 1, 120, 0).ljust(40, b"\0") + struct.pack("Q", 1 << 5 | 1 << 6)
event = ctypes.create_string_buffer(attributes.ljust(120, b"\0"))
if ctypes.CDLL(None).syscall(298, event, 0, -1, ctypes.c_long(-1), 0) >= 0:
    print("REACHED perf events")
