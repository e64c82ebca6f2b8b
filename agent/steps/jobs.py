"""Waiting for a job: started once, stopped when a person or the time limit wants it, told about while it runs.

And for the end of jobs that nobody wants any more: their folders are removed only after it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from agent.core.errors import StopAsked
from agent.core.job import JOB_FILE, PROGRESS_FILE, Job, NotStarted, Outcome, Running
from agent.core.policy import out_of_time
from agent.core.ports import Pulse, Runner
from agent.core.text import duration
from agent.runners import folder
from agent.steps.desk import Desk
from agent.store import files

_POLL = 0.2


def outcome_of(desk: Desk, attempt: Path, name: str, make: Callable[[], Job]) -> Outcome:
    """How the job of this attempt ends. It may run already, or have ended, whoever started it."""
    if isinstance(desk.runner.look(attempt), NotStarted):
        folder.write_job(attempt, make())  # here: the study may have moved since it was decided
        desk.runner.start(attempt)
    nap = 0.01
    while not isinstance(sight := desk.runner.look(attempt), Outcome):
        desk.take_inbox()
        if desk.interrupted() or desk.state.stopping or out_of_time(desk.state, desk.elapsed()):
            desk.runner.stop(attempt)
        if isinstance(sight, Running):
            desk.show_progress(_progress(attempt, name, time.time() - sight.started))
        time.sleep(nap)
        nap = min(0.25, nap * 1.5)
    desk.show_progress("")
    return sight


def clear(runner: Runner, place: Path, pulse: Pulse = lambda: None) -> None:
    """Remove `place` and the attempts in it, whoever began them: only when nothing of them lives or can still start.

    A job outlives the session that started it; in a new folder of the old name it would pass for one of the new session's.
    """
    begun = [path.parent for path in place.glob(f"*/{JOB_FILE}")]
    for attempt in begun:
        runner.stop(attempt)
    for attempt in begun:
        while not isinstance(sight := runner.look(attempt), Outcome):
            pulse()
            if isinstance(sight, NotStarted):  # its launcher may be on the way
                folder.close(attempt)
            else:
                time.sleep(_POLL / 4)
    shutil.rmtree(place, ignore_errors=True)


def wait_until(desk: Desk, moment: float, what: str) -> None:
    """Nothing is done before `moment`; a person or the time limit may end the waiting."""
    while (left := moment - desk.now()) > 0:
        desk.pulse()
        if out_of_time(desk.state, desk.elapsed()):
            raise StopAsked("the time limit is reached")
        desk.show_progress(f"{what} in {duration(left)}")
        time.sleep(min(left, _POLL))
    desk.show_progress("")


def _progress(attempt: Path, run: str, seconds: float) -> str:
    """One line about a running job: from its last line of progress.jsonl, if it writes any."""
    lines = files.read_tail(attempt / PROGRESS_FILE, 4000).splitlines()
    said = f"{run} · {seconds:.0f} s"
    for line in reversed(lines):
        try:
            last = json.loads(line)
            step, of = last["step"], last.get("of")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        said += f" · step {step}" + (f" of {of}" if of else "")
        said += "".join(
            f" · {key} {value:.4g}"
            for key, value in last.items()
            if key not in ("step", "of") and isinstance(value, (int, float))
        )
        if isinstance(of, (int, float)) and isinstance(step, (int, float)) and 0 < step < of:
            said += f" · about {seconds / step * (of - step):.0f} s left"
        return said
    return said
