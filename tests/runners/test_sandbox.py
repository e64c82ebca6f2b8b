"""What a job finds in its environment, and what it does not."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent.core.job import Command, Job, Outcome
from agent.core.ports import Runner
from agent.runners.inline import InlineRunner
from agent.runners.local import LocalRunner
from agent.runners.sandbox import Prepared, Unprepared, environment, prepare, scrubbed
from tests.runners.attempts import attempt_of, ended, launcher_of, python, reaper_of, shell

SECRET = "sk-not-for-the-job"
TELL = python("import json,os; print(json.dumps(dict(os.environ)))")
SOCKET = "import socket,tempfile; socket.socket(socket.AF_UNIX).bind(tempfile.mkdtemp() + '/' + 'l' * 20)"


def told(attempt: Path, runner: Runner) -> dict[str, str]:
    runner.start(attempt)
    assert ended(attempt, runner=runner).ok
    found: dict[str, str] = json.loads((attempt / "stdout.log").read_text())
    return found


@pytest.mark.parametrize(
    "name",
    """OPENAI_API_KEY ANTHROPIC_API_KEY HF_TOKEN NVIDIA_API_KEY AWS_SECRET_ACCESS_KEY GITHUB_TOKEN SSH_AUTH_SOCK
    http_proxy HTTPS_PROXY WANDB_API_KEY PYTHONPATH PYTHONSTARTUP LD_PRELOAD SLURM_JWT PIP_INDEX_URL XDG_CACHE_HOME
    DBUS_SESSION_BUS_ADDRESS KRB5CCNAME BASH_ENV HOME TMPDIR""".split(),  # noqa: SIM905
)
def test_what_may_hold_a_secret_or_change_what_runs_is_not_inherited(name: str) -> None:
    assert scrubbed({name: SECRET}) == {}


def test_harmless_variables_are_inherited_and_the_job_adds_its_own_but_cannot_move_home() -> None:
    job = Job((Command("x", ("x",)),), "/", env={"SAE_PROFILE": "tiny", "HOME": "/root", "OMP_NUM_THREADS": "1"})
    made = environment(job, Path("/a"), {"PATH": "/bin", "LC_ALL": "C", "OMP_NUM_THREADS": "8"})
    assert made == {
        "PATH": "/bin",
        "LC_ALL": "C",
        "OMP_NUM_THREADS": "1",
        "SAE_PROFILE": "tiny",
        "HOME": "/a/home",
        "TMPDIR": "/a/tmp",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "AI_SCIENTIST_PROGRESS": "/a/progress.jsonl",
    }


def test_without_a_sandbox_the_command_line_is_as_it_was_and_an_unknown_one_is_refused() -> None:
    command = Command("x", ("python", "experiment.py"))
    made = prepare(command, Job((command,), "/"), Path("/a"), {})
    assert isinstance(made, Prepared) and made.argv == command.argv
    assert isinstance(prepare(command, Job((command,), "/"), Path("/a"), {}, "", "bubblewrap"), Unprepared)


@pytest.mark.parametrize("runner", [LocalRunner(), InlineRunner()])
def test_a_job_sees_no_key_of_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runner: Runner) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    found = told(attempt_of(tmp_path, TELL, env={"WANTED": "yes"}), runner)
    assert SECRET not in found.values()
    assert found["WANTED"] == "yes"
    assert found["HOME"] == str(tmp_path / "attempt" / "home")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_launcher_and_reaper_hold_no_key_of_their_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    attempt = attempt_of(tmp_path, shell("sleep 30"))
    LocalRunner().start(attempt)
    for pid in (launcher_of(attempt), reaper_of(attempt)):
        held = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PATH=" in held and SECRET.encode() not in held
    LocalRunner().stop(attempt)
    ended(attempt)


@pytest.mark.parametrize("runner", [LocalRunner(), InlineRunner()])
def test_sockets_fit_below_tmpdir_even_if_the_attempt_lies_deep(tmp_path: Path, runner: Runner) -> None:
    deep = tmp_path / ("d" * 100)
    deep.mkdir()
    attempt = attempt_of(deep, TELL, python(SOCKET), env={"WANTED": "yes"})
    runner.start(attempt)
    assert ended(attempt, runner=runner).ok, (attempt / "stderr.log").read_text()
    given = Path(json.loads((attempt / "stdout.log").read_text())["TMPDIR"])
    assert not given.parent.exists()  # the short name is gone with the job
    assert any((attempt / "tmp").iterdir())


def test_an_outcome_survives_its_file_format() -> None:
    outcome = Outcome("finished", "x", 0, None, 1.5, "ended", ("a", "b"), 7)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome
