"""The inner of the launcher's two processes: starts a job's commands one by one and leaves nothing of them alive.

It is forked from the launcher, has a session of its own (so that a kill of the launcher's group does not hit it) and
is the sub-reaper of everything it starts. It is told nothing but to end the job, by a byte on the `orders` pipe: GENTLY,
with a grace for what listens to SIGTERM, or AT_ONCE, which also cuts a grace short. The end of the pipe means GENTLY,
too: the launcher died. It tells what happens as one JSON object a line.

A command is over when its own process has ended *and* everything that it left behind is dead. The reaper exits only
then; until that moment it also holds the attempt's lock.
"""

from __future__ import annotations

import dataclasses
import json
import os
import select
import signal
import subprocess
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.job import Command, Job
from agent.runners import tree
from agent.runners.cgroup import Leaf
from agent.runners.limits import harden
from agent.runners.sandbox import Prepared, descriptors

GENTLY, AT_ONCE = b"g", b"k"
_FATAL = (
    signal.SIGKILL,
    signal.SIGSEGV,
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGTERM,
    signal.SIGXFSZ,
)


@dataclass(frozen=True)
class Pipes:
    """The reaper's ends."""

    orders: int
    reports: int
    stdout: int
    stderr: int
    door: int = -1  # to the proxy, for a sandbox with a way out


@dataclass(frozen=True)
class Report:
    """A command begins, or (`over`) the job has ended and nothing of it is alive."""

    command: str
    over: bool = False
    killed: bool = False  # on orders, before it had ended by itself
    exit_code: int | None = None
    signal: int | None = None
    unstartable: str = ""  # why, in one sentence
    left_behind: int = 0  # background processes that had to be killed after the command's own end
    unlinked: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @staticmethod
    def from_line(line: bytes) -> Report:
        data: dict[str, Any] = json.loads(line)
        return Report(**{**data, "unlinked": tuple(data["unlinked"])})


def reap_job(
    job: Job, prepared: Sequence[Prepared], pipes: Pipes, tidy: Callable[[], None], leaf: Leaf | None = None
) -> None:
    """The reaper's whole life. Does not return: the caller's stack belongs to the launcher.

    `tidy` is called when nothing is alive any more: the launcher may not be there to do it.
    """
    status, launcher = 1, os.getppid()
    try:
        os.setsid()
        tree.become_subreaper()
        harden(job.limits)
        Reaper(job, prepared, pipes, leaf).run()
        status = 0
    except BrokenPipeError:  # the launcher died while we were telling it something
        pass
    except Exception:  # noqa: BLE001  whatever it was, the tree must die before we do
        traceback.print_exc()
    finally:
        tree.kill_below({})
        if leaf and os.getppid() != launcher:  # it is dead, and cannot do it
            leaf.close()
        tidy()
        os._exit(status)


class Reaper:
    def __init__(self, job: Job, prepared: Sequence[Prepared], pipes: Pipes, leaf: Leaf | None) -> None:
        self.job, self.prepared, self.pipes, self.leaf = job, prepared, pipes, leaf
        self.wakeup = _wake_on_signals()
        self.unlinked: list[str] = []
        self.ordered = self.at_once = self.deaf = False  # the last: the pipe has ended

    def run(self) -> None:
        """Commands until one fails; then one report that says how it ended."""
        report = Report("")
        for command, ready in zip(self.job.commands, self.prepared, strict=True):
            self._tell(Report(command.name))
            report = self._run_one(command, ready)
            if report.killed or report.unstartable or report.exit_code != 0:
                break
        self._tell(dataclasses.replace(report, over=True, unlinked=tuple(self.unlinked)))

    def _run_one(self, command: Command, ready: Prepared) -> Report:
        if self._ordered_to_end(0):
            return Report(command.name, killed=True)
        try:
            self.unlinked += remove_first(command, self.job)
            process = self._start(ready)
        except (OSError, ValueError) as problem:
            return Report(command.name, unstartable=why_not(command, self.job, problem))
        watched: dict[int, int | None] = {process.pid: None}
        killed = False
        while tree.reap(watched) and watched[process.pid] is None and not killed:
            killed = self._ordered_to_end(None)
        spared = (process.pid,) if ready.outer else ()
        left_behind = tree.kill_below(watched, sessions=(process.pid,), hurried=self._hurried, spared=spared)
        status = watched[process.pid] or 0
        process.returncode = code = os.waitstatus_to_exitcode(status)  # Popen must not wait for it: we have reaped it
        if ready.outer and code - 128 in _FATAL:  # what it was told of the command's end, told on
            code = 128 - code
        if killed:
            return Report(command.name, killed=True, signal=-code if code < 0 else None)
        return Report(
            command.name,
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            left_behind=left_behind,
        )

    def _start(self, ready: Prepared) -> subprocess.Popen[bytes]:
        with descriptors(ready, self.pipes.door) as (argv, inherited):
            return subprocess.Popen(
                argv,
                cwd=self.job.cwd,
                env=ready.env,
                stdin=subprocess.DEVNULL,
                stdout=self.pipes.stdout,
                stderr=self.pipes.stderr,
                start_new_session=True,
                pass_fds=inherited,
                preexec_fn=self.leaf.enter if self.leaf else None,  # noqa: PLW1509  there is one thread here
            )

    def _ordered_to_end(self, timeout: float | None) -> bool:
        """Sleep until an order, a signal (a child may have ended) or the time-out; was there an order, now or before?"""
        sources = [self.wakeup] if self.deaf else [self.wakeup, self.pipes.orders]
        ready, _, _ = select.select(sources, [], [], 0 if self.ordered else timeout)
        if self.wakeup in ready:
            os.read(self.wakeup, 4096)
        if self.pipes.orders in ready:
            order = os.read(self.pipes.orders, 16)
            self.ordered, self.deaf = True, not order
            self.at_once = self.at_once or AT_ONCE in order
        return self.ordered

    def _hurried(self) -> bool:
        self._ordered_to_end(0)
        return self.at_once

    def _tell(self, report: Report) -> None:
        line = report.to_line()
        while line:
            line = line[os.write(self.pipes.reports, line) :]


def _wake_on_signals() -> int:
    """A descriptor that becomes readable when a child ends.

    Handlers that do nothing, rather than SIG_IGN, because ignored signals stay ignored in the commands. The reaper
    itself obeys the launcher only: SIGTERM to all processes of a user must not make it leave the job behind.
    """
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    os.set_blocking(readable, False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def remove_first(command: Command, job: Job) -> list[str]:
    """Remove what must not exist when the command starts; the names of what was there.

    Never through a link that an earlier command laid to somewhere else.
    """
    inside = Path(job.cwd).resolve(strict=True)
    removed = []
    for name in command.unlink_first:
        path = inside / name
        if not path.parent.resolve().is_relative_to(inside):
            raise ValueError(f"{name} is not inside {inside} and was not removed")
        if os.path.lexists(path):
            path.unlink()
            removed.append(name)
    return removed


def why_not(command: Command, job: Job, problem: Exception) -> str:
    """One sentence on why a command did not start."""
    if not Path(job.cwd).is_dir():
        return f"'{command.name}' could not be started: its working directory {job.cwd} does not exist."
    if isinstance(problem, OSError):
        return f"'{command.name}' could not be started: {problem.strerror or problem}: {problem.filename}."
    return f"'{command.name}' could not be started: {problem}."
