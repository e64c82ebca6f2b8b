"""Starts the job of one attempt folder, watches it, and leaves nothing of it alive: `exec-run ATTEMPT_DIR`.

Two processes. The *launcher* (this module) keeps the clock, the logs and status.json. The *reaper* (reaper.py), forked
from it into a session of its own, starts the commands and kills their tree. Each guards against the other's death:

    kill -9 of the launcher  the reaper's orders end; it kills the tree, then exits. No outcome: `sight` says "lost"
    kill -9 of the reaper    its orphans fall to the launcher, also a sub-reaper: it kills them and records "lost"
    kill -9 of both at once  the tree survives; LocalRunner.look kills what still carries the attempt's mark

A start is idempotent: an attempt that somebody has, or once had, is left alone (exit 0). The job ends by itself, at
its time limit, when what it reports is of no use any more (follow.py), when the file `stop` appears, or on SIGTERM, SIGINT
or SIGHUP; the launcher notices within 0.2 s and the tree is dead after GRACE plus some milliseconds.
Exit codes: 0 an outcome was recorded, or there was nothing to do · 2 no usable job.json · 4 the folder cannot be
written (disk full, rights): the tree is killed and standard error says why.
A job that exceeds one of its limits (limits.py) is killed at once, without the grace, in which it would go on growing.
What must not stand in the logs, the keys of who starts it, comes on standard input (KEYS), which is read and closed before
anything else; neither its environment nor its command line holds one, and its memory is not to be read.
Limits: standard library only, Linux and macOS; on macOS there are no sub-reapers (see tree.py).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from agent.core import redact
from agent.core.job import PROGRESS_FILE, STOP_FILE, Ending, Job, Outcome
from agent.runners import cgroup, folder, tiers, tree, watch
from agent.runners.follow import Follower
from agent.runners.limits import Watcher, size
from agent.runners.reaper import AT_ONCE, GENTLY, Pipes, Report, reap_job
from agent.runners.sandbox import DOOR, Prepared, Unprepared, prepare
from agent.runners.streams import CappedLog

TICK = 0.1  # between looks at the clock and the stop file
HEARTBEAT = 2.0
DRAIN = 1.0  # for output that is still in the pipes when the tree is dead
CHUNK = 256 * 1024
PATIENCE = 60.0  # for an orphan to take its attempt: a very busy machine, a very slow disk
WRAPPERS = 2  # processes of bubblewrap itself: one outside, and the first one inside
DETACH = "--detach"
KEYS = "--keys"  # they are on standard input, with a zero byte between two


def main(argv: Sequence[str]) -> int:
    names = [argument for argument in argv if argument not in (DETACH, KEYS)]
    if len(names) != 1:
        print(f"usage: exec-run [{DETACH}] [{KEYS}] ATTEMPT_DIR", file=sys.stderr)  # noqa: T201
        return 2
    attempt = Path(names[0]).resolve()
    keys = told_keys() if KEYS in argv else redact.values(os.environ)
    return detached(attempt, keys) if DETACH in argv else launch(attempt, keys)


def told_keys() -> tuple[bytes, ...]:
    tree.hide_from_children()  # from here on our memory holds them
    keys = sys.stdin.buffer.read().split(b"\0")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return tuple(key for key in keys if key)


def detached(attempt: Path, keys: Sequence[bytes]) -> int:
    """Launch in an orphan with a session of its own; return when it has taken the attempt, or with its exit code.

    Returns twice: at last in the orphan, too. Call it only where the program ends next.
    """
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:

        def taken() -> None:
            os.write(writable, b"1")
            os.close(writable)

        os.close(readable)
        os.setsid()
        return launch(attempt, keys, taken)
    os.close(writable)
    if not select.select([readable], [], [], PATIENCE)[0]:
        print(f"The attempt was not taken within {PATIENCE:g} s", file=sys.stderr)  # noqa: T201
        return 4
    if os.read(readable, 1):
        return 0
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def launch(attempt: Path, keys: Sequence[bytes], taken: Callable[[], None] = lambda: None) -> int:
    try:
        folder.read_job(attempt)  # an attempt that is none is not taken
        lock = folder.take(attempt)
        if lock is None:
            return 0
        try:
            job = folder.read_job(attempt)  # of the folder that is locked; before, it may have been another of its name
            Launcher(attempt, job, keys).run(taken)
        finally:
            os.close(lock)
    except ValueError as problem:
        print(problem, file=sys.stderr)  # noqa: T201
        return 2
    except OSError as problem:
        print(f"The attempt folder cannot be used: {problem}", file=sys.stderr)  # noqa: T201
        return 4
    return 0


class Launcher:
    def __init__(self, attempt: Path, job: Job, keys: Sequence[bytes] = ()) -> None:
        self.attempt, self.job, self.keys = attempt, job, keys
        self.status = folder.Status.first()
        self.began = time.monotonic()
        self.next_beat = self.began + HEARTBEAT
        self.command = job.commands[0].name
        self.reason: Ending | None = None  # why we ordered the end, if we did
        self.excess = ""  # what was too much
        self.follower = Follower(attempt / PROGRESS_FILE, job.stall, self.command)
        self.told = ""  # what it reported of itself, if that was the end of it
        self.oom_kills = watch.oom_kills()
        self.leaf: cgroup.Leaf | None = None  # the job's control group
        self.signalled = False
        self.last: Report | None = None  # the reaper's last word
        self.unread = b""
        self.orders = -1
        self.hub_ends: Callable[[], None] = lambda: None

    def run(self, taken: Callable[[], None]) -> None:
        """From the first status to the last."""
        tree.hide_from_children()
        with self._signals():
            folder.write_status(self.attempt, self.status)
            taken()
            with folder.job_folders(self.attempt) as temporary:
                outcome = self._run(temporary)
            self._record(outcome)

    def _run(self, temporary: str) -> Outcome:
        made = cgroup.make(self.job.limits)
        self.leaf = made if isinstance(made, cgroup.Leaf) else None
        try:
            return self._in_its_tier(temporary)
        finally:
            if self.leaf:
                self.leaf.close()

    def _in_its_tier(self, temporary: str) -> Outcome:
        tier = tiers.choose(self.job.sandbox, network=self.job.network, held=self.leaf is not None)
        if isinstance(tier, Unprepared):
            return Outcome("unstartable", self.command, detail=tier.reason)
        ready: list[Prepared] = []
        for command in self.job.commands:
            made = prepare(command, self.job, self.attempt, os.environ, temporary, tier.name)
            if isinstance(made, Unprepared):
                return Outcome("unstartable", command.name, detail=made.reason)
            ready.append(made)
        return dataclasses.replace(self._supervise(ready, temporary), sandbox=tier.said)

    def _record(self, outcome: Outcome) -> None:
        folder.write_status(self.attempt, self.status.end(outcome))

    def _supervise(self, ready: Sequence[Prepared], temporary: str) -> Outcome:
        tree.become_subreaper()
        names, cap = ("stdout.log", "stderr.log"), self.job.stream_bytes
        logs = [CappedLog(self.attempt / name, cap, self.keys) for name in names]
        door = self._open_hub() if any(DOOR in made.argv for made in ready) else -1
        reaper, sources = self._fork_reaper(ready, temporary, door)
        watched: dict[int, int | None] = {reaper: None}
        outputs = dict(zip(("standard output", "standard error"), logs, strict=True))
        wrappers = WRAPPERS if any(made.outer for made in ready) else 0
        watcher = Watcher(self.job, self.attempt, reaper, outputs, wrappers)
        try:
            with selectors.DefaultSelector() as selector:
                for source, log in zip(sources[1:], logs, strict=True):
                    selector.register(source, selectors.EVENT_READ, log.write)
                selector.register(sources[0], selectors.EVENT_READ, self._hear)
                self._watch(selector, sources[0], watcher)
                self._wait_for_the_end(reaper, watched)
                self._drain(selector)
            seconds = time.monotonic() - self.began
            dropped = sum(log.close() for log in logs)
        except OSError as problem:
            self._wait_for_the_end(reaper, watched)
            with contextlib.suppress(OSError):  # the folder may be gone altogether; the exit code says it, too
                self._record(Outcome("lost", self.command, detail=f"The launcher could not write its files: {problem}"))
            raise
        if (excess := watcher.last_look(self.command)) and self.reason is None:
            self.reason, self.excess = "limit", excess
        return dataclasses.replace(self._outcome(seconds, dropped, watched[reaper]), usage=watcher.usage)

    def _open_hub(self) -> int:
        from agent.runners.hub import open_hub  # few jobs need it, and all would wait for it

        self.hub_ends, door = open_hub(self.attempt, self.job.hub)
        return door

    def _fork_reaper(self, ready: Sequence[Prepared], temporary: str, door: int) -> tuple[int, list[int]]:
        """The reaper's process number and the descriptors to read from: its reports, stdout, stderr."""
        orders, self.orders = os.pipe()
        (reports, their_reports), (out, their_out), (err, their_err) = os.pipe(), os.pipe(), os.pipe()
        sys.stderr.flush()
        reaper = os.fork()
        if reaper == 0:
            for ours in (self.orders, reports, out, err):  # or the orders would never end
                os.close(ours)
            pipes = Pipes(orders, their_reports, their_out, their_err, door)
            reap_job(self.job, ready, pipes, lambda: folder.forget_link(temporary), self.leaf)
        for theirs in (orders, their_reports, their_out, their_err, *([door] if door >= 0 else [])):
            os.close(theirs)
        return reaper, [reports, out, err]

    def _watch(self, selector: selectors.BaseSelector, reports: int, watcher: Watcher) -> None:
        """Until the reaper closes its reports: everything is dead, or the reaper itself is."""
        due = 0.0
        while reports in selector.get_map():
            self._pump(selector, TICK)
            if (now := time.monotonic()) < due:
                continue
            due = now + TICK
            if self.reason is None and (reason := self._reason_to_end(now)):
                self.reason = reason
                self._order(GENTLY)
            if not self.excess and (excess := watcher.look(self.command)):  # it may also be during the grace
                self.reason, self.excess = self.reason or "limit", excess
                self._order(AT_ONCE)
                if self.leaf:
                    self.leaf.kill()  # the order came first, so the reaper knows why
            if now >= self.next_beat:
                self._beat()

    def _reason_to_end(self, now: float) -> Ending | None:
        if self.signalled or (self.attempt / STOP_FILE).exists():
            return "stopped"
        if now - self.began >= self.job.seconds:
            return "timeout"
        ending, self.told = self.follower.look(self.command, now) or (None, "")
        return ending

    def _pump(self, selector: selectors.BaseSelector, timeout: float) -> None:
        """Move what is there from the pipes to where it belongs: one piece of each, so that no stream starves us."""
        for key, _ in selector.select(timeout):
            if data := os.read(key.fd, CHUNK):
                key.data(data)
            else:
                selector.unregister(key.fd)
                os.close(key.fd)

    def _drain(self, selector: selectors.BaseSelector) -> None:
        deadline = time.monotonic() + DRAIN
        while selector.get_map() and time.monotonic() < deadline:
            self._pump(selector, 0.05)

    def _hear(self, data: bytes) -> None:
        *lines, self.unread = (self.unread + data).split(b"\n")
        for report in map(Report.from_line, lines):
            self.last = report
            self.command = report.command
            if not report.over:
                self._beat()

    def _beat(self) -> None:
        self.next_beat = time.monotonic() + HEARTBEAT
        self.status = self.status.beat("running" if self.reason is None else "ending", self.command)
        folder.write_status(self.attempt, self.status)

    def _order(self, how: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):  # the reaper is dead: we shall see
            os.write(self.orders, how)

    def _wait_for_the_end(self, reaper: int, watched: dict[int, int | None]) -> None:
        """Nothing of the job is alive after this, whoever had to kill it."""
        if self.orders >= 0:  # the same order that our death would give
            os.close(self.orders)
            self.orders = -1
        if watched[reaper] is None:
            with contextlib.suppress(ChildProcessError):
                watched[reaper] = os.waitpid(reaper, 0)[1]
        self.hub_ends()
        tree.kill_below(watched)  # a reaper that could do its work has left nothing

    def _outcome(self, seconds: float, dropped: int, reaper_status: int | None) -> Outcome:
        report = self.last
        if report is None or not report.over:
            code = os.waitstatus_to_exitcode(reaper_status or 0)
            how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
            detail = f"The process that supervised '{self.command}' {how}; everything left of the job was killed."
            return Outcome("lost", self.command, None, None, seconds, detail, (), dropped)
        ending, detail = self._verdict(report)
        return Outcome(
            ending, report.command, report.exit_code, report.signal, seconds, detail, report.unlinked, dropped
        )

    def _verdict(self, report: Report) -> tuple[Ending, str]:
        name = report.command
        if report.unstartable:
            return "unstartable", report.unstartable
        if self.reason == "limit":
            return "limit", self.excess + ("; it was killed." if report.killed else ".")
        if report.killed and self.reason == "timeout":
            return "timeout", f"The time limit of {self.job.seconds:g} s was reached during '{name}'; it was killed."
        if report.killed and self.told and self.reason:
            return self.reason, self.told
        if report.killed:
            return "stopped", f"'{name}' was stopped on request."
        if by_kernel := self._kernels_verdict(report):
            return "limit", by_kernel
        if report.signal is not None:
            detail = f"'{name}' was killed by signal {report.signal}."
        else:
            detail = f"'{name}' ended with exit code {report.exit_code}."
        if report.left_behind:
            detail += f" {report.left_behind} background process(es) that it had left were killed."
        return "finished", detail

    def _kernels_verdict(self, report: Report) -> str:
        """What the kernel did, if it ended the command for what it used. A shell tells its child's signal as 128 + n."""
        number = report.signal or (report.exit_code or 0) - 128
        if number == signal.SIGXFSZ and self.job.limits.disk is not None:
            allowed = size(max(self.job.limits.disk, self.job.limits.memory or 0))
            return f"'{report.command}' wrote a file of more than {allowed}, which is the limit; the kernel ended it."
        if self.leaf and self.leaf.kills_for_memory() and report.exit_code != 0:
            allowed = size(self.job.limits.memory or 0)
            return f"'{report.command}' used more memory than the {allowed} that are allowed; the kernel ended it."
        if number == signal.SIGKILL and watch.oom_kills() > self.oom_kills:
            return f"'{report.command}' was killed by the kernel, because this machine or its share of it had no memory left."
        return ""

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGTERM, SIGINT, SIGHUP become a request to end; a SIGHUP that is ignored (nohup) stays so."""
        numbers = [n for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN]
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, *_: object) -> None:
        self.signalled = True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
