"""Step 8 and 10: judge what a job left: a result to accept, or a failure and who has to act."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.core import events as e
from agent.core.actions import Judge
from agent.core.case import before_any_edit, template_texts
from agent.core.job import Outcome
from agent.core.result import Result, check_seeds, missing_metrics, parse_result
from agent.core.state import FRESH, Attempt, Run
from agent.core.template import is_experiment
from agent.core.text import printable
from agent.core.triage import CODER, HELD, Blame, Case, blame
from agent.steps import fresh
from agent.steps.accept import accept
from agent.steps.desk import Desk
from agent.steps.launch import allowed_seconds
from agent.store import files
from agent.store.sweep import sweep

_RESULTS_LONGEST = 10_000_000
_LOG_LONGEST = 4_000_000  # a traceback may be followed by much that other threads say


def judge(desk: Desk, action: Judge) -> Iterator[e.Event]:
    run = desk.state.runs[action.run]
    attempt = run.attempt
    assert attempt is not None and attempt.outcome is not None
    outcome = Outcome.from_json(attempt.outcome)
    touched, strays, told = _side_effects(desk, run, attempt)
    own = desk.layout.attempt(run.name, attempt.number)
    if attempt.purpose in FRESH:
        touched += fresh.touched(desk, run.name, own)
    result = _result(desk, run, attempt) if outcome.ok and not touched else []
    if isinstance(result, Result) and attempt.purpose == "smoke":
        yield e.SmokePassed(run=run.name, attempt=attempt.number, seconds=round(outcome.seconds, 3))
        return
    if isinstance(result, Result) and attempt.purpose in FRESH:
        yield from fresh.accept(desk, run, own, result, outcome.seconds)
        return
    if isinstance(result, Result):
        warnings = tuple(_warnings(outcome, strays, told))
        yield accept(desk, run.name, attempt.number, result, outcome.seconds, "", warnings)
        return
    why = blame(_case(desk, run, attempt, outcome, result, touched))
    if attempt.purpose == "smoke":
        why = replace(why, evidence=f"in the smoke run, {why.evidence}")
    coders = why.kind in CODER and not run.baseline and attempt.purpose not in FRESH
    feedback = (why.detail or why.evidence) if coders else ""
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
    mend = f". {why.action}" if why.kind in HELD else ""
    return f"{run.name}: {why.evidence} (see {log}/stderr.log){mend}"


def _result(desk: Desk, run: Run, attempt: Attempt) -> Result | list[str]:
    path = desk.layout.results(run.name)
    if attempt.purpose in FRESH:
        path = fresh.results_of(desk, run, desk.layout.attempt(run.name, attempt.number))
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
    if not isinstance(result, Result) or reference is None or attempt.purpose == "smoke" or run is reference:
        return result
    expected = [metric for metric in reference.metrics if not _may_lack(desk, metric)]
    problems = [] if run.baseline else missing_metrics(result, expected)
    if any("seeds" in one for one in reference.metrics.values()):  # the template takes the seeds that it is given
        problems += check_seeds(result, attempt.seeds)
    return problems or result


def _may_lack(desk: Desk, metric: str) -> bool:
    """Probes are the coder's own, and come and go with probes.py."""
    return desk.template.metric(metric).optional or metric.startswith("probes.")


def _side_effects(desk: Desk, run: Run, attempt: Attempt) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Frozen files that are not what they were, files left outside run_i/, and files that held a key.

    The first two are copied or moved to the attempt folder, so that judging again after a crash finds the same. From
    everything that the job wrote, keys are taken out before it is read.
    Changes of editable files are a person's, and are dealt with before the next step.
    """
    own = desk.layout.attempt(run.name, attempt.number)
    for name in desk.workspace.strays(desk.state.head):
        if not (desk.template.may_edit(name) and is_experiment(name)):
            (own / "strays" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(desk.layout.root / name, own / "strays" / name)
    tracked = desk.workspace.tree(desk.state.head)
    for name, content in desk.workspace.drift(desk.state.head).changes.items():
        if name in tracked and not desk.template.may_edit(name):
            files.write(own / "touched" / name, content if content is not None else b"")
    told = [name for folder in (desk.layout.output(run.name), own) for name in sweep(folder, os.environ)]
    return _names(own / "touched"), _names(own / "strays"), tuple(told)


def _names(root: Path) -> tuple[str, ...]:
    return (
        tuple(sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())) if root.exists() else ()
    )


def _put_back(desk: Desk, run: Run, attempt: Attempt, touched: tuple[str, ...]) -> None:
    if touched:
        aside = desk.layout.attempt(run.name, attempt.number) / "touched-removed"
        desk.workspace.restore(desk.state.head, touched, aside)


def _warnings(outcome: Outcome, strays: tuple[str, ...], told: tuple[str, ...]) -> list[str]:
    said = []
    if strays:
        said.append(
            f"the run left files outside its folder; they were moved to its attempt folder: {printable(', '.join(strays[:5]))}"
        )
    if told:
        said.append(f"keys of your environment were taken out of {', '.join(told[:5])}; the run could read them")
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
    original = desk.workspace.read(before_any_edit(desk.state, attempt.head))
    return Case(
        outcome=outcome,
        stdout=files.read_tail(own / "stdout.log"),
        stderr=files.read_tail(own / "stderr.log", _LOG_LONGEST),
        problems=tuple(problems),
        touched=touched,
        seconds_allowed=allowed_seconds(desk, attempt.purpose),
        asked_by="person" if desk.state.stopping == "run" else "study",
        editable=texts.__contains__,
        sources=lambda name: texts.get(name, ""),
        root=str(fresh.place(desk, run.name, own) if attempt.purpose in FRESH else desk.layout.root),
        template=template_texts(original),
        baseline=run.baseline,
        network=desk.profile.network,
        sealed=desk.template.sealed,
    )
