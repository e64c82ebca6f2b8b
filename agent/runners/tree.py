"""Finding and killing everything below the calling process.

On Linux the caller is a *sub-reaper*: whatever its descendants do (setsid, double fork, parent exits), they stay in
its tree, because orphans become its children. So "waitpid says there is no child" means that nothing is left.
Each round goes down the tree and sends SIGKILL to every process, and to every process group, as soon as it is found,
before the next is looked for: who has the signal can fork no more, and a group gets it at one instant. That matters
against fork bombs: hundreds of them leave us little of the processor, and each one killed leaves us more. Rounds go
on until nothing is left.

Limits. A process that hangs inside the kernel (dead network disk, broken driver) cannot be killed: the rounds wait
for it. Elsewhere than on Linux there are no sub-reapers: a process that both leaves its session and loses its parent
escapes; only the sessions of the job's commands and what still hangs below them are killed there.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_CHILD_SUBREAPER = 36
PR_SET_DUMPABLE = 4
GRACE = 1.0  # seconds between SIGTERM and SIGKILL
POLL = 0.01
HAS_LISTS = os.path.exists(f"/proc/{os.getpid()}/task/{os.getpid()}/children")  # noqa: PTH110  of children; see there


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    group: int


def become_subreaper() -> None:
    if LINUX and ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER) failed")


def hide_from_children() -> None:
    """No process of the same user can read this one's memory and environment from now on; forks inherit that.

    A process with CAP_SYS_PTRACE still can, so the sandbox takes that away from jobs that run as root.
    """
    if LINUX:
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def reap(watched: dict[int, int | None]) -> bool:
    """Collect every child that has ended, note the wait status of the watched ones; is any child left?"""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        if pid in watched:
            watched[pid] = status


def kill_below(
    watched: dict[int, int | None],
    sessions: Collection[int] = (),
    grace: float = GRACE,
    hurried: Callable[[], bool] = lambda: False,
    spared: Collection[int] = (),
) -> int:
    """Kill everything below the caller and return when nothing is left; how many processes there were at first.

    `sessions` are the commands' sessions; they only matter where there is no sub-reaper. The grace ends early when
    `hurried` says so. `spared` get no SIGTERM: a sandbox's own process, whose end would be the end of all at once.
    """
    if not reap(watched) and LINUX:
        return 0
    if not grace or hurried():
        count, deadline = _kill_round(sessions), 0.0
    else:
        found = _below(os.getpid(), sessions)
        count, deadline = len(found), time.monotonic() + grace
        for process in found:
            if process.pid not in spared:
                _send(process.pid, signal.SIGTERM)
    while time.monotonic() < deadline and not hurried() and _something_left(watched, sessions):
        time.sleep(POLL)
    pause = 0.0
    while _something_left(watched, sessions):
        _kill_round(sessions)
        time.sleep(pause)
        pause = min(pause + 0.001, 0.05)  # at once against forkers, patient with what hangs in the kernel
    return count


def children(pid: int, threads: int = 2) -> list[int]:
    """Also those that have ended and were not collected. The kernel lists them by the thread that started them."""
    tasks: Sequence[object] = (pid,)
    with contextlib.suppress(OSError):
        tasks = tasks if threads == 1 else os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
    found: list[int] = []
    for task in tasks:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb", 0) as file:  # noqa: PTH123
            found += map(int, file.read().split())
    return found


def kill_marked(marker: str, grace: float = GRACE) -> bool:
    """Kill every process whose environment holds `marker` (NAME=value); True when none is seen any more.

    The last resort when launcher and reaper were killed together. Linux only; a process that has wiped its
    environment is not found.
    """
    deadline = time.monotonic() + grace
    while found := list(_marked(marker.encode())):
        if time.monotonic() > deadline:
            return False
        for pid in found:
            _send(pid, signal.SIGKILL)
        time.sleep(POLL)
    return True


def _something_left(watched: dict[int, int | None], sessions: Collection[int]) -> bool:
    return reap(watched) or (not LINUX and bool(_below(os.getpid(), sessions)))


def _kill_round(sessions: Collection[int]) -> int:
    """How many processes were killed, or at least asked to go."""
    killed: set[int] = set()
    groups = {0, 1, os.getpgrp()}  # commands have sessions of their own: any other below us holds only the job's
    waiting = children(os.getpid()) if HAS_LISTS else [process.pid for process in _below(os.getpid(), sessions)]
    while waiting:
        if (pid := waiting.pop()) in killed:
            continue
        killed.add(pid)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if (group := os.getpgid(pid)) not in groups:
                groups.add(group)
                os.killpg(group, signal.SIGKILL)
        _send(pid, signal.SIGKILL)
        if HAS_LISTS:
            waiting += children(pid)
    return len(killed)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):  # gone, or another user's by set-uid: the next round sees
        pass


def _below(root: int, sessions: Collection[int]) -> list[Process]:
    children: dict[int, list[Process]] = {}
    found: dict[int, Process] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
        if not LINUX and process.group in sessions:
            found[process.pid] = process
    waiting = [root, *found]
    while waiting:
        for process in children.get(waiting.pop(), ()):
            if process.pid not in found:
                found[process.pid] = process
                waiting.append(process.pid)
    return list(found.values())


def processes() -> Iterator[Process]:
    """All of the machine, but for those that have ended."""
    return _proc_table() if LINUX else _ps_table()


def _proc_table() -> Iterator[Process]:
    for pid in _pids():
        try:
            text = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:  # ended while we looked
            continue
        state, parent, group = text[text.rindex(b")") + 2 :].split(b" ", 3)[:3]
        if state not in b"ZX":
            yield Process(pid, int(parent), int(group))


def _ps_table() -> Iterator[Process]:
    listing = subprocess.run(["ps", "-axo", "pid=,ppid=,pgid=,stat="], capture_output=True, text=True, check=False)
    for line in listing.stdout.splitlines():
        pid, parent, group, state = (line.split() + ["Z"] * 4)[:4]
        if not state.startswith("Z") and pid.isdecimal():
            yield Process(int(pid), int(parent), int(group))


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208  a third of the time


def _marked(marker: bytes) -> Iterator[int]:
    for pid in _pids() if LINUX else ():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # ended, or another user's
            continue
        if pid != os.getpid() and marker in environment.split(b"\0"):
            yield pid
