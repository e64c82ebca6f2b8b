"""Step 3 and 8: prepare a job, wait for it, judge what it left. The intent is journaled before the start."""

from __future__ import annotations

import json
import shlex
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from agent.core import digest
from agent.core import events as e
from agent.core.errors import Interrupted
from agent.core.job import PROGRESS_FILE, Command, Job, NotStarted, Outcome, Running
from agent.core.policy import Await, Judge, Launch, time_left
from agent.core.result import Result, missing_metrics, parse_result
from agent.core.state import Attempt, Run
from agent.core.template import is_experiment
from agent.core.text import printable
from agent.core.triage import CODER, Blame, Case, blame
from agent.runners import folder
from agent.steps import baselines
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts
from agent.store import files

_RESULTS_LONGEST = 10_000_000
_COMMITTED_FILE = 1_000_000  # larger outputs stay in the folder and out of git
_COMMITTED_FILES = 200
_COMMITTED_BYTES = 5_000_000  # of all files of a run together
_BULKY = (".pt", ".pth", ".npy", ".npz", ".safetensors", ".ckpt", ".bin", ".h5", ".pkl")


# --- launch ----------------------------------------------------------------------------------------------------


def launch(desk: Desk, action: Launch) -> Iterator[e.Event]:
    layout, state = desk.layout, desk.state
    put_output_aside(desk, action.run, action.attempt - 1)
    if action.run in state.baselines and (known := baselines.known_result(desk, action.run)):
        yield accept(desk, action.run, 0, known.result, known.seconds, known.source, ())
        return
    attempt = layout.attempt(action.run, action.attempt)
    if attempt.exists() and not folder.is_taken(attempt):
        shutil.rmtree(attempt)  # prepared just before a crash, and never started
    seeds = seeds_of(desk, action.run)
    folder.write_job(attempt, _job(desk, action.run, attempt, seeds))
    yield e.RunLaunched(run=action.run, attempt=action.attempt, head=state.head, seeds=seeds)


def seeds_of(desk: Desk, run: str) -> tuple[int, ...]:
    seeds = desk.profile.seeds
    return tuple(range(seeds.baseline if run in desk.state.baselines else seeds.screen))


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
    commands = [Command("experiment", _argv(desk, template.command, run))]
    if template.evaluate:
        commands.append(
            Command("evaluate", _argv(desk, template.evaluate, run), unlink_first=(f"{run}/final_info.json",))
        )
    env = {**profile.env, **baselines.environment(desk, run)}
    env |= {"AI_SCIENTIST_SEEDS": ",".join(map(str, seeds)), "AI_SCIENTIST_CHECKPOINT": str(_checkpoint(attempt))}
    return Job(tuple(commands), str(desk.layout.root.resolve()), env, profile.timeout)


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


# --- judge -----------------------------------------------------------------------------------------------------


def judge(desk: Desk, action: Judge) -> Iterator[e.Event]:
    run = desk.state.runs[action.run]
    attempt = run.attempt
    assert attempt is not None and attempt.outcome is not None
    outcome = Outcome.from_json(attempt.outcome)
    touched, strays = _side_effects(desk, run, attempt)
    result = _result(desk, run) if outcome.ok and not touched else []
    if isinstance(result, Result):
        warnings = tuple(_warnings(outcome, strays))
        yield accept(desk, run.name, attempt.number, result, outcome.seconds, "", warnings)
        return
    why = blame(_case(desk, run, attempt, outcome, result, touched))
    feedback = (why.detail or why.evidence) if why.kind in CODER and not run.baseline else ""
    yield e.RunFailed(
        run=run.name,
        attempt=attempt.number,
        blame=why.kind,
        feedback=feedback,
        evidence=_evidence(desk, run, attempt, why),
    )
    _put_back(desk, run, attempt, touched)


def _evidence(desk: Desk, run: Run, attempt: Attempt, why: Blame) -> str:
    if why.kind in CODER and not run.baseline:
        return why.evidence
    log = desk.layout.attempt(run.name, attempt.number).relative_to(desk.layout.root)
    return f"{run.name}: {why.evidence} (see {log}/stderr.log)"


def _result(desk: Desk, run: Run) -> Result | list[str]:
    path = desk.layout.results(run.name)
    try:
        status = path.lstat()
    except OSError:
        return [
            f"{run.name}/final_info.json was not written; the experiment must write it into the folder given by --out_dir"
        ]
    if not stat.S_ISREG(status.st_mode):
        return [f"{run.name}/final_info.json is not a plain file"]
    if status.st_size > _RESULTS_LONGEST:
        return [f"{run.name}/final_info.json is larger than {_RESULTS_LONGEST // 1_000_000} MB"]
    result = parse_result(path.read_text("utf-8", "replace"))
    reference = desk.state.reference
    if isinstance(result, Result) and reference and not run.baseline:
        return missing_metrics(result, reference.metrics) or result
    return result


