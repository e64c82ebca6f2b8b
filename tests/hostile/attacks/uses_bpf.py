"""Loads a BPF program."""

import ctypes
import struct

program = ctypes.create_string_buffer(struct.pack("<BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))  # return 0
license_ = ctypes.create_string_buffer(b"GPL")
attributes = struct.pack("IIQQ", 1, 2, ctypes.addressof(program), ctypes.addressof(license_)).ljust(120, b"\0")
if ctypes.CDLL(None).syscall(321, 5, ctypes.create_string_buffer(attributes), 120) >= 0:
    print("REACHED a BPF program")
