"""The default figures: drawn from the state by a program of the tool's own, in the sandbox, and committed when they changed.

The attempt's folder has the hash of what is to be drawn in its name. So a job that a killed session has left is taken up
when the data are the same, and never taken for figures of other data. The data stay beside the images: figures/default_figures.json.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from functools import cache
from importlib import resources

from agent.core import events as e
from agent.core.actions import Draw
from agent.core.errors import Interrupted
from agent.core.job import NotStarted, Outcome
from agent.core.layout import FIGURES
from agent.core.text import shorten
from agent.runners.inspect import fingerprint
from agent.steps import side
from agent.steps.aside import keep_figures
from agent.steps.desk import Desk
from agent.steps.jobs import outcome_of
from agent.store import files
from agent.store.sweep import sweep
from agent.writing import figures

DATA = f"{FIGURES}/default_figures.json"
_PROGRAM = "draw.py"
_INPUT = "figures.json"  # as the program calls it


def perform(desk: Desk, action: Draw) -> Iterator[e.Event]:
    data = json.dumps(
        figures.document(desk.state, desk.template), indent=1, ensure_ascii=False, allow_nan=False
    ).encode()
    here = _place(desk, action, data)
    if isinstance(desk.runner.look(here.attempt), NotStarted):
        shutil.rmtree(here.scratch, ignore_errors=True)
        side.lay_out(here, {_PROGRAM: _program(), _INPUT: data})
    outcome = outcome_of(desk, here.attempt, "figures", lambda: side.plot(here, _PROGRAM))
    sweep(here.attempt, os.environ)
    yield _drawn(desk, action, here, data) if outcome.ok else _failed(action, here, outcome)
    if desk.interrupted():
        raise Interrupted("interrupted")


def _place(desk: Desk, action: Draw, data: bytes) -> side.Side:
    name = f"figures-{hashlib.sha256(data + _program()).hexdigest()[:12]}"
    own = (sys.executable,)
    folders = tuple(desk.machine.get("folders", ())) if desk.interpreter == own else _folders()
    return side.Side(desk.layout.attempt(name, action.attempt).resolve(), own, folders, desk.state.settings.sandbox)


@cache
def _folders() -> tuple[str, ...]:
    """Of the tool's own Python, which has matplotlib; the experiment's may not."""
    return fingerprint((sys.executable,)).folders


@cache
def _program() -> bytes:
    return resources.files("agent.writing").joinpath(_PROGRAM).read_bytes()


def _drawn(desk: Desk, action: Draw, here: side.Side, data: bytes) -> e.Event:
    made = figures.figures(desk.state, desk.template)
    images = {f"{FIGURES}/{path.name}": path.read_bytes() for path in side.images(here)}
    wanted = [(f"{FIGURES}/{one.name}{ending}", one) for one in made for ending in side.IMAGES]
    lost = [name for name, _ in wanted if name not in images]
    if lost:
        return e.SideFailed(what="default", attempt=action.attempt, evidence=f"{', '.join(lost)} did not come out")
    found = {name: images[name] for name, _ in wanted}
    head = keep_figures(
        desk, {**found, DATA: data + b"\n"}, f"Default figures: {', '.join(one.name for one in made)}", True
    )
    shows = {name: e.Shown(runs=one.runs, metrics=one.metrics) for name, one in wanted}
    return e.FiguresDrawn(what="default", attempt=action.attempt, head=head, files=tuple(sorted(found)), shows=shows)


def _failed(action: Draw, here: side.Side, outcome: Outcome) -> e.Event:
    """Nobody's to mend in a study: it is said, and the study goes on without."""
    lines = files.read_tail(here.attempt / "stderr.log", 4000).strip().splitlines()
    said = outcome.detail or outcome.ending
    return e.SideFailed(
        what="default", attempt=action.attempt, evidence=shorten(f"{said} {lines[-1] if lines else ''}", 300)
    )
