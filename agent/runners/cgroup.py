"""A control group (cgroup v2) for one job, where one may be made: the kernel holds what the watch can only see.

    memory.max, memory.swap.max   of the whole tree, at every instant; a little above the job's limit, so that the watch,
                                  which can say who used what, mostly comes first
    pids.max                      processes and threads
    cgroup.kill                   all of it at one instant, a fork bomb too

A leaf is made below our own group or the nearest one above it that hands memory and pids down to its children and that
we may write to: as root, or where systemd has delegated a part (`systemd-run --user --scope`). Nothing is switched on
for others. Where there is none, the watch alone holds the job.
Limits: Linux; version 1 and mixed hierarchies are not used; cgroup.kill needs Linux 5.14. If launcher and reaper are
killed at the same instant, an empty leaf stays behind.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

from agent.core.job import Limits
from agent.runners.sandbox import most_threads

ROOT = Path("/sys/fs/cgroup")
NAME = "ai-scientist-"
NEEDED = {"memory", "pids"}
_ROOM = 32 * 1024**2  # bytes, and a tenth of the limit: for what the kernel counts and the watch does not
_PATIENCE = 2.0


@dataclass(frozen=True)
class Leaf:
    """The group of one job. The job's processes go into it before they become the job's programs."""

    path: Path

    def enter(self) -> None:
        """The calling process, and all that it starts from now on."""
        _write(self.path / "cgroup.procs", "0")

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            _write(self.path / "cgroup.kill", "1")

    def kills_for_memory(self) -> int:
        return _count(self.path / "memory.events", "oom_kill")

    def close(self) -> None:
        """Kill what is left and remove it."""
        self.kill()
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError):
                try:
                    self.path.rmdir()
                except OSError:  # not empty yet
                    time.sleep(0.01)
                    continue
            return


def make(limits: Limits, root: Path = ROOT, own: str = "") -> Leaf | str:
    """A new leaf with the job's limits, or, in a few words, why there is none."""
    parent = find(root, own or _own())
    if isinstance(parent, str):
        return parent
    leaf = Leaf(parent / f"{NAME}{os.getpid()}-{os.urandom(4).hex()}")
    try:
        leaf.path.mkdir()
        for name, value in settings(limits).items():
            _write(leaf.path / name, value)
    except OSError as problem:
        leaf.close()
        return f"{leaf.path.parent} refuses one ({problem.strerror})"
    return leaf


def settings(limits: Limits) -> dict[str, str]:
    found: dict[str, str] = {}
    if limits.memory is not None:
        found |= {"memory.max": str(limits.memory + limits.memory // 10 + _ROOM), "memory.swap.max": "0"}
    if limits.processes is not None:
        found["pids.max"] = str(most_threads(limits.processes))
    return found


def find(root: Path, own: str) -> Path | str:
    """The group below which a leaf can be made. `own`: ours, as /proc/self/cgroup names it."""
    if not (root / "cgroup.controllers").exists():
        return "this machine has no control groups of version 2 alone"
    here = root / own.lstrip("/")
    for group in (here, *here.parents):
        if not group.is_relative_to(root):
            break
        if _words(group / "cgroup.subtree_control") >= NEEDED:
            allowed = all(os.access(path, os.W_OK) for path in (group, group / "cgroup.procs"))
            return group if allowed else f"{group} is not ours to write to"
    return "no group above this process hands memory and pids down"


def _own() -> str:
    """What follows `0::` is the group of version 2; without it there is none."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return "/"
    return next((line[3:] for line in lines if line.startswith("0::")), "/")


def _words(path: Path) -> set[str]:
    try:
        return set(path.read_text().split())
    except OSError:
        return set()


def _count(path: Path, name: str) -> int:
    try:
        rows = dict(line.split() for line in path.read_text().splitlines())
        return int(rows.get(name, 0))
    except (OSError, ValueError):
        return 0


def _write(path: Path, text: str) -> None:
    """In one write, as the kernel wants it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
