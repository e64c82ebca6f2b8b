"""What the tests of this folder share: making attempts, waiting for them, and looking for survivors in /proc."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.core.job import Command, Job, Outcome
from agent.core.ports import Runner
from agent.runners import folder
from agent.runners.local import LocalRunner

HERE = Path(__file__).parent
NASTY, RELAY = str(HERE / "nasty.py"), str(HERE / "relay.py")


def python(code: str) -> Command:
    return Command("experiment", (sys.executable, "-I", "-S", "-c", code))


def shell(code: str, name: str = "experiment", unlink_first: tuple[str, ...] = ()) -> Command:
    return Command(name, ("sh", "-c", code), unlink_first)


def attempt_of(tmp_path: Path, *commands: Command, **settings: Any) -> Path:
    """An attempt that has not been started, beside an empty working directory."""
    work, attempt = tmp_path / "work", tmp_path / "attempt"
    work.mkdir(exist_ok=True)
    folder.write_job(attempt, Job(commands, **{"cwd": str(work), "seconds": 20.0, **settings}))
    return attempt


def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)
    return value


def ended(attempt: Path, seconds: float = 10.0, runner: Runner | None = None) -> Outcome:
    runner = runner or LocalRunner()

    def outcome() -> Outcome | None:
        seen = runner.look(attempt)
        return seen if isinstance(seen, Outcome) else None

    found = until(outcome, seconds)
    assert isinstance(found, Outcome)
    return found


def run(tmp_path: Path, *commands: Command, **settings: Any) -> Outcome:
    attempt = attempt_of(tmp_path, *commands, **settings)
    LocalRunner().start(attempt)
    return ended(attempt)


def start_script(tmp_path: Path, script: str, *beats: str, **settings: Any) -> Path:
    """Start nasty.py or relay.py and wait until all of its processes are there."""
    beating = tmp_path / "beats"
    beating.mkdir()
    command = Command("experiment", (sys.executable, "-I", "-S", script, str(beating)))
    attempt = attempt_of(tmp_path, command, **settings)
    LocalRunner().start(attempt)
    until(lambda: all((beating / name).exists() for name in beats))
    return attempt


def launcher_of(attempt: Path) -> int:
    status = folder.read_status(attempt)
    assert status is not None
    return status.pid


def reaper_of(attempt: Path) -> int:
    launcher = launcher_of(attempt)
    children = until(lambda: Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split())
    return int(children[0])


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def survivors(attempt: Path) -> list[str]:
    """Processes, launchers apart, that carry the attempt's folder in command line or environment, or look at it."""
    found, mark = [], os.fsencode(attempt.parent)
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            line, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if mark in line + environment and b"agent.runners.launcher" not in line:
            found.append(f"{entry.name}: {line!r}")
    return found


def assert_all_dead(attempt: Path) -> None:
    """No process in /proc, and no heartbeat that goes on."""
    assert survivors(attempt) == []
    beats = attempt.parent / "beats"
    before = {file.name: file.read_text() for file in beats.iterdir()}
    time.sleep(0.15)
    assert {file.name: file.read_text() for file in beats.iterdir()} == before