def _side_effects(desk: Desk, run: Run, attempt: Attempt) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Frozen files that are not what they were, and files left outside run_i/.

    Both are copied or moved to the attempt folder first, so that judging again after a crash finds the same.
    Changes of editable files are a person's, and are dealt with before the next step.
    """
    own = desk.layout.attempt(run.name, attempt.number)
    drift = desk.workspace.drift(desk.state.head)
    tracked = desk.workspace.tree(desk.state.head)
    for name, content in drift.changes.items():
        if name not in tracked and not (desk.template.may_edit(name) and is_experiment(name)):
            (own / "strays" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(desk.layout.root / name, own / "strays" / name)
        elif name in tracked and not desk.template.may_edit(name):
            files.write(own / "touched" / name, content if content is not None else b"")
    return _names(own / "touched"), _names(own / "strays")


def _names(root: Path) -> tuple[str, ...]:
    return (
        tuple(sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())) if root.exists() else ()
    )


def _put_back(desk: Desk, run: Run, attempt: Attempt, touched: tuple[str, ...]) -> None:
    if touched:
        aside = desk.layout.attempt(run.name, attempt.number) / "touched-removed"
        desk.workspace.restore(desk.state.head, touched, aside)


def _warnings(outcome: Outcome, strays: tuple[str, ...]) -> list[str]:
    said = []
    if strays:
        said.append(
            f"the run left files outside its folder; they were moved to its attempt folder: {printable(', '.join(strays[:5]))}"
        )
    if outcome.unlinked:
        said.append(f"{', '.join(outcome.unlinked)} was written before the evaluation and was removed")
    if outcome.dropped_bytes:
        said.append(f"{outcome.dropped_bytes:,} bytes of output were not kept")
    return said


def _case(
    desk: Desk, run: Run, attempt: Attempt, outcome: Outcome, problems: list[str], touched: tuple[str, ...]
) -> Case:
    own = desk.layout.attempt(run.name, attempt.number)
    texts = desk.editable(attempt.head)
    return Case(
        outcome=outcome,
        stdout=files.read_tail(own / "stdout.log"),
        stderr=files.read_tail(own / "stderr.log"),
        problems=tuple(problems),
        touched=touched,
        seconds_allowed=desk.profile.timeout,
        asked_by="person" if desk.state.stopping == "run" else "study",
        editable=texts.__contains__,
        sources=lambda name: texts.get(name, ""),
        root=str(desk.layout.root),
    )


def accept(
    desk: Desk, run: str, attempt: int, result: Result, seconds: float, source: str, warnings: tuple[str, ...]
) -> e.RunAccepted:
    """Commit results, logs and texts; the event carries the commit."""
    metrics = {m: {"mean": v.mean, "stderr": v.stderr, "n": v.n} for m, v in result.measures.items()}

    def event(head: str) -> e.RunAccepted:
        return e.RunAccepted(
            run=run,
            attempt=attempt,
            head=head,
            metrics=metrics,
            seconds=round(seconds, 3),
            source=source,
            warnings=warnings,
        )

    if attempt:
        _write_logs(desk, run, attempt)
    after = desk.foresee(event(desk.state.head))
    if run in desk.state.baselines and attempt:
        baselines.remember(desk, run, seconds)
    outputs = _outputs(desk, run)
    head = desk.commit({**outputs, **kept_texts(desk, after)}, _message(desk, after.runs[run], result))
    return event(head)


def _write_logs(desk: Desk, run: str, attempt: int) -> None:
    own, output = desk.layout.attempt(run, attempt), desk.layout.output(run)
    job = folder.read_job(own)
    streams = [(name, files.read_tail(own / f"{name}.log", 500_000)) for name in ("stdout", "stderr")]
    files.write(output / "log.txt", "".join(f"--- {name} ---\n{text}" for name, text in streams), own)
    lines = [
        f"export {key}={shlex.quote(value)}"
        for key, value in sorted(job.env.items())
        if key != "AI_SCIENTIST_CHECKPOINT"
    ]
    script = [f"# How {run} was run, from the study's folder.", *lines, *(shlex.join(c.argv) for c in job.commands)]
    files.write(output / "command.sh", "\n".join(["#!/bin/sh", *script]) + "\n", own)


def _outputs(desk: Desk, run: str) -> dict[str, bytes]:
    """The small files of run_i/, for the commit."""
    kept: dict[str, bytes] = {}
    room = _COMMITTED_BYTES
    for path in sorted(desk.layout.output(run).rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix in _BULKY:
            continue
        if path.stat().st_size > _COMMITTED_FILE and path != desk.layout.results(run):
            continue
        if path == desk.layout.results(run) or (len(kept) < _COMMITTED_FILES and path.stat().st_size <= room):
            kept[path.relative_to(desk.layout.root).as_posix()] = path.read_bytes()
            room -= path.stat().st_size
    return kept


def _message(desk: Desk, run: Run, result: Result) -> str:
    metrics = sorted(result.measures, key=lambda m: (desk.template.metric(m).role != "primary", m))[:12]
    body = "\n".join(f"{m}: {digest.cell(run, m, desk.template)}" for m in metrics)
    return f"{run.name}: {desk.template.baseline_of(run.name) if run.baseline else run.summary}\n\n{body}\n"
