"""What a job stores: bytes and names, found in the folders that it may write and in what its processes hold open.

Disk is st_blocks: a sparse file counts what it uses, a file with several names once, a link not at all. Files that
were deleted while the job holds them open for writing are found in /proc/PID/fd. Every name counts as a file. A folder
that the job has closed to its own user is opened again, and stays so: we are its owner, too. If it is closed once more
before we could look, that is noted.

Limits: not seen are files in the machine's /dev/shm that no process of the job has open or mapped, and what is moved
about while we count. Elsewhere than on Linux only the folders are looked at, and closed ones stay closed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from agent.runners import tree
from agent.runners.watch import read

SMALLEST_FOLDER = 4096  # what a folder counts at least: a million of them must not be free
SMALLEST_IN_MEMORY = 1024  # what an empty file in a tmpfs takes of the kernel's memory
LOOK = stat.S_IRUSR | stat.S_IXUSR  # what the owner needs to see what is in a folder
LONGEST_NAME = 3500  # bytes of a path that the kernel takes at once (4096), with some room
PIECE = 128  # files between two chances to pause

_TMPFS = re.compile(rb"^\d+ \d+ (\d+):(\d+) \S+ (\S+) .*? - tmpfs ", re.MULTILINE)
_ESCAPED = re.compile(rb"\\(\d{3})")


class Stored:
    """A sum in the making."""

    def __init__(self) -> None:
        self.disk = 0
        self.names = 0  # of files, folders and whatever else has one
        self.closed = False  # a folder was closed again as soon as we had opened it
        self.memory = 0  # in files that live in memory and that the job holds open, or in tmpfs of its own
        self.files: set[tuple[int, int]] = set()  # that have several names or holders, and were counted


def store(roots: Sequence[str], processes: Sequence[int], into: Stored) -> Iterator[None]:
    """Add up all that the job stores, with a chance to pause after each step."""
    yield from _folders(roots, into)
    if processes:
        yield from _held(processes, {_device(root) for root in roots}, into)


def _folders(roots: Sequence[str], into: Stored) -> Iterator[None]:
    for root in map(os.fsencode, roots):
        waiting = []
        with contextlib.suppress(OSError):
            info = os.lstat(root)
            _count(info, into)
            if stat.S_ISDIR(info.st_mode):
                _unlock(info, root, None, root)
                waiting.append(root)
        while waiting:
            path = waiting.pop()
            try:
                with _opened(path) as folder, os.scandir(folder) as entries:
                    for number, entry in enumerate(entries):
                        if number % PIECE == 0:
                            yield
                        try:
                            info = entry.stat(follow_symlinks=False)
                        except FileNotFoundError:
                            continue
                        _count(info, into)
                        if stat.S_ISDIR(info.st_mode):
                            name = os.fsencode(entry.name)
                            _unlock(info, name, folder, root)
                            waiting.append(path + b"/" + name)
            except PermissionError:
                into.closed = True
            except OSError:  # it is gone
                pass
            yield


def _count(info: os.stat_result, into: Stored) -> None:
    into.names += 1
    size = info.st_blocks * 512
    if stat.S_ISDIR(info.st_mode):
        size = max(size, SMALLEST_FOLDER)
    elif info.st_nlink > 1:
        if (info.st_dev, info.st_ino) in into.files:
            return
        into.files.add((info.st_dev, info.st_ino))
    into.disk += size


@contextlib.contextmanager
def _opened(path: bytes) -> Iterator[int]:
    """A folder's descriptor, however long its path is; never through a link as last part."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    *firsts, last = _pieces(path)
    at: int | None = None
    for piece in [*firsts, last]:
        try:
            deeper = os.open(piece, flags, dir_fd=at)
        finally:
            if at is not None:
                os.close(at)
        at = deeper
    assert at is not None
    try:
        yield at
    finally:
        os.close(at)


def _unlock(seen: os.stat_result, name: bytes, at: int | None, root: bytes) -> None:
    """If a folder is closed to its owner, us, open it; only if it lies in `root`, whatever was renamed meanwhile."""
    if seen.st_mode & LOOK == LOOK or not tree.LINUX:
        return
    with contextlib.suppress(OSError):  # it is gone, or another's
        place = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        try:
            same = b"/proc/self/fd/%d" % place  # no name, which could become another's
            where = os.readlink(same)  # noqa: PTH115
            if where == root or where.startswith(root + b"/"):
                os.chmod(same, stat.S_IMODE(os.fstat(place).st_mode) | LOOK)  # noqa: PTH101
        finally:
            os.close(place)


def _pieces(path: bytes) -> list[bytes]:
    pieces = []
    while len(path) > LONGEST_NAME:
        cut = path.rindex(b"/", 1, LONGEST_NAME)
        pieces.append(path[:cut])
        path = path[cut + 1 :]
    return [*pieces, path]


def _held(processes: Iterable[int], disks: Collection[int], into: Stored) -> Iterator[None]:
    """Deleted files that are open for writing, files in memory that are open, and tmpfs of the job's own."""
    in_memory = {*(device for device, _ in _tmpfs("self")), _device("/dev/shm"), _anonymous_device()} - {*disks, 0}
    spaces, known = {_namespace("self")}, {device for device, _ in _tmpfs("self")}
    for pid in processes:
        if (space := _namespace(pid)) and space not in spaces:
            spaces.add(space)
            for device, where in _tmpfs(pid):
                if device not in known:
                    known.add(device)
                    into.memory += _filled(f"/proc/{pid}/root".encode() + where)
        with contextlib.suppress(OSError):
            for number, name in enumerate(os.listdir(f"/proc/{pid}/fd")):  # noqa: PTH208
                if number % PIECE == 0:
                    yield
                with contextlib.suppress(OSError):
                    _count_held(f"/proc/{pid}/fd/{name}", in_memory, into)
        yield


def _count_held(link: str, in_memory: Collection[int], into: Stored) -> None:
    info = os.stat(link)  # noqa: PTH116  thousands of them
    key = (info.st_dev, info.st_ino)
    if not stat.S_ISREG(info.st_mode) or key in into.files:
        return
    if info.st_dev in in_memory:
        into.files.add(key)
        into.memory += info.st_blocks * 512
    elif info.st_nlink == 0 and os.lstat(link).st_mode & stat.S_IWUSR:  # of the link: opened for writing
        into.files.add(key)
        into.names += 1  # it had one, and takes as much
        into.disk += info.st_blocks * 512


def _tmpfs(process: int | str) -> list[tuple[int, bytes]]:
    found = _TMPFS.findall(read(f"/proc/{process}/mountinfo"))
    return [(os.makedev(int(major), int(minor)), _ESCAPED.sub(_unescaped, where)) for major, minor, where in found]


def _unescaped(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 8) & 255])


def _filled(path: bytes) -> int:
    try:
        info = os.statvfs(path)
    except OSError:
        return 0
    return (info.f_blocks - info.f_bfree) * info.f_frsize + (info.f_files - info.f_ffree) * SMALLEST_IN_MEMORY


def _namespace(process: int | str) -> str:
    try:
        return str(Path(f"/proc/{process}/ns/mnt").readlink())
    except OSError:
        return ""


def _device(path: str) -> int:
    try:
        return Path(path).stat().st_dev
    except OSError:
        return 0


def _anonymous_device() -> int:
    """Where the kernel keeps files that were made by memfd_create; 0 elsewhere than on Linux."""
    if not hasattr(os, "memfd_create"):
        return 0
    try:
        descriptor = os.memfd_create("probe")
    except OSError:
        return 0
    try:
        return os.fstat(descriptor).st_dev
    finally:
        os.close(descriptor)
