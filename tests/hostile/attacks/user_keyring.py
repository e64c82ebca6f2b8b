"""Reads a key from the user's kernel keyring."""

import ctypes
import json
import os

W = json.loads(os.environ["HOSTILE"])
system = ctypes.CDLL(None).syscall
ADD_KEY, KEYCTL, LINK, SEARCH, READ, USER, PROCESS = 248, 250, 8, 10, 11, -4, -2
system(KEYCTL, LINK, ctypes.c_long(USER), ctypes.c_long(PROCESS), 0, 0)
key = system(KEYCTL, SEARCH, ctypes.c_long(USER), b"user", b"hostile-" + W["proof"].encode(), 0)
content = ctypes.create_string_buffer(200)
if key > 0 and system(KEYCTL, READ, key, content, 200, 0) > 0:
    print(content.value.decode())
