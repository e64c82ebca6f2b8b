"""Step 3 and 8: prepare a job and wait for it. The intent is journaled before the start."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from agent.core import events as e
from agent.core.actions import Await, Launch
from agent.core.errors import Interrupted
from agent.core.file_names import globbed
from agent.core.job import Command, Job, Limits, Reach
from agent.core.state import FRESH
from agent.core.template import Resources
from agent.steps import baselines, fresh, prefetch
from agent.steps.accept import accept
from agent.steps.desk import Desk
from agent.steps.jobs import outcome_of, wait_until
from agent.store.sweep import sweep

_SMOKE_SEEDS = 2  # enough to see whether several go together


def launch(desk: Desk, action: Launch) -> Iterator[e.Event]:
    state = desk.state
    wait_until(desk, action.not_before, f"{action.run} again")
    if action.purpose in FRESH:
        yield from _launch_fresh(desk, action)
        return
    put_output_aside(desk, action.run, action.attempt - 1)
    if action.run in state.baselines and (known := baselines.known_result(desk, action.run)):
        baselines.take(desk, action.run, known)
        sweep(desk.layout.output(action.run), os.environ)  # what is committed must be what is there
        yield accept(desk, action.run, 0, known.result, known.seconds, known.source, known.warnings)
        return
    seeds = seeds_of(desk, action.run, action.purpose)
    yield e.RunLaunched(run=action.run, attempt=action.attempt, head=state.head, seeds=seeds, purpose=action.purpose)


def _launch_fresh(desk: Desk, action: Launch) -> Iterator[e.Event]:
    run = desk.state.runs[action.run]
    seeds = fresh.seeds(desk, run, action.purpose)
    if run.baseline and (known := fresh.known(desk, run.name, seeds)):
        yield known
        return
    yield e.RunLaunched(run=run.name, attempt=action.attempt, head=run.head, seeds=seeds, purpose=action.purpose)


def seeds_of(desk: Desk, run: str, purpose: str) -> tuple[int, ...]:
    if run in desk.state.baselines:
        return tuple(range(baselines.seeds_wanted(desk)))
    wanted = desk.profile.seeds.screen
    return tuple(range(min(_SMOKE_SEEDS, wanted) if purpose == "smoke" else wanted))


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


def _job(desk: Desk, run: str, attempt: Path, seeds: tuple[int, ...], purpose: str) -> Job:
    template, profile = desk.template, desk.profile
    root, out = desk.layout.root.resolve(), run
    if purpose in FRESH:
        root, out = fresh.place(desk, run, attempt), fresh.output(desk.state.runs[run], purpose)
    smoke = profile.smoke if purpose == "smoke" else None
    commands = [Command("experiment", argv(desk, template.command, out), reach=reach(desk, root, out, sealed=True))]
    if template.evaluate:
        seen = reach(desk, root, out, sealed=False)
        first = (f"{out}/final_info.json",)
        commands.append(Command("evaluate", argv(desk, template.evaluate, out), unlink_first=first, reach=seen))
    env = {**profile.env, **prefetch.environment(desk), **baselines.environment(desk, run)}
    env |= smoke.env if smoke else {}
    env |= {"AI_SCIENTIST_SEEDS": ",".join(map(str, seeds)), "AI_SCIENTIST_CHECKPOINT": str(_checkpoint(attempt))}
    wrapped = bool(template.environment.wrapper) and not desk.state.settings.python
    return Job(
        tuple(commands),
        str(root),
        env,
        allowed_seconds(desk, purpose),
        sandbox="wrapper" if wrapped and desk.state.settings.sandbox == "auto" else desk.state.settings.sandbox,
        network=profile.network,
        limits=limits(profile.limits),
        stall=profile.stall,
    )


def allowed_seconds(desk: Desk, purpose: str) -> float:
    smoke = desk.profile.smoke
    return smoke.timeout if purpose == "smoke" and smoke else desk.profile.timeout


def reach(desk: Desk, root: Path, out: str, sealed: bool) -> Reach:
    """The run's own folder to write; the study without the tool's records, the interpreter and the data to read.

    `root` is the study, or a copy of it."""
    output = root / out
    output.mkdir(parents=True, exist_ok=True)  # a sandbox can only let it write into a folder that is there
    copied = root != desk.layout.root.resolve()
    hidden = [] if copied else [str(root / ".study"), str(root / ".git")]  # git keeps what is sealed, too
    if sealed:
        hidden += [str(root / name) for name in _sealed(desk)]
    data = [str(Path(name).expanduser().absolute()) for name in desk.profile.data] + prefetch.folders(desk)
    return Reach((str(output),), (str(root), *desk.machine.get("folders", ()), *data), tuple(hidden))


def _sealed(desk: Desk) -> list[str]:
    """Files and folders of the template's `sealed`, the uppermost ones only."""
    whole = [pattern[: -len("/**")] for pattern in desk.template.sealed if pattern.endswith("/**")]
    files = [name for name in desk.workspace.tree(desk.state.head) if globbed(name, desk.template.sealed)]
    return [*whole, *(name for name in files if not any(name.startswith(f"{folder}/") for folder in whole))]


def limits(asked: Resources) -> Limits:
    gigabyte = 1024**3
    return Limits(
        memory=None if asked.memory_gb is None else int(asked.memory_gb * gigabyte),
        disk=None if asked.disk_gb is None else int(asked.disk_gb * gigabyte),
        files=asked.files,
        processes=asked.processes,
        cpus=asked.cpus,
    )


def _checkpoint(attempt: Path) -> Path:
    path = attempt.resolve() / "checkpoint"
    path.mkdir(parents=True, exist_ok=True)
    return path


def argv(desk: Desk, command: str, run: str) -> tuple[str, ...]:
    words = shlex.split(command.replace("{out_dir}", run))
    return (*desk.interpreter, *words[1:]) if words[0] in ("python", "python3") else tuple(words)


def wait(desk: Desk, action: Await) -> Iterator[e.Event]:
    run = desk.state.runs[action.run]
    assert run.attempt is not None
    last, attempt = run.attempt, desk.layout.attempt(run.name, run.attempt.number)
    said = {"smoke": " (smoke run)", "confirm": " (fresh seeds)", "replicate": " (more seeds)"}
    name = run.name + said.get(last.purpose, "")
    outcome = outcome_of(desk, attempt, name, lambda: _job(desk, run.name, attempt, last.seeds, last.purpose))
    yield e.RunEnded(run=run.name, attempt=run.attempt.number, outcome=outcome.to_json())
    if desk.interrupted():
        raise Interrupted("interrupted")
