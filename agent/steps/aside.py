"""plot.py and probes.py, when they have changed: run beside the runs, and what comes of it is told to the coder.

plot.py gets the results files of the runs that it draws in a scratch folder, and the images it leaves become figures/;
so a figure shows no other run than the journal says. After a confirmation they are those of the fresh seeds. probes.py is run by the
template's own command on what all runs have saved, and its numbers take the place of all probes before them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.core import events as e
from agent.core.actions import Aside
from agent.core.cells import fresh_runs
from agent.core.errors import Interrupted
from agent.core.job import Command, Job, NotStarted, Outcome
from agent.core.labels import labelled
from agent.core.layout import FIGURES, is_default_figure
from agent.core.result import Measure, identity
from agent.core.state import SIDES
from agent.core.text import listed
from agent.core.triage import CODER, Blame, Case, blame
from agent.steps import side
from agent.steps.desk import Desk
from agent.steps.jobs import outcome_of
from agent.steps.launch import argv, limits, reach
from agent.store import files
from agent.store.sweep import sweep

_PROBES = "probes.json"


def perform(desk: Desk, action: Aside) -> Iterator[e.Event]:
    plots = action.what == "plot"
    content = _content(desk) if plots else {}
    attempt = desk.layout.attempt(_folder(action.what, content), action.attempt).resolve()
    here = side.Side(attempt, desk.interpreter, tuple(desk.machine.get("folders", ())), desk.state.settings.sandbox)
    if isinstance(desk.runner.look(attempt), NotStarted):
        shutil.rmtree(here.scratch, ignore_errors=True)
        side.lay_out(here, content)
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


def _folder(what: str, content: Mapping[str, bytes]) -> str:
    """For a plot with the hash of all it reads: what a killed session has left is taken up only if that is still the same."""
    told = "".join(f"{name} {hashlib.sha256(data).hexdigest()}\n" for name, data in sorted(content.items()))
    return f"{what}-{hashlib.sha256(told.encode()).hexdigest()[:12]}" if content else what


def _content(desk: Desk) -> dict[str, bytes]:
    """plot.py and the results of the runs that it draws: of those in its `labels`, or of all where it has none."""
    results = side.results(desk.layout.root, _drawn(desk), fresh_runs(desk.state))
    return {**desk.workspace.read(desk.state.head, ["plot.py"]), **results}


def _drawn(desk: Desk) -> list[str]:
    wanted = labelled(_text(desk, "plot.py"))
    return [run for run in _measured(desk) if wanted is None or run in wanted]


def _text(desk: Desk, name: str) -> str:
    return desk.workspace.read(desk.state.head, [name]).get(name, b"").decode("utf-8", "replace")


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
    left_out = tuple(sorted(name for name in found if is_default_figure(name)))
    kept = {name: data for name, data in found.items() if name not in left_out}
    shown = e.Shown(runs=tuple(_drawn(desk)))
    return e.FiguresDrawn(
        attempt=action.attempt,
        head=keep_figures(desk, kept, f"Figures: {', '.join(sorted(kept)) or 'none'}", default=False),
        files=tuple(sorted(kept)),
        shows=dict.fromkeys(sorted(kept), shown),
        labels=labelled(_text(desk, "plot.py")),
        left_out=left_out,
    )


def keep_figures(desk: Desk, found: Mapping[str, bytes], message: str, default: bool) -> str:
    """A commit in which these are all the default figures, or all the others; the present one, if they are so already."""
    known = [name for name in desk.workspace.tree(desk.state.head) if name.startswith(f"{FIGURES}/")]
    gone = {name: None for name in known if name not in found and is_default_figure(name) == default}
    before = desk.workspace.read(desk.state.head, found)
    changed = {name: data for name, data in found.items() if before.get(name) != data}
    return desk.commit({**gone, **changed}, message) if gone or changed else desk.state.head


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
    if told and action.what == "plot":
        told += f"\n\nplot.py finds the results of the runs in `labels` that there are: {listed(_drawn(desk), 20) or 'none'}."
    return e.SideFailed(what=action.what, attempt=action.attempt, evidence=why.evidence, feedback=told)


def _why(desk: Desk, action: Aside, here: side.Side, outcome: Outcome) -> Blame:
    name = SIDES[action.what]
    text = _text(desk, name)
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
