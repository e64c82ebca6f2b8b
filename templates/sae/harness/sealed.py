"""Keeps a method's own code away from what it is scored with: Landlock, for this process and all that it starts.

`keep_out(folder, scratch)`: from now on no file below `folder` can be read and no file written but below `scratch`. There is
no way back. Returns False where the system has no Landlock (other systems than Linux, Linux before 5.13).
Limits: names and sizes can still be seen. It takes nothing away that a sandbox around the whole program does not; and by
hand, without one, the method's code has read the folder already if it wanted to, when it trained.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from pathlib import Path

EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1, 2, 4, 8
OF_FOLDERS = sum(1 << bit for bit in range(4, 13))  # make and remove entries of all kinds
REFER, TRUNCATE = 1 << 13, 1 << 14
_CREATE, _ADD, _RESTRICT = 444, 445, 446  # on all architectures
_NO_NEW_PRIVILEGES, _DUMPABLE = 38, 4


def keep_out(folder: Path, scratch: Path) -> bool:
    if not sys.platform.startswith("linux") or (version := _call(_CREATE, None, 0, 1)) < 1:
        return False
    writing = WRITE_FILE | OF_FOLDERS | (REFER if version >= 2 else 0) | (TRUNCATE if version >= 3 else 0)
    handled = struct.pack("=Q", READ_FILE | writing)
    rules = _call(_CREATE, handled, len(handled), 0)
    if rules < 0:
        return False
    for path in all_but(folder.resolve()):
        _allow(rules, path, READ_FILE)
    _allow(rules, scratch.resolve(), READ_FILE | writing)
    _allow(rules, Path(os.devnull), READ_FILE | WRITE_FILE)
    ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = _call(_RESTRICT, rules, 0)
    os.close(rules)
    return done == 0


def all_but(folder: Path) -> list[Path]:
    """The fewest paths that hold everything but `folder`: the other entries of each folder on the way to it."""
    found = []
    for inner in (folder, *folder.parents):
        if inner == inner.parent:
            break
        with contextlib.suppress(OSError):
            found += [entry for entry in inner.parent.iterdir() if entry != inner and not entry.is_symlink()]
    return found


def hide_memory() -> None:
    """No other process of this user may look into this one's memory, or at its open files."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_DUMPABLE, 0, 0, 0, 0)


def _allow(rules: int, path: Path, rights: int) -> None:
    """Nothing is allowed for a path that is not there, or that cannot be opened: it could not be read anyway."""
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not path.is_dir():
        rights &= EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
    _call(_ADD, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
    os.close(descriptor)


def _call(number: int, *arguments: int | bytes | None) -> int:
    """A system call; -1 if the kernel refuses it."""
    return ctypes.CDLL(None).syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in (number, *arguments)))
