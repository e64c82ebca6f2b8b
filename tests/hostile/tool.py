"""Stands in for the tool that starts jobs, with the user's key in its environment and memory.

    python -m tests.hostile.tool launch ATTEMPT SECONDS     by the launcher; prints the outcome as JSON
    python -m tests.hostile.tool raw ATTEMPT SECONDS        as a program without any precaution would do it

It is an ordinary, dumpable process, unlike the real one: the sandbox has to hold even so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from agent.core.job import Outcome
from agent.runners import folder
from agent.runners.local import LocalRunner


def launched(attempt: Path, seconds: float) -> Outcome | None:
    runner = LocalRunner()
    runner.start(attempt)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if isinstance(seen := runner.look(attempt), Outcome):
            return seen
        time.sleep(0.02)
    return None


def raw(attempt: Path, seconds: float) -> Outcome:
    """Start, wait, believe."""
    job = folder.read_job(attempt)
    env = {**os.environ, **job.env, "HOME": str(attempt / "home"), "TMPDIR": str(attempt / "tmp")}
    code = 0
    for command in job.commands:
        with (attempt / "stdout.log").open("ab") as out, (attempt / "stderr.log").open("ab") as err:
            code = subprocess.run(
                command.argv, cwd=job.cwd, env=env, stdout=out, stderr=err, timeout=seconds
            ).returncode
    return Outcome("finished", exit_code=code)


if __name__ == "__main__":
    how, where, patience = sys.argv[1:]
    outcome = {"launch": launched, "raw": raw}[how](Path(where), float(patience))
    print(json.dumps(outcome.to_json() if outcome else None))
