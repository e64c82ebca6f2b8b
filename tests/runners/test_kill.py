"""However a job ends, nothing of it is alive when `look` says that it has ended."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from agent.core.job import Running
from agent.runners import folder
from agent.runners.inline import InlineRunner
from agent.runners.local import LocalRunner
from tests.runners.attempts import (
    NASTY,
    RELAY,
    assert_all_dead,
    attempt_of,
    ended,
    kill,
    launcher_of,
    python,
    reaper_of,
    run,
    shell,
    start_script,
    survivors,
    until,
)
from tests.runners.nasty import NAMES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="sub-reapers are Linux")]

FILES = InlineRunner()  # looks at the files only, while LocalRunner's `look` would also kill what it finds

DAEMON_WITH_PIPES = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.dup2(1, 9)
        os.close(1)
        time.sleep(30)
"""


def links_to(attempt: Path) -> list[Path]:
    return [link for link in Path("/tmp").glob("ai-scientist-*/tmp") if link.resolve() == attempt / "tmp"]


def test_a_nasty_job_is_dead_within_three_seconds_of_its_limit(tmp_path: Path) -> None:
    began = time.monotonic()
    attempt = start_script(tmp_path, NASTY, *NAMES, seconds=4.0)
    outcome = ended(attempt)
    assert time.monotonic() - began <= 4.0 + 3.0
    assert_all_dead(attempt)
    assert (outcome.ending, outcome.command, outcome.exit_code) == ("timeout", "experiment", None)
    assert "4 s" in outcome.detail


def test_the_stop_file_ends_a_nasty_job(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    assert isinstance(LocalRunner().look(attempt), Running)
    LocalRunner().stop(attempt)
    assert ended(attempt, 15.0).ending == "stopped"
    assert_all_dead(attempt)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_launcher_ends_the_job_as_stopped(tmp_path: Path, number: signal.Signals) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    os.kill(launcher_of(attempt), number)
    assert ended(attempt, 15.0).ending == "stopped"
    assert_all_dead(attempt)


def test_a_well_behaved_job_ends_at_once_when_stopped(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("exec sleep 30"))
    LocalRunner().start(attempt)
    until(lambda: survivors(attempt))
    began = time.monotonic()
    LocalRunner().stop(attempt)
    assert ended(attempt).ending == "stopped"
    assert time.monotonic() - began < 0.6  # notice in 0.2, and no waiting for the whole grace


def test_kill_minus_nine_of_the_launcher_kills_the_tree_before_it_is_called_lost(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    kill(launcher_of(attempt))
    assert isinstance(FILES.look(attempt), Running)  # the reaper still has work to do
    outcome = ended(attempt, 15.0, FILES)
    assert_all_dead(attempt)
    assert outcome.ending == "lost"
    assert links_to(attempt) == []


def test_kill_minus_nine_of_the_launchers_group_kills_the_tree(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    os.killpg(os.getpgid(launcher_of(attempt)), signal.SIGKILL)
    assert ended(attempt, 15.0, FILES).ending == "lost"
    assert_all_dead(attempt)


def test_kill_minus_nine_of_the_reaper_kills_the_tree_and_is_recorded(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    kill(reaper_of(attempt))
    outcome = ended(attempt, 15.0, FILES)
    assert_all_dead(attempt)
    assert outcome.ending == "lost"
    assert "killed by signal 9" in outcome.detail


def test_kill_minus_nine_of_launcher_and_reaper_together_is_cleaned_up_by_look(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    launcher, reaper = launcher_of(attempt), reaper_of(attempt)
    os.kill(launcher, signal.SIGSTOP)  # or it would see the reaper go
    kill(reaper)
    kill(launcher)
    assert ended(attempt, 15.0).ending == "lost"
    assert_all_dead(attempt)
    for link in links_to(attempt):  # nobody was left to do it
        folder.forget_link(str(link))


def test_sigterm_to_the_reaper_does_not_make_it_leave_the_job(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, NASTY, *NAMES)
    os.kill(reaper_of(attempt), signal.SIGTERM)
    time.sleep(0.2)
    assert isinstance(LocalRunner().look(attempt), Running)
    kill(launcher_of(attempt))
    assert ended(attempt, 15.0).ending == "lost"
    assert_all_dead(attempt)


def test_a_job_that_forks_while_it_is_killed_is_killed(tmp_path: Path) -> None:
    attempt = start_script(tmp_path, RELAY, "parent")
    LocalRunner().stop(attempt)
    assert ended(attempt, 6.0).ending == "stopped"
    assert_all_dead(attempt)


def test_background_children_are_dead_before_the_next_command_starts(tmp_path: Path) -> None:
    leave = "sleep 30 & echo $! > pids; setsid sleep 30 & echo $! >> pids"
    look = "for pid in $(cat pids); do if kill -0 $pid; then exit 1; fi; done"
    outcome = run(tmp_path, shell(leave), shell(look, "evaluate"))
    assert outcome.ok and outcome.command == "evaluate"
    assert len((tmp_path / "work" / "pids").read_text().split()) == 2


def test_background_children_of_the_last_command_are_killed_and_mentioned(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("sleep 30 & (setsid sleep 30 &) ; exit 0"))
    assert outcome.ok
    assert survivors(tmp_path / "attempt") == []
    assert "2 background process(es)" in outcome.detail


def test_a_job_that_kills_its_own_group_hits_only_itself(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("kill -9 0"))
    assert (outcome.ending, outcome.signal) == ("finished", signal.SIGKILL)


def test_a_daemon_that_holds_the_pipes_does_not_block_the_end(tmp_path: Path) -> None:
    began = time.monotonic()
    assert run(tmp_path, python(DAEMON_WITH_PIPES)).ending == "finished"
    assert time.monotonic() - began < 3.0
    assert survivors(tmp_path / "attempt") == []
