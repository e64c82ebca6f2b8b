"""Holds a job to its limits: when to measure, what has been seen, and the sentence when something is too much.

    memory, processes   at every tick of the launcher; more rarely when a look is dear, so that looking takes about 1 %
                        of a core, but at least every 0.5 s. Threads: THREADS_EACH for each process that is allowed
    disk, files         a walk takes at most 10 ms of a tick and rests for a second when it is through: 10 % of a core
                        while there are very many files, far less otherwise. Judged once more when the job has ended
    output              at every tick, and when the job has ended
    open files, the size of one file, no core dumps: by the kernel (`harden`), and so are cores, but a job can undo that

Nobody is killed on a guess: memory is added up exactly before a job is found guilty, and a sum of files that took long
to make must exceed twice in a row, because files come and go meanwhile.
Limits: what a job takes between two looks is seen at the second: a job that allocates 5 GB/s is 0.5 GB above its limit
when it dies. Where nothing can be measured (macOS: memory and processes), nothing is limited, and `usage` lacks it.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from agent.core.job import Job, Limits
from agent.runners import stored, tree, watch
from agent.runners.sandbox import OWN, TEMPORARY_FOLDER
from agent.runners.streams import CappedLog

NEAR = 0.9  # of the limit: from here on the quick sum is not trusted, it may be some MB too small
THREADS_EACH = 256
SHARE = 100  # a look at the tree pauses for so many times its own cost
LONGEST_PAUSE = 0.5
SLICE = 0.01  # seconds of a tick that a walk over the files may take
REST = 1.0  # between two walks
FIRST = 0.3  # seconds until the first walk: short jobs have only the last
SWIFT = 10  # slices: a walk that took no more is believed at once
LAST_LOOK = 2.0  # seconds for the walk after the end


class Meter:
    """Memory of a tree, measured when it matters: by the quick sum and how far that was off before."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.peak = 0
        self.excess = 0  # of the quick sum over the exact one, when both were last known
        self.measured_at, self.cost = -1e9, 0.0

    def read(self, seen: Sequence[watch.Seen], held: int, now: float) -> bool:
        """Whether the limit is certainly exceeded; `peak` is the most so far."""
        upper = watch.quick(seen, held)
        largest = max((one.memory for one in seen), default=0)
        used = upper if len(seen) <= 1 else max(upper - self.excess, largest)
        over = False
        if now >= self._due(upper, used, len(seen)):
            began = time.process_time()
            used = watch.exact(seen, held, self.limit)
            self.measured_at, self.cost = now, time.process_time() - began
            self.excess = upper - used
            over = self.limit is not None and used > self.limit
        elif len(seen) > 1:
            used = largest  # nothing is recorded that is only reckoned
        self.peak = max(self.peak, used)
        return over

    def _due(self, upper: int, used: int, processes: int) -> float:
        """When to measure: costs up to a quarter of a core while it looks bad, 5 % near the limit, else 1 %."""
        if self.limit is not None and used > self.limit:
            return self.measured_at + 3 * self.cost
        if self.limit is not None and upper > NEAR * self.limit:
            return self.measured_at + 20 * self.cost
        if processes > 1 and used > self.peak:
            return self.measured_at + max(0.3, SHARE * self.cost)
        return float("inf")


class Walk:
    """The sum of what a job stores, again and again, a slice at a time."""

    def __init__(self, folders: Sequence[str], limits: Limits) -> None:
        self.folders, self.limits = folders, limits
        self.peak, self.names = 0, 0  # bytes and names, the most so far
        self.held = 0  # bytes in files in memory, by the last walk that came to its end
        self.due = time.monotonic() + FIRST
        self.suspect = False  # the last walk found too much, but took long
        self.closed = self.hides = False  # in the last walk a folder was kept closed; in the last two
        self.sum, self.slices = stored.Stored(), 0
        self.steps: Iterator[None] | None = None

    def begin(self, pids: Sequence[int]) -> None:
        self.sum, self.slices = stored.Stored(), 0
        self.steps = stored.store(self.folders, pids, self.sum)

    def go_on(self, pids: Sequence[int], now: float) -> bool:
        """Walk for one slice; whether the limit is certainly exceeded."""
        if self.steps is None:
            if now < self.due:
                return False
            self.begin(pids)
        self.slices += 1
        through = self.step(SLICE)
        if self.excess():
            if self.suspect or self.slices <= SWIFT:
                self._note()
                return True
            self.suspect = True
            self.begin(pids)
        elif through:
            self.suspect, self.steps, self.due = False, None, now + REST
            self.held = self.sum.memory
            self._note()
            self.closed, self.hides = self.sum.closed, self.closed and self.sum.closed
        return self.hides

    def excess(self) -> str:
        """What the walk under way, or the last one, has found too much of."""
        if self.limits.disk is not None and self.sum.disk > self.limits.disk:
            return f"filled {size(self.sum.disk)} of disk; {size(self.limits.disk)} are allowed"
        if self.sum.names > self.limits.files:
            return f"made more than {self.limits.files} files; {self.limits.files} are allowed"
        if self.hides:
            return "closed folders again and again, so that what it stores cannot be counted"
        return ""

    def _note(self) -> None:
        self.peak, self.names = max(self.peak, self.sum.disk), max(self.names, self.sum.names)

    def step(self, seconds: float) -> bool:
        """Go on for so long; is the walk through?"""
        assert self.steps is not None
        end = time.perf_counter() + seconds
        return all(time.perf_counter() < end for _ in self.steps)

    def at_the_end(self) -> str:
        """One whole walk, now that nothing of the job is alive; what is too much."""
        self.begin(())
        self.step(LAST_LOOK)
        self._note()
        return self.excess()


