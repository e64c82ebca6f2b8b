"""Process_vm_readv and /proc/PID/mem of an unrelated process."""

import ctypes
import json
import os
import re

W = json.loads(os.environ["HOSTILE"])
pid = W["bystander"]
address, size = W["address"]
buffer = ctypes.create_string_buffer(size)
pair = ctypes.c_size_t * 2
local, remote = pair(ctypes.addressof(buffer), size), pair(address, size)
if ctypes.CDLL(None).process_vm_readv(pid, local, 1, remote, 1, 0) > 0:
    print(buffer.value.decode())
with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
    memory.seek(address)
    print(re.findall(rb"PLANTED-[\w-]+", memory.read(size)))
