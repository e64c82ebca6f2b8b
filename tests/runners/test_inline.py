"""The debug runner leaves the same files and outcomes as the launcher, without its protection."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.core.job import Command, NotStarted, Outcome
from agent.runners.inline import InlineRunner
from agent.runners.local import LocalRunner
from tests.runners.attempts import attempt_of, ended, shell

JOBS = [
    [shell("echo hello; echo oops >&2")],
    [shell("exit 3"), shell("true", "evaluate")],
    [shell("kill -9 $$")],
    [Command("experiment", ("no-such-program",))],
    [shell("touch made"), shell("test ! -e made", "evaluate", ("made",))],
    [shell("head -c 20000 /dev/zero")],
]


@pytest.mark.parametrize("commands", JOBS)
def test_inline_and_local_agree(tmp_path: Path, commands: list[Command]) -> None:
    seen = []
    for name, runner in (("inline", InlineRunner()), ("local", LocalRunner())):
        (tmp_path / name).mkdir()
        attempt = attempt_of(tmp_path / name, *commands, stream_bytes=8192)
        assert runner.look(attempt) == NotStarted()
        runner.start(attempt)
        outcome = dataclasses.replace(ended(attempt, runner=runner), seconds=0.0, usage={}, sandbox="")
        logs = [(attempt / log).read_bytes() for log in ("stdout.log", "stderr.log")]
        seen.append((outcome, logs))
    assert seen[0] == seen[1]


def test_a_finished_attempt_is_not_run_twice_whichever_runner_had_it(tmp_path: Path) -> None:
    attempt = attempt_of(tmp_path, shell("echo started >> starts"))
    InlineRunner().start(attempt)
    InlineRunner().start(attempt)
    LocalRunner().start(attempt)
    assert (tmp_path / "work" / "starts").read_text() == "started\n"
    assert LocalRunner().look(attempt) == InlineRunner().look(attempt)


def test_the_limit_and_a_stop_between_commands_are_honoured(tmp_path: Path) -> None:
    for name, commands, ending in (
        ("limit", (shell("exec sleep 30"),), "timeout"),
        ("stop", (shell("touch ../attempt/stop"), shell("exec sleep 30", "evaluate")), "stopped"),
    ):
        (tmp_path / name).mkdir()
        attempt = attempt_of(tmp_path / name, *commands, seconds=0.3)
        InlineRunner().start(attempt)
        sight = InlineRunner().look(attempt)
        assert isinstance(sight, Outcome) and sight.ending == ending
        assert sight.seconds < 2.0


def test_output_is_shown_as_it_comes(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    InlineRunner().start(attempt_of(tmp_path, shell("echo seen; echo also >&2")))
    assert capfd.readouterr() == ("seen\n", "also\n")


def test_a_missing_job_is_told(tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="no job description"):
        InlineRunner().start(tmp_path)
