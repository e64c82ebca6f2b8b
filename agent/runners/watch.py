"""What a tree of processes uses: memory, processes and disk, read from /proc and from the folders it may write.

Memory of a process is what it took from the machine and can only be freed by ending it: anonymous pages, swapped ones
too, and shared memory. Pages of files do not count; the kernel can drop them. There are two ways to add it up:

    quick   /proc/PID/status, 14 µs. Pages that processes share (a fork, shared memory) count in each: an upper bound
    exact   /proc/PID/smaps_rollup, 0.1 ms and about 18 ms for each GB of small pages. Each page counts once

Disk is st_blocks: a sparse file counts what it uses, a file with several names once, a link not at all. Files that
were deleted while the job holds them open for writing are found in /proc/PID/fd. Every name counts as a file. A folder
that the job has closed to its own user is opened again, and stays so: we are its owner, too. If it is closed once more
before we could look, that is noted.

Limits: Linux (disk: everywhere). Not seen are: memory of a GPU, hugetlbfs and the kernel's own; files in the machine's
/dev/shm that no process of the job has open or mapped; what is moved about while we count. A process that is reparented
during a look may be missed by that look. The numbers of /proc/PID/status may be off by some MB on machines with many
cores.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.runners import tree

KIB = 1024
SMALLEST_FOLDER = 4096  # what a folder counts at least: a million of them must not be free
SMALLEST_IN_MEMORY = 1024  # what an empty file in a tmpfs takes of the kernel's memory
LOOK = stat.S_IRUSR | stat.S_IXUSR  # what the owner needs to see what is in a folder
LONGEST_NAME = 3500  # bytes of a path that the kernel takes at once (4096), with some room
PIECE = 128  # files between two chances to pause
KCMP_VM = 1
KCMP = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine)

_LIBC = ctypes.CDLL(None)
_STATUS = re.compile(rb"^(PPid|VmSwap|RssAnon|RssShmem|Threads):\s+(\d+)", re.MULTILINE)
_ROLLUP = re.compile(rb"^(Pss|Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+)", re.MULTILINE)
_TMPFS = re.compile(rb"^\d+ \d+ (\d+):(\d+) \S+ (\S+) .*? - tmpfs ", re.MULTILINE)
_ESCAPED = re.compile(rb"\\(\d{3})")


class Seen(NamedTuple):
    """One process at one moment. Bytes. One that has ended and was not yet collected has no memory."""

    pid: int
    parent: int
    threads: int
    private: int  # anonymous, swapped included
    shared: int  # shared memory

    @property
    def memory(self) -> int:
        return self.private + self.shared


def below(root: int, most: int | None = None, lists: bool = tree.HAS_LISTS) -> list[Seen]:
    """All processes below `root`; the walk ends early when there are more than `most`. `lists`: the kernel keeps some."""
    children = tree.children if lists else _scanned()
    found: dict[int, Seen] = {}
    top = _look_at(root)
    waiting = children(root, top.threads) if top else []
    while waiting and (most is None or len(found) <= most):
        pid = waiting.pop()
        if pid not in found and (seen := _look_at(pid)):
            found[pid] = seen
            waiting += children(pid, seen.threads)
    return list(found.values())


def _look_at(pid: int) -> Seen | None:
    numbers = dict(_STATUS.findall(_read(f"/proc/{pid}/status")))
    if not numbers:
        return None  # ended while we looked
    size = {name: int(number) * KIB for name, number in numbers.items()}
    private = size.get(b"RssAnon", 0) + size.get(b"VmSwap", 0)
    return Seen(pid, int(numbers[b"PPid"]), int(numbers[b"Threads"]), private, size.get(b"RssShmem", 0))


def _scanned() -> Callable[[int, int], list[int]]:
    """tree.children for a kernel that keeps no lists: from all of /proc."""
    table: dict[int, list[int]] = {}
    for process in tree.processes():
        table.setdefault(process.parent, []).append(process.pid)
    return lambda pid, threads: table.get(pid, [])


def quick(processes: Iterable[Seen], held: int = 0) -> int:
    """An upper bound of `exact` that costs nothing more."""
    seen = list(processes)
    return sum(one.private for one in seen) + max(sum(one.shared for one in seen), held)


def exact(processes: Iterable[Seen], held: int = 0, limit: int | None = None) -> int:
    """Memory of the processes together, each page once; the largest are measured first.

    `held` is what lies in files in memory: most of it is mapped, too, so the larger of both numbers counts. Stops as
    soon as the sum is above `limit`. A process whose pages may not be read counts with its quick numbers.
    """
    ordered = sorted(processes, key=lambda seen: -seen.memory)
    known = {seen.pid: seen for seen in ordered}
    private = shared = 0
    for seen in ordered:
        if limit is not None and private + max(shared, held) > limit:
            break
        if seen.parent in known and _same_memory(seen, known[seen.parent]):
            continue  # between vfork and exec: it runs in its parent's memory
        mine = _proportional(seen)
        private, shared = private + mine[0], shared + mine[1]
    return private + max(shared, held)


def _proportional(seen: Seen) -> tuple[int, int]:
    size = {name: int(kib) * KIB for name, kib in _ROLLUP.findall(_read(f"/proc/{seen.pid}/smaps_rollup"))}
    if b"Pss_Anon" in size:
        return size[b"Pss_Anon"] + size.get(b"SwapPss", 0), size.get(b"Pss_Shmem", 0)
    if b"Pss" in size:  # Linux before 5.4: pages of files are in it
        return min(size[b"Pss"] + size.get(b"SwapPss", 0), seen.memory), 0
    now = _look_at(seen.pid)  # not for us to read; or, far more often, it has just ended
    return (now.private, now.shared) if now else (0, 0)


def _same_memory(one: Seen, other: Seen) -> bool:
    """Whether two processes share their address space, not only its pages."""
    if KCMP is None:
        return False
    return bool(_LIBC.syscall(KCMP, one.pid, other.pid, KCMP_VM, 0, 0) == 0)


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
            if _seen(os.lstat(root), root, None, root, into):
                waiting.append(root)
        while waiting:
            path = waiting.pop()
            try:
                with _opened(path) as folder, os.scandir(folder) as entries:
                    for number, entry in enumerate(entries):
                        if number % PIECE == 0:
                            yield
                        name = os.fsencode(entry.name)
                        with contextlib.suppress(FileNotFoundError):
                            if _seen(entry.stat(follow_symlinks=False), name, folder, root, into):
                                waiting.append(path + b"/" + name)
            except PermissionError:
                into.closed = True
            except OSError:  # it is gone
                pass
            yield


def _seen(info: os.stat_result, name: bytes, at: int | None, root: bytes, into: Stored) -> bool:
    """Count it; is it a folder to look into? One that is closed to us is opened first."""
    _count(info, into)
    if not stat.S_ISDIR(info.st_mode):
        return False
    if info.st_mode & LOOK != LOOK and tree.LINUX:
        with contextlib.suppress(PermissionError):  # another's
            _unlock(name, at, root)
    return True


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


def _unlock(name: bytes, at: int | None, root: bytes) -> None:
    """Let the owner of a folder, us, look into it again; only if it lies in `root`, whatever was renamed meanwhile."""
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
    found = _TMPFS.findall(_read(f"/proc/{process}/mountinfo"))
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


def oom_kills() -> int:
    """How often the kernel has killed for want of memory, on this machine, since it started; 0 if it does not say."""
    found = re.search(rb"^oom_kill (\d+)", _read("/proc/vmstat"), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(path: str) -> bytes:
    """b"" when it is gone, or not for us."""
    try:
        with open(path, "rb", 0) as file:  # noqa: PTH123  a third of the time
            return file.read()
    except OSError:
        return b""
