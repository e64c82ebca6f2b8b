"""Jobs that are ended early by what they report of themselves."""

from __future__ import annotations

import time
from pathlib import Path

from tests.runners.attempts import run, shell

REPORT = """say() { echo "{\\"step\\": $1, \\"of\\": 100, \\"loss\\": $2}" >> "$AI_SCIENTIST_PROGRESS"; }; """


def test_a_job_whose_loss_is_no_number_is_ended_and_says_so(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell(REPORT + "say 1 2.0; say 2 NaN; say 3 NaN; say 4 NaN; sleep 30"))
    assert outcome.ending == "diverged" and outcome.seconds < 10
    assert outcome.detail == "'experiment' was ended early: loss is nan in 3 reports in a row (step 4)."


def test_a_job_that_falls_silent_is_ended_after_its_stall_time(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell(REPORT + "say 1 2.0; sleep 30"), stall=1.0)
    assert (outcome.ending, outcome.detail) == (
        "stalled",
        "'experiment' was ended: it reported no progress for 1.0 s.",
    )


def test_silence_of_a_later_command_is_no_stall(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell(REPORT + "say 1 2.0"), shell("sleep 2.5", "evaluate"), stall=1.0)
    assert outcome.ok


def test_a_job_that_ends_by_itself_with_a_bad_loss_is_judged_by_how_it_ended(tmp_path: Path) -> None:
    assert run(tmp_path, shell(REPORT + "say 1 NaN; say 2 NaN; say 3 NaN; exit 3")).exit_code == 3


def test_half_a_line_and_a_flood_do_no_harm(tmp_path: Path) -> None:
    flood = "head -c 3000000 /dev/zero | tr '\\0' x >> \"$AI_SCIENTIST_PROGRESS\"; "
    began = time.monotonic()
    outcome = run(tmp_path, shell(REPORT + "say 1 1.0; " + flood + "sleep 2"), stall=60.0)
    assert outcome.ok and time.monotonic() - began < 10
