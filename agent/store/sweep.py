"""Takes the environment's keys out of what a job has left: contents, names and targets of links.

For the moment when nothing of the job is alive and before anybody reads or commits what it wrote. Links are never
followed, and a file is replaced, not changed, so that another name of it outside stays as it is. What the job has closed
to its own user is opened.
Costs one read of every file, and nothing where the environment holds no key.
Limits: as core.redact; attributes and times of files, and what lies deeper than a path can say, are not looked at.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent.core.redact import Stream, no_words, out_of, values
from agent.core.text import printable

_PIECE = 4 * 1024 * 1024
_LONGEST = 4096  # bytes of a path


def sweep(folder: Path, environment: Mapping[str, str]) -> list[str]:
    """The names, as they are now, of what held a key."""
    keys = no_words(values(environment))
    if not keys:
        return []
    root = os.fsencode(folder)
    found = [path for path in _below(root) if _clean(path, keys)]
    return sorted(printable(os.fsdecode(os.path.relpath(out_of(path, keys), root))) for path in found)


def _below(folder: bytes) -> list[bytes]:
    """Everything in a folder, what lies deeper first, so that a name may be changed once its turn has come."""
    found, waiting = list[bytes](), [folder]
    while waiting:
        path = waiting.pop()
        with contextlib.suppress(OSError):  # it is gone
            if not stat.S_ISDIR(mode := os.lstat(path).st_mode):
                continue
            _allow(path, mode, stat.S_IRWXU)
            with os.scandir(path) as entries:
                inside = [entry.path for entry in entries if len(entry.path) < _LONGEST]
            found += inside
            waiting += inside
    return found[::-1]


def _clean(path: bytes, keys: Sequence[bytes]) -> bool:
    """Whether there was anything to take out."""
    mode, found = os.lstat(path).st_mode, False
    if stat.S_ISLNK(mode):
        target = os.readlink(path)  # noqa: PTH115  names are bytes here
        if found := out_of(target, keys) != target:
            os.unlink(path)  # noqa: PTH108
            return True
    elif stat.S_ISREG(mode):
        _allow(path, mode, stat.S_IRUSR)
        if found := _holds(path, keys):
            _rewrite(path, stat.S_IMODE(mode), keys)
    folder, name = os.path.split(path)
    if (clean := out_of(name, keys)) != name:
        os.rename(path, _free(folder + b"/" + clean))  # noqa: PTH104
        found = True
    return found


def _holds(path: bytes, keys: Sequence[bytes]) -> bool:
    overlap = len(keys[0]) - 1  # the first is the longest
    with open(path, "rb") as file:  # noqa: PTH123
        text, piece_size = b"", min(_PIECE, os.fstat(file.fileno()).st_size + 1)
        while piece := file.read(piece_size):
            text = text[max(0, len(text) - overlap) :] + piece
            if any(key in text for key in keys):
                return True
    return False


def _rewrite(path: bytes, mode: int, keys: Sequence[bytes]) -> None:
    stream, new = Stream(keys, shapes=False), _free(os.path.split(path)[0] + b"/.swept")
    with open(path, "rb") as old, open(new, "xb") as file:  # noqa: PTH123
        while piece := old.read(_PIECE):
            file.write(stream.feed(piece))
        file.write(stream.end())
    os.chmod(new, mode)  # noqa: PTH101
    os.replace(new, path)  # noqa: PTH105


def _free(path: bytes) -> bytes:
    name, number = path, 1
    while os.path.lexists(name):
        number += 1
        name = b"%s-%d" % (path, number)
    return name


def _allow(path: bytes, mode: int, wanted: int) -> None:
    if mode & wanted != wanted:
        os.chmod(path, stat.S_IMODE(mode) | wanted)  # noqa: PTH101