class Watcher:
    """Of one job. `root` is the process below which everything belongs to it, but for the `wrappers` of its sandbox."""

    def __init__(self, job: Job, attempt: Path, root: int, outputs: Mapping[str, CappedLog], wrappers: int = 0) -> None:
        self.limits, self.root, self.outputs, self.wrappers = job.limits, root, outputs, wrappers
        self.memory, self.disk = Meter(job.limits.memory), Walk(roots(job, attempt), job.limits)
        self.seen: list[watch.Seen] = []
        self.processes = 0  # the most so far
        self.due = 0.0

    @property
    def usage(self) -> dict[str, float]:
        output = sum(log.total for log in self.outputs.values())
        used: dict[str, float] = {"disk": self.disk.peak, "files": self.disk.names, "output": output}
        return used | ({"memory": self.memory.peak, "processes": self.processes} if tree.LINUX else {})

    def look(self, command: str) -> str:
        """What is too much, as the beginning of a sentence; "" if nothing is."""
        now = time.monotonic()
        found = self._output()
        if not found and tree.LINUX and now >= self.due:
            began = time.process_time()
            found = self._tree(now)
            self.due = now + min(LONGEST_PAUSE, SHARE * (time.process_time() - began))
        if not found and self.disk.go_on([one.pid for one in self.seen], now):
            found = self.disk.excess()
        return f"'{command}' {found}" if found else ""

    def last_look(self, command: str) -> str:
        """The same when nothing of the job is alive any more and all of its output has been read."""
        too_full = self.disk.at_the_end()
        found = self._output() or too_full
        return f"'{command}' {found}" if found else ""

    def _output(self) -> str:
        for name, log in self.outputs.items():
            if log.total > self.limits.output:
                return f"wrote {size(log.total)} to {name}; {size(self.limits.output)} are allowed"
        return ""

    def _tree(self, now: float) -> str:
        most = self.limits.processes
        self.seen = watch.below(self.root, None if most is None else most + self.wrappers)
        count, threads = max(0, len(self.seen) - self.wrappers), sum(one.threads for one in self.seen)
        self.processes = max(self.processes, count)
        if most is not None and count > most:
            return f"had more than {most} processes at once; {most} are allowed"
        if most is not None and threads > most * THREADS_EACH:
            return f"had {threads} threads at once; {most * THREADS_EACH} are allowed"
        if self.memory.read(self.seen, self.disk.held, now):
            where = f"{count} processes" if count != 1 else "1 process"
            return f"used {size(self.memory.peak)} of memory in {where}; {size(self.limits.memory or 0)} are allowed"
        return ""


def roots(job: Job, attempt: Path) -> list[str]:
    """The folders and files that count as disk, none of them below another."""
    names = [str(attempt / name) for name in (*OWN, TEMPORARY_FOLDER)] + [
        name for c in job.commands for name in c.reach.writable
    ]
    kept: list[str] = []
    for name in sorted({os.path.realpath(name) for name in names}):
        if not any(Path(name).is_relative_to(above) for above in kept):
            kept.append(name)
    return kept


def size(count: float) -> str:
    """For people: 812 B, 214.3 MB, 1.5 GB; in powers of 1024, as limits are given."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1024 or unit == "GB":
            return f"{count:.4g} {unit}" if count < 10_000 else f"{count:.0f} {unit}"
        count /= 1024
    raise AssertionError("unreachable")


def harden(limits: Limits) -> None:
    """Let the kernel hold this process, and all that it starts, to what it can count by itself.

    The largest file is as large as the disk or the memory allows: shared memory is made of files, too. The number of
    processes counts per user, not per job, and is left to the sandbox; a limit of addresses would break CUDA.
    """
    pin(limits.cpus)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    if limits.disk is not None:
        _lower(resource.RLIMIT_FSIZE, max(limits.disk, limits.memory or 0))


def pin(cpus: int | None) -> None:
    """Neighbouring cores of those that we may use, from one that chance chooses: other jobs do not pile up on the same."""
    if cpus is None or not hasattr(os, "sched_setaffinity"):
        return
    ours = sorted(os.sched_getaffinity(0))
    first = int.from_bytes(os.urandom(4), "big")
    os.sched_setaffinity(0, {ours[(first + number) % len(ours)] for number in range(min(cpus, len(ours)))})


def _lower(which: int, wanted: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(which, (wanted, wanted))
