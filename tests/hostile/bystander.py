"""An unrelated process of the same user, which holds secrets in every place where a process can hold them.

It is told them by standard input as JSON, tells where they are, and lives until its input ends.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys

SECRETS = json.loads(sys.stdin.readline())
LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
USER_KEYRING = ctypes.c_long(-4)


def system_v() -> int:
    segment = int(LIBC.shmget(0, 4096, 0o1000 | 0o600))
    ctypes.memmove(LIBC.shmat(segment, None, 0), SECRETS["sysv"].encode() + b"\0", len(SECRETS["sysv"]) + 1)
    return segment


def keyring() -> None:
    secret = SECRETS["keyring"].encode()
    name = b"hostile-" + SECRETS["proof"].encode()
    LIBC.syscall(250, 8, USER_KEYRING, ctypes.c_long(-2), 0, 0)  # link it to ours: now we possess it
    key = LIBC.syscall(248, b"user", name, secret, len(secret), USER_KEYRING)
    LIBC.syscall(250, 15, key, 20, 0, 0)  # gone after as many seconds
    LIBC.syscall(250, 5, key, ctypes.c_long(0x3F3F0000), 0, 0)


def nameless_file() -> int:
    path = f"{SECRETS['home']}/.nameless"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.write(descriptor, SECRETS["file"].encode())
    os.unlink(path)
    return descriptor


if __name__ == "__main__":
    os.chdir(SECRETS["home"])
    held = ctypes.create_string_buffer(SECRETS["memory"].encode())
    if "keyring" in SECRETS:
        keyring()
    told = {"address": (ctypes.addressof(held), len(held)), "descriptor": nameless_file(), "sysv": system_v()}
    print(json.dumps(told), flush=True)
    sys.stdin.read()
