"""Runs a job in the foreground, with the same files and outcome as a launcher: for debugging and for tests.

Standard input is the terminal's and output is shown as it comes, so a breakpoint in the experiment works. It protects
nothing: only a command's own process is killed at the time limit or on Ctrl-C, what it left in the background lives
on, no sandbox applies, no limit but that of time, and `stop` counts only between two commands.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import IO

from agent.core import redact
from agent.core.errors import InfrastructureError
from agent.core.job import STOP_FILE, Command, Job, Outcome, Sight
from agent.runners import folder, tiers
from agent.runners.reaper import remove_first, why_not
from agent.runners.sandbox import Prepared, Unprepared, prepare
from agent.runners.streams import CappedLog

DRAIN = 1.0


class InlineRunner:
    """core.ports.Runner in this very process: `start` returns when the job has ended."""

    def start(self, attempt: Path) -> None:
        attempt = attempt.resolve()
        try:
            job, lock = folder.read_job(attempt), folder.take(attempt)
        except (OSError, ValueError) as problem:
            raise InfrastructureError(
                f"The attempt {attempt.name} cannot be run: {problem}", f"See {attempt}."
            ) from None
        if lock is None:
            return
        try:
            status = folder.Status.first()
            folder.write_status(attempt, status)
            try:
                with folder.job_folders(attempt) as temporary:
                    outcome = _run_job(job, attempt, temporary)
                folder.write_status(attempt, status.end(outcome))
            except KeyboardInterrupt:
                folder.write_status(attempt, status.end(Outcome("stopped", detail="It was interrupted.")))
                raise
        finally:
            os.close(lock)

    def look(self, attempt: Path) -> Sight:
        return folder.sight(attempt.resolve())

    def stop(self, attempt: Path) -> None:
        folder.request_stop(attempt)


def _run_job(job: Job, attempt: Path, temporary: str) -> Outcome:
    began = time.monotonic()
    keys = redact.values(os.environ)
    logs = [CappedLog(attempt / name, job.stream_bytes, keys) for name in ("stdout.log", "stderr.log")]
    outcome, unlinked = Outcome("finished", exit_code=0), list[str]()
    for command in job.commands:
        made = prepare(command, job, attempt, os.environ, temporary, "none")
        if (attempt / STOP_FILE).exists():
            outcome = Outcome("stopped", command.name, detail=f"A stop was requested before '{command.name}'.")
        elif isinstance(made, Unprepared):
            outcome = Outcome("unstartable", command.name, detail=made.reason)
        else:
            try:
                unlinked += remove_first(command, job)
                outcome = _run_command(command, made, job, logs, job.seconds - (time.monotonic() - began))
            except (OSError, ValueError) as problem:
                outcome = Outcome("unstartable", command.name, detail=why_not(command, job, problem))
        if not outcome.ok:
            break
    seconds, dropped = time.monotonic() - began, sum(log.close() for log in logs)
    outcome = dataclasses.replace(outcome, seconds=seconds, unlinked=tuple(unlinked), dropped_bytes=dropped)
    return dataclasses.replace(outcome, sandbox=tiers.LINES["none"])


def _run_command(command: Command, made: Prepared, job: Job, logs: list[CappedLog], seconds: float) -> Outcome:
    process = subprocess.Popen(
        made.argv, cwd=job.cwd, env=made.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
    )
    with process:
        pumps = _pumps(process, logs)
        limit = threading.Timer(max(0.0, seconds), process.kill)  # a wait with a time-out would poll
        limit.start()
        try:
            code = process.wait()
        finally:
            late = not limit.is_alive()
            limit.cancel()
            process.kill()
            for pump in pumps:
                pump.join(DRAIN)
    if late:
        detail = f"The time limit of {job.seconds:g} s was reached during '{command.name}'; it was killed."
        return Outcome("timeout", command.name, detail=detail)
    if code < 0:
        return Outcome("finished", command.name, signal=-code, detail=f"'{command.name}' was killed by signal {-code}.")
    return Outcome("finished", command.name, code, detail=f"'{command.name}' ended with exit code {code}.")


def _pumps(process: subprocess.Popen[bytes], logs: list[CappedLog]) -> list[threading.Thread]:
    def pump(source: IO[bytes], log: CappedLog, screen: int) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed, because something in the background held it open
            while data := source.read(64 * 1024):
                os.write(screen, log.write(data))

    assert process.stdout is not None and process.stderr is not None
    pairs = ((process.stdout, logs[0], 1), (process.stderr, logs[1], 2))
    threads = [threading.Thread(target=pump, args=pair, daemon=True) for pair in pairs]
    for thread in threads:
        thread.start()
    return threads
