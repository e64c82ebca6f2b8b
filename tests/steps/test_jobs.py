"""A folder of attempts is removed when nothing of them lives or can still start, so that its name can be used again."""

import fcntl
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from agent.core.errors import InfrastructureError, Interrupted
from agent.core.job import Job, NotStarted, Outcome, Running
from agent.runners import folder
from agent.runners.local import LocalRunner
from agent.steps.jobs import clear
from tests.runners.attempts import ended, launcher_of, reaper_of, shell, survivors, until

pytestmark = pytest.mark.slow
BEAT = "while true; do echo beat >> ../beats; sleep 0.02; done"


def begun(place, command=BEAT, name="round-1"):
    """An attempt in `place` that is described and not started."""
    attempt = place / name
    (attempt / "scratch").mkdir(parents=True)
    folder.write_job(attempt, Job((shell(command),), str(attempt / "scratch")))
    return attempt


def under_way(place, command=BEAT, name="round-1"):
    attempt = begun(place, command, name)
    LocalRunner().start(attempt)
    until((attempt / "beats").exists)
    return attempt


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_job_under_way_is_dead_with_its_launcher_before_its_folder_is_gone(tmp_path):
    attempt = under_way(tmp_path / "build")
    of_job = [launcher_of(attempt), reaper_of(attempt)]
    clear(LocalRunner(), tmp_path / "build")
    assert not (tmp_path / "build").exists()
    assert survivors(attempt) == []
    until(
        lambda: not any(map(alive, of_job)), 1.0
    )  # the last word is written; what is left to the launcher is its exit
    assert not (tmp_path / "build").exists()


def test_a_job_whose_launcher_was_killed_as_well_is_dead_before_its_folder_is_gone(tmp_path):
    attempt = under_way(tmp_path / "build", f"trap '' TERM; {BEAT}")
    os.kill(launcher_of(attempt), signal.SIGKILL)
    clear(LocalRunner(), tmp_path / "build")
    assert survivors(attempt) == [] and not (tmp_path / "build").exists()


def test_a_launcher_that_comes_after_the_end_starts_nothing(tmp_path):
    """The session was killed while it started one: job.json is there, nobody has taken it, and somebody is on the way."""
    attempt = begun(tmp_path / "build", "touch ../../started", "style")
    folder.close(attempt)
    LocalRunner().start(attempt)
    assert folder.sight(attempt) == folder.read_status(attempt).outcome and ended(attempt).ending == "stopped"
    clear(LocalRunner(), tmp_path / "build")
    with pytest.raises((InfrastructureError, OSError)):
        LocalRunner().start(attempt)
    assert not (tmp_path / "build").exists() and not (tmp_path / "started").exists()


def test_a_launcher_that_waits_for_a_lock_does_not_take_another_folder_of_that_name(tmp_path):
    attempt = begun(tmp_path / "build")
    with (attempt / "lock").open("w") as lock, ThreadPoolExecutor(1) as pool:
        fcntl.flock(lock, fcntl.LOCK_SH)  # a probe
        late = pool.submit(folder.take, attempt)
        time.sleep(0.1)
        (tmp_path / "build").rename(tmp_path / "removed")
        again = begun(tmp_path / "build", "true")
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert late.result() is None
    assert LocalRunner().look(again) == NotStarted()
    LocalRunner().start(again)
    assert ended(again).ok


def test_what_ended_and_what_was_never_begun_is_removed_at_once(tmp_path):
    done = begun(tmp_path / "build", "true")
    LocalRunner().start(done)
    ended(done)
    (tmp_path / "build" / "pages" / "scratch").mkdir(parents=True)  # laid out; there is no job yet
    began = time.monotonic()
    clear(LocalRunner(), tmp_path / "build")
    clear(LocalRunner(), tmp_path / "build")  # nothing there
    assert not (tmp_path / "build").exists() and time.monotonic() - began < 1.0


def test_waiting_for_the_end_can_be_interrupted_and_leaves_the_folder(tmp_path):
    attempt = begun(tmp_path / "build")

    class Stubborn:
        def stop(self, attempt):
            pass

        def look(self, attempt):
            return Running(1, 0.0, 0.0)

    def interrupted():
        raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        clear(Stubborn(), tmp_path / "build", interrupted)
    assert attempt.exists()
    assert not isinstance(LocalRunner().look(attempt), Outcome)
