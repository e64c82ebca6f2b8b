"""Runs jobs on this machine, each under a launcher of its own that outlives the program that started it.

Nothing is remembered in memory: any process may start, look at and stop any attempt, and re-attach after a crash.
Limit: launcher and reaper killed at the same instant leave the job's processes without a guard; `look` then kills
those that still carry the attempt's mark in their environment (Linux, same machine) before it says "lost".
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from agent.core import redact
from agent.core.errors import InfrastructureError
from agent.core.job import PROGRESS_FILE, Outcome, Running, Sight
from agent.runners import folder, tree
from agent.runners.launcher import DETACH, KEYS
from agent.runners.sandbox import scrubbed

ROOT = Path(__file__).resolve().parents[2]

# Isolated and without site packages: nothing in the working directory or the environment decides what is imported,
# and it starts in half the time.
BOOTSTRAP = """
import sys
sys.path.append(sys.argv.pop(1))
from agent.runners.launcher import main
sys.exit(main(sys.argv[1:]))
"""


def _asked_for(attempt: Path) -> tuple[str, ...]:
    try:
        return folder.read_job(attempt).inherit
    except ValueError:  # the launcher will say so
        return ()


class LocalRunner:
    """core.ports.Runner on this machine."""

    def start(self, attempt: Path) -> None:
        attempt = attempt.resolve()
        if folder.is_taken(attempt):
            return
        log = attempt / folder.LAUNCHER_LOG
        command = [sys.executable, "-I", "-S", "-c", BOOTSTRAP, str(ROOT), DETACH, KEYS, str(attempt)]
        try:
            with log.open("ab") as standard_error:
                process = subprocess.run(  # no time-out: it has its own, and Python would poll for it
                    command,
                    cwd="/",
                    env=scrubbed(os.environ, _asked_for(attempt)),  # or keys could be read from its /proc/PID/environ
                    input=b"\0".join(redact.values(os.environ)),  # what it keeps out of the logs
                    stdout=subprocess.DEVNULL,
                    stderr=standard_error,
                )
        except OSError as problem:
            message = f"The launcher of {attempt.name} did not start: {problem}"
            raise InfrastructureError(message, f"See {attempt}.") from None
        if process.returncode != 0:
            words = folder.last_line(log) or f"it ended with exit code {process.returncode}"
            raise InfrastructureError(f"The launcher of {attempt.name} failed: {words}", f"See {log}.")

    def look(self, attempt: Path) -> Sight:
        attempt = attempt.resolve()
        seen = folder.sight(attempt)
        if not isinstance(seen, Outcome) or seen.ending != "lost":
            return seen
        status = folder.read_status(attempt)
        if status is None or status.outcome is not None or status.host != os.uname().nodename:
            return seen
        if tree.kill_marked(f"AI_SCIENTIST_PROGRESS={attempt / PROGRESS_FILE}"):
            return seen
        return Running(status.pid, status.started, time.time(), status.command)  # something is still dying

    def stop(self, attempt: Path) -> None:
        folder.request_stop(attempt)
