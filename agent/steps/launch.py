"""Step 3 and 8: prepare a job and wait for it. The intent is journaled before the start."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core import events as e
from agent.core.errors import Interrupted
from agent.core.file_names import globbed
from agent.core.job import PROGRESS_FILE, Command, Job, Limits, NotStarted, Outcome, Reach, Running
from agent.core.policy import Await, Launch, time_left
from agent.core.template import Resources
from agent.runners import folder
from agent.steps import baselines
from agent.steps.accept import accept
from agent.steps.desk import Desk
from agent.store import files
from agent.store.sweep import sweep


def launch(desk: Desk, action: Launch) -> Iterator[e.Event]:
    state = desk.state
    put_output_aside(desk, action.run, action.attempt - 1)
    if action.run in state.baselines and (known := baselines.known_result(desk, action.run)):
        baselines.take(desk, action.run, known)
        sweep(desk.layout.output(action.run), os.environ)  # what is committed must be what is there
        yield accept(desk, action.run, 0, known.result, known.seconds, known.source, known.warnings)
        return
    seeds = seeds_of(desk, action.run)
    yield e.RunLaunched(run=action.run, attempt=action.attempt, head=state.head, seeds=seeds)


def seeds_of(desk: Desk, run: str) -> tuple[int, ...]:
    baseline = run in desk.state.baselines
    return tuple(range(baselines.seeds_wanted(desk) if baseline else desk.profile.seeds.screen))


def put_output_aside(desk: Desk, run: str, attempt: int) -> None:
    """What a failed attempt left in run_i/ goes to its attempt folder, so that the next one begins with nothing."""
    output = desk.layout.output(run)
    if not output.exists() and not output.is_symlink():
        return
    target = desk.layout.attempt(run, max(1, attempt)) / "out"
    number = 1
    while target.exists():
        number += 1
        target = target.with_name(f"out-{number}")
    target.parent.mkdir(parents=True, exist_ok=True)
    output.rename(target)


def _job(desk: Desk, run: str, attempt: Path, seeds: tuple[int, ...]) -> Job:
    template, profile = desk.template, desk.profile
    commands = [Command("experiment", _argv(desk, template.command, run), reach=_reach(desk, run, sealed=True))]
    if template.evaluate:
        seen = _reach(desk, run, sealed=False)
        first = (f"{run}/final_info.json",)
        commands.append(Command("evaluate", _argv(desk, template.evaluate, run), unlink_first=first, reach=seen))
    env = {**profile.env, **baselines.environment(desk, run)}
    env |= {"AI_SCIENTIST_SEEDS": ",".join(map(str, seeds)), "AI_SCIENTIST_CHECKPOINT": str(_checkpoint(attempt))}
    wrapped = bool(template.environment.wrapper) and not desk.state.settings.python
    return Job(
        tuple(commands),
        str(desk.layout.root.resolve()),
        env,
        profile.timeout,
        sandbox="wrapper" if wrapped and desk.state.settings.sandbox == "auto" else desk.state.settings.sandbox,
        limits=_limits(profile.limits),
    )


def _reach(desk: Desk, run: str, sealed: bool) -> Reach:
    """The run's own folder to write; the study without the tool's records, the interpreter and the data to read."""
    root = desk.layout.root.resolve()
    output = root / run
    output.mkdir(exist_ok=True)  # a sandbox can only let it write into a folder that is there
    hidden = [str(root / ".study"), str(root / ".git")]  # git keeps what is sealed, too
    if sealed:
        hidden += [str(root / name) for name in _sealed(desk)]
    data = [str(Path(name).expanduser().absolute()) for name in desk.profile.data]
    return Reach((str(output),), (str(root), *desk.machine.get("folders", ()), *data), tuple(hidden))


def _sealed(desk: Desk) -> list[str]:
    """Files and folders of the template's `sealed`, the uppermost ones only."""
    whole = [pattern[: -len("/**")] for pattern in desk.template.sealed if pattern.endswith("/**")]
    files = [name for name in desk.workspace.tree(desk.state.head) if globbed(name, desk.template.sealed)]
    return [*whole, *(name for name in files if not any(name.startswith(f"{folder}/") for folder in whole))]


def _limits(asked: Resources) -> Limits:
    gigabyte = 1024**3
    return Limits(
        memory=None if asked.memory_gb is None else int(asked.memory_gb * gigabyte),
        disk=None if asked.disk_gb is None else int(asked.disk_gb * gigabyte),
        files=asked.files,
        processes=asked.processes,
    )


def _checkpoint(attempt: Path) -> Path:
    path = attempt.resolve() / "checkpoint"
    path.mkdir(parents=True, exist_ok=True)
    return path


def _argv(desk: Desk, command: str, run: str) -> tuple[str, ...]:
    words = shlex.split(command.replace("{out_dir}", run))
    return (*desk.interpreter, *words[1:]) if words[0] in ("python", "python3") else tuple(words)


# --- wait ------------------------------------------------------------------------------------------------------


def wait(desk: Desk, action: Await) -> Iterator[e.Event]:
    run = desk.state.runs[action.run]
    assert run.attempt is not None
    attempt = desk.layout.attempt(run.name, run.attempt.number)
    if isinstance(desk.runner.look(attempt), NotStarted):
        folder.write_job(attempt, _job(desk, run.name, attempt, run.attempt.seeds))  # here: the study may have moved
        desk.runner.start(attempt)
    nap = 0.01
    while not isinstance(sight := desk.runner.look(attempt), Outcome):
        desk.take_inbox()
        if desk.interrupted() or desk.state.stopping or _out_of_time(desk):
            desk.runner.stop(attempt)
        if isinstance(sight, Running):
            desk.show_progress(_progress(attempt, run.name, time.time() - sight.started))
        time.sleep(nap)
        nap = min(0.25, nap * 1.5)
    desk.show_progress("")
    yield e.RunEnded(run=run.name, attempt=run.attempt.number, outcome=sight.to_json())
    if desk.interrupted():
        raise Interrupted("interrupted")


def _out_of_time(desk: Desk) -> bool:
    left = time_left(desk.state, desk.elapsed())
    return left is not None and left <= 0


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
