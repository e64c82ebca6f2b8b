"""Has any capability, or may gain privileges by a program."""

import ctypes
import struct

c = ctypes.CDLL(None)
header, data = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0)), ctypes.create_string_buffer(24)
if c.syscall(125, header, data) == 0:  # capget
    effective, permitted, _, more, still_more, _ = struct.unpack("6I", data.raw)
    if effective | permitted | more | still_more:
        print("REACHED capabilities", data.raw.hex())
if c.prctl(39, 0, 0, 0, 0) != 1:
    print("REACHED a way to gain privileges: no_new_privs is not set")
