"""What supervision costs: `python bench/launcher.py [N]`.

Start to outcome of a job that does nothing, beside a bare subprocess.run of the same; and how long after its limit a
job that ignores SIGTERM and spawns daemons is dead.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.core.job import Command, Job, Outcome
from agent.core.ports import Runner
from agent.runners import folder
from agent.runners.inline import InlineRunner
from agent.runners.local import LocalRunner

NASTY = Path(__file__).resolve().parents[1] / "tests" / "runners" / "nasty.py"


def outcome_of(runner: Runner, scratch: Path, argv: tuple[str, ...], seconds: float = 60.0) -> Outcome:
    attempt = Path(tempfile.mkdtemp(dir=scratch))
    folder.write_job(attempt, Job((Command("bench", argv),), str(scratch), seconds=seconds))
    runner.start(attempt)
    while not isinstance(sight := runner.look(attempt), Outcome):
        time.sleep(0.001)
    return sight


def milliseconds(work: Callable[[], object], repetitions: int) -> list[float]:
    taken = []
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return sorted(taken)


def main(repetitions: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        rows = {
            "subprocess.run": milliseconds(lambda: subprocess.run(["true"]), repetitions),
            "InlineRunner": milliseconds(lambda: outcome_of(InlineRunner(), scratch, ("true",)), repetitions),
            "LocalRunner": milliseconds(lambda: outcome_of(LocalRunner(), scratch, ("true",)), repetitions),
        }
        print(f"start to outcome of `true`, {repetitions} times, in ms\n{'':16}{'median':>9}{'p95':>9}")
        for label, taken in rows.items():
            print(f"{label:16}{statistics.median(taken):9.1f}{taken[int(0.95 * (len(taken) - 1))]:9.1f}")

        (scratch / "beats").mkdir()
        nasty = (sys.executable, "-I", "-S", str(NASTY), str(scratch / "beats"))
        late = [outcome_of(LocalRunner(), scratch, nasty, seconds=2.0).seconds - 2.0 for _ in range(5)]
        print(
            f"\nnasty job, limit 2 s, 5 times: dead {statistics.median(late):.2f} s after it, worst {max(late):.2f} s"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
