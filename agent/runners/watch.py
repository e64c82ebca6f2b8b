"""What a tree of processes uses: memory and processes, read from /proc. What it stores is in stored.py.

Memory of a process is what it took from the machine and can only be freed by ending it: anonymous pages, swapped ones
too, and shared memory. Pages of files do not count; the kernel can drop them. There are two ways to add it up:

    quick   /proc/PID/status, 14 µs. Pages that processes share (a fork, shared memory) count in each: an upper bound
    exact   /proc/PID/smaps_rollup, 0.1 ms and about 18 ms for each GB of small pages. Each page counts once

Limits: Linux. Not seen are memory of a GPU, hugetlbfs and the kernel's own. A process that is reparented during a look
may be missed by that look. The numbers of /proc/PID/status may be off by some MB on machines with many cores.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from agent.runners import tree

KIB = 1024
KCMP_VM = 1
KCMP = {"x86_64": 312, "aarch64": 272}.get(os.uname().machine)

_LIBC = ctypes.CDLL(None)
_STATUS = re.compile(rb"^(PPid|VmSwap|RssAnon|RssShmem|Threads):\s+(\d+)", re.MULTILINE)
_ROLLUP = re.compile(rb"^(Pss|Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+)", re.MULTILINE)


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
    numbers = dict(_STATUS.findall(read(f"/proc/{pid}/status")))
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
    size = {name: int(kib) * KIB for name, kib in _ROLLUP.findall(read(f"/proc/{seen.pid}/smaps_rollup"))}
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


def oom_kills() -> int:
    """How often the kernel has killed for want of memory, on this machine, since it started; 0 if it does not say."""
    found = re.search(rb"^oom_kill (\d+)", read("/proc/vmstat"), re.MULTILINE)
    return int(found[1]) if found else 0


def read(path: str) -> bytes:
    """b"" when it is gone, or not for us."""
    try:
        with open(path, "rb", 0) as file:  # noqa: PTH123  a third of the time
            return file.read()
    except OSError:
        return b""
