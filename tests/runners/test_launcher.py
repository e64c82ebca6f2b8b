"""One start, one outcome: what a launcher records, in which order, and what it refuses."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.core.job import Command, NotStarted, Outcome, Running
from agent.runners import folder
from agent.runners.local import LocalRunner
from tests.runners.attempts import NASTY, attempt_of, ended, launcher_of, run, shell, survivors, until

COUNT = "echo started >> starts"


def starts(tmp_path: Path) -> int:
    return len((tmp_path / "work" / "starts").read_text().splitlines())


def test_a_job_that_ends_by_itself_is_finished_with_its_exit_code(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("exit 7"))
    assert (outcome.ending, outcome.exit_code, outcome.signal, outcome.ok) == ("finished", 7, None, False)
    assert outcome.detail == "'experiment' ended with exit code 7."


def test_a_job_that_dies_of_a_signal_is_finished_with_its_number(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("kill -SEGV $$"))
    assert (outcome.ending, outcome.exit_code, outcome.signal) == ("finished", None, signal.SIGSEGV)


def test_evaluate_does_not_start_after_a_failed_experiment(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("exit 3"), shell("touch evaluated", "evaluate"))
    assert (outcome.command, outcome.exit_code) == ("experiment", 3)
    assert not (tmp_path / "work" / "evaluated").exists()


def test_the_limit_is_for_all_commands_together(tmp_path: Path) -> None:
    outcome = run(tmp_path, shell("sleep 0.5"), shell("sleep 30", "evaluate"), seconds=0.8)
    assert (outcome.ending, outcome.command) == ("timeout", "evaluate")
    assert 0.7 < outcome.seconds < 2.0


def test_files_that_must_not_exist_are_removed_right_before_their_command_and_named(tmp_path: Path) -> None:
    forge = shell("mkdir out; echo forged > out/final_info.json")
    evaluate = shell("test ! -e out/final_info.json", "evaluate", ("out/final_info.json", "out/other.json"))
    outcome = run(tmp_path, forge, evaluate)
    assert outcome.ok
    assert outcome.unlinked == ("out/final_info.json",)


def test_nothing_outside_the_working_directory_is_removed_through_a_planted_link(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "final_info.json").touch()
    outcome = run(tmp_path, shell("ln -s ../precious out"), shell("true", "evaluate", ("out/final_info.json",)))
    assert (outcome.ending, outcome.command) == ("unstartable", "evaluate")
    assert (tmp_path / "precious" / "final_info.json").exists()


@pytest.mark.parametrize(
    ("argv", "settings", "words"),
    [
        (("no-such-program",), {}, "No such file or directory: no-such-program"),
        ((NASTY,), {}, "Permission denied"),
        (("true",), {"cwd": "/no/such/folder"}, "working directory /no/such/folder does not exist"),
        (("true",), {"sandbox": "fort-knox"}, "'fort-knox' is not known"),
        (("tr\0ue",), {}, "null byte"),
    ],
)
def test_a_command_that_cannot_start_is_unstartable_with_a_sentence(
    tmp_path: Path, argv: tuple[str, ...], settings: dict[str, str], words: str
) -> None:
    outcome = run(tmp_path, Command("experiment", argv), **settings)
    assert outcome.ending == "unstartable"
    assert words in outcome.detail


def test_standard_input_is_empty_and_no_signal_is_ignored_or_blocked(tmp_path: Path) -> None:
    code = "grep -E '^Sig(Blk|Ign):' /proc/self/status; cat"
    assert run(tmp_path, shell(code)).ok
    reserved = 1 << 31 | 1 << 32  # signals that the C library keeps for itself; no program can set them
    masks = (tmp_path / "attempt" / "stdout.log").read_text().split()[1::2]
    assert [int(mask, 16) & ~reserved for mask in masks] == [0, 0]


def test_an_attempt_that_nobody_took_is_not_started(tmp_path: Path) -> None:
    assert LocalRunner().look(attempt_of(tmp_path, shell("true"))) == NotStarted()


def test_starting_twice_runs_once_before_and_after_the_end(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(f"{COUNT}; sleep 0.3"))
    LocalRunner().start(attempt)
    LocalRunner().start(attempt)
    first = ended(attempt)
    LocalRunner().start(attempt)
    assert subprocess.run([sys.executable, "-m", "agent.runners.launcher", str(attempt)]).returncode == 0
    assert LocalRunner().look(attempt) == first
    assert starts(tmp_path) == 1


def test_many_runners_starting_at_once_run_the_job_once(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(f"{COUNT}; sleep 0.2"))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(LocalRunner().start, [attempt] * 4))
    assert ended(attempt).ok
    assert starts(tmp_path) == 1


def test_a_probe_does_not_keep_a_launcher_from_taking_its_attempt(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("true"))
    with (attempt / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        with ThreadPoolExecutor(1) as pool:
            started = pool.submit(LocalRunner().start, attempt)
            time.sleep(0.5)
            assert LocalRunner().look(attempt) == NotStarted()
            fcntl.flock(lock, fcntl.LOCK_UN)
            started.result()
    assert ended(attempt).ok


def test_whoever_looks_during_the_start_never_sees_a_lost_job(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("true"))
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(LocalRunner().start, attempt)
        seen = [LocalRunner().look(attempt)]
        while not isinstance(seen[-1], Outcome):
            seen.append(LocalRunner().look(attempt))
        started.result()
    assert isinstance(seen[-1], Outcome) and seen[-1].ok


def test_a_lost_attempt_is_not_started_again(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(f"{COUNT}; sleep 30"))
    LocalRunner().start(attempt)
    until((tmp_path / "work" / "starts").exists)
    os.kill(launcher_of(attempt), signal.SIGKILL)
    assert ended(attempt).ending == "lost"
    LocalRunner().start(attempt)
    assert ended(attempt).ending == "lost"
    assert starts(tmp_path) == 1


def test_another_process_can_look_and_the_heart_beats(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("sleep 30"))
    LocalRunner().start(attempt)
    look = (
        "import sys; from pathlib import Path; from agent.runners.local import LocalRunner; "
        "print(LocalRunner().look(Path(sys.argv[1])).pid)"
    )
    asked = subprocess.run([sys.executable, "-c", look, str(attempt)], capture_output=True, text=True)
    assert int(asked.stdout) == launcher_of(attempt)

    def beaten() -> bool:
        sight = LocalRunner().look(attempt)
        return isinstance(sight, Running) and sight.heartbeat - sight.started > 1.9 and sight.command == "experiment"

    until(beaten, 4.0)
    assert time.time() - os.stat(attempt / "status.json").st_mtime < 1.0
    LocalRunner().stop(attempt)
    ended(attempt)


def test_a_job_description_that_is_none_is_refused_with_the_launchers_words(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text(json.dumps({"cwd": "/"}))
    with pytest.raises(InfrastructureError, match=r"no job description: 'commands'") as caught:
        LocalRunner().start(tmp_path)
    assert "launcher.log" in caught.value.hint
    assert LocalRunner().look(tmp_path) == NotStarted()


def test_a_full_disk_kills_the_job_and_is_told(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("trap '' TERM; while true; do echo words; sleep 0.05; done"))
    (attempt / "stdout.log").symlink_to("/dev/full")
    command = [sys.executable, "-m", "agent.runners.launcher", str(attempt)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as launcher:
        outcome = ended(attempt)
        assert survivors(attempt) == []
        assert launcher.stderr is not None and "No space left on device" in launcher.stderr.read()
    assert launcher.returncode == 4
    assert outcome.ending == "lost" and "No space left" in outcome.detail


def test_an_attempt_folder_that_cannot_be_written_starts_nothing(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(COUNT))
    (attempt / "status.json.tmp").mkdir()
    with pytest.raises(InfrastructureError, match="attempt folder cannot be used"):
        LocalRunner().start(attempt)
    assert not (tmp_path / "work" / "starts").exists()
    assert LocalRunner().look(attempt) == NotStarted()


def test_a_status_that_cannot_be_read_still_counts_as_taken(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell(COUNT))
    (attempt / "status.json").touch()
    LocalRunner().start(attempt)
    sight = folder.sight(attempt)
    assert isinstance(sight, Outcome) and sight.ending == "lost"
    assert not (tmp_path / "work" / "starts").exists()
