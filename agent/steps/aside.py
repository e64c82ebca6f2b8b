"""plot.py and probes.py, when they have changed: run beside the runs, and what comes of it is told to the coder.

plot.py gets the results files in a scratch folder, and the images it leaves become figures/. probes.py is run by the
template's own command on what all runs have saved, and its numbers take the place of all probes before them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.core import events as e
from agent.core.errors import Interrupted
from agent.core.job import Command, Job, NotStarted, Outcome
from agent.core.policy import Aside
from agent.core.result import Measure, identity
from agent.core.state import SIDES
from agent.core.triage import CODER, Blame, Case, blame
from agent.steps import side
from agent.steps.desk import Desk
from agent.steps.jobs import outcome_of
from agent.steps.launch import argv, limits, reach
from agent.store import files
from agent.store.sweep import sweep

FIGURES = "figures"
_PROBES = "probes.json"


def perform(desk: Desk, action: Aside) -> Iterator[e.Event]:
    attempt = desk.layout.attempt(action.what, action.attempt).resolve()
    here = side.Side(attempt, desk.interpreter, tuple(desk.machine.get("folders", ())), desk.state.settings.sandbox)
    plots = action.what == "plot"
    if isinstance(desk.runner.look(attempt), NotStarted):
        shutil.rmtree(here.scratch, ignore_errors=True)
        side.lay_out(here, _content(desk) if plots else {})
    outcome = outcome_of(desk, attempt, SIDES[action.what], lambda: side.plot(here) if plots else _probe(desk, here))
    sweep(attempt, os.environ)
    if not outcome.ok:
        yield _failed(desk, action, here, outcome)
    elif plots:
        yield _figures(desk, action, here)
    else:
        yield _probes(desk, action, here, outcome)
    if desk.interrupted():
        raise Interrupted("interrupted")


def _content(desk: Desk) -> dict[str, bytes]:
    good = [run.name for run in desk.state.runs.values() if run.status == "good"]
    return {**desk.workspace.read(desk.state.head, ["plot.py"]), **side.results(desk.layout.root, good)}


def _probe(desk: Desk, here: side.Side) -> Job:
    """The template's command, seeing what its evaluation sees, and writing its scratch folder only."""
    root, folder = desk.layout.root.resolve(), here.scratch
    seen = reach(desk, root, "", sealed=False)
    seen = dataclasses.replace(seen, writable=(str(folder),))
    words = argv(desk, desk.template.probe, str(folder))
    env = {**desk.profile.env, "AI_SCIENTIST_RUNS": ",".join(_measured(desk))}
    return Job((Command("probe", words, reach=seen),), str(root), env, desk.profile.timeout, sandbox=here.sandbox,
               limits=limits(desk.profile.limits))  # fmt: skip


def _measured(desk: Desk) -> list[str]:
    return [run.name for run in desk.state.runs.values() if run.status == "good"]


def _figures(desk: Desk, action: Aside, here: side.Side) -> e.Event:
    found = {f"{FIGURES}/{path.name}": path.read_bytes() for path in side.images(here)}
    known = [name for name in desk.workspace.tree(desk.state.head) if name.startswith(f"{FIGURES}/")]
    gone: dict[str, str | bytes | None] = {name: None for name in known if name not in found}
    head = desk.commit({**gone, **found}, f"Figures: {', '.join(sorted(found)) or 'none'}")
    return e.FiguresDrawn(attempt=action.attempt, head=head, files=tuple(sorted(found)))


def _probes(desk: Desk, action: Aside, here: side.Side, outcome: Outcome) -> e.Event:
    found = read_probes(here.scratch / _PROBES, _measured(desk))
    if isinstance(found, str):
        return e.SideFailed(what="probe", attempt=action.attempt, evidence=found, feedback=found)
    return e.ProbesMeasured(attempt=action.attempt, runs=found)


def read_probes(path: Path, runs: list[str]) -> dict[str, dict[str, dict[str, Any]]] | str:
    """{"runs": {run: {name: {"mean", "stderr", "n"}}}} by metric identity; or what is wrong with it."""
    try:
        told = json.loads(files.read_tail(path, 10_000_000))["runs"]
        return {
            run: {identity(f"probes.{name}"): vars(Measure(float(one["mean"]), one.get("stderr"), one.get("n")))
                  for name, one in sorted(told[run].items())}
            for run in runs if run in told
        }  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        return f"probes.json cannot be read: {type(problem).__name__}: {problem}"


def _failed(desk: Desk, action: Aside, here: side.Side, outcome: Outcome) -> e.Event:
    why = _why(desk, action, here, outcome)
    told = (why.detail or why.evidence) if why.kind in CODER else ""
    return e.SideFailed(what=action.what, attempt=action.attempt, evidence=why.evidence, feedback=told)


def _why(desk: Desk, action: Aside, here: side.Side, outcome: Outcome) -> Blame:
    name = SIDES[action.what]
    text = desk.workspace.read(desk.state.head, [name]).get(name, b"").decode("utf-8", "replace")
    return blame(
        Case(
            outcome=outcome,
            stdout=files.read_tail(here.attempt / "stdout.log"),
            stderr=files.read_tail(here.attempt / "stderr.log"),
            seconds_allowed=side.PLOT_SECONDS if action.what == "plot" else desk.profile.timeout,
            asked_by="study",
            editable=lambda path: path == name,
            sources=lambda path: text if path == name else "",
            root=str(here.scratch if action.what == "plot" else desk.layout.root),
        )
    )
