"""Runs a job that forks without end, in a pid namespace where it can harm nobody, and tells as JSON what became of it.

bombs.py FOLDER KIND      KIND: same (one session), sessions (one for each process), chain (each forks and ends)
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from agent.core.job import Command, Job, Limits
from agent.runners import folder
from agent.runners.local import LocalRunner
from tests.runners.attempts import ended

SAFETY = 250  # processes; of this user, which no other process of the machine has
ALLOWED = 30
KINDS = {
    "same": "while True:\n try: os.fork()\n except OSError: pass",
    "sessions": "while True:\n try: os.fork() or os.setsid()\n except OSError: pass",
    "chain": "[os.fork() for _ in range(6)]\nwhile True:\n try: os.fork() and os._exit(0); os.setsid()\n except OSError: pass",
}


def main(scratch: Path, kind: str) -> None:
    resource.setrlimit(resource.RLIMIT_NPROC, (SAFETY, SAFETY))
    code = "import os, signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + KINDS[kind]
    job = Job((Command("experiment", (sys.executable, "-I", "-S", "-c", code)),), str(scratch), seconds=30.0)
    attempt = scratch / "attempt"
    folder.write_job(attempt, dataclasses.replace(job, limits=Limits(processes=ALLOWED)))
    LocalRunner().start(attempt)
    outcome = ended(attempt, 60.0)
    time.sleep(0.2)  # the launcher itself ends
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # it has come to us, the first process of the namespace
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    left = [name for name in os.listdir("/proc") if name.isdecimal() and int(name) != os.getpid()]
    print(json.dumps({"outcome": outcome.to_json(), "left": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
