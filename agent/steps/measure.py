"""`ai-scientist baseline`: where a template's baselines are measured, and results that were measured elsewhere.

Measuring is a study without runs: the same set-up, loop, launcher and judge, with an idea of the tool's own and
`max_runs = 0`, in a hidden folder beside the studies. What it measures goes into the cache as from any study, so there
is no second way by which a baseline comes about. The folder goes when all is measured; until then the same command
goes on with it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from agent.core import events as e
from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.idea import parse_idea
from agent.core.job import Running
from agent.core.layout import MEASURING, Layout
from agent.core.ports import Pulse, Runner
from agent.core.prompt import Bill, NoReply, Prompt, Reply
from agent.core.result import Result, parse_result
from agent.core.text import did_you_mean
from agent.steps import baselines, setup
from agent.steps.desk import Desk
from agent.store import files, journal
from agent.store.catalog import LoadedTemplate

_RESULTS_LONGEST = 10_000_000


class NoModel:
    """core.ports.Model where nobody is asked anything."""

    name = "none"

    def worst(self, prompt: Prompt) -> Bill:
        return Bill({}, 0.0)

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply | NoReply:
        raise AssertionError("measuring baselines asks no model")


def begin(loaded: LoadedTemplate, settings: Settings, runner: Runner, now: Callable[[], float], again: bool) -> Path:
    """The folder to measure in: one that was left, if nothing has changed since, else a new one."""
    profile, _ = loaded.template.profile(settings.profile)
    root = Path(settings.results) / f"{MEASURING}{loaded.template.name}-{profile}"
    if root.exists():
        if not again and _goes_on(root, loaded, settings):
            return root
        discard(root, runner)
    fields = {
        "Name": "baselines",
        "Title": f"Baselines of {loaded.template.name}, profile {profile}",
        "Experiment": "Measure all baselines.",
    }
    bare = replace(loaded, baseline_results="")  # what a classic template ships was not measured here
    return setup.create(parse_idea(fields, "the baselines"), bare, settings, now, root.name)


def _goes_on(root: Path, loaded: LoadedTemplate, settings: Settings) -> bool:
    path = Layout(root).journal
    happened = [entry.event for entry in journal.read(path)] if path.exists() else []
    made = [event for event in happened if isinstance(event, e.StudyCreated)]
    opened = [event for event in happened if isinstance(event, e.StudyOpened)]
    return bool(made and opened) and (made[0].template_sha256, opened[-1].settings) == (loaded.sha256, settings)


def discard(root: Path, runner: Runner) -> None:
    """Remove the folder, once nobody works on it and none of its jobs runs. Killed half-way, the next set-up sweeps it."""
    lock = journal.Lock(Layout(root).lock)
    try:
        for attempt in (Layout(root).own / "attempts").glob("*"):
            while isinstance(runner.look(attempt), Running):
                runner.stop(attempt)
                time.sleep(0.05)
        gone = root.with_name(f".new-{os.getpid()}-{root.name}")
        root.rename(gone)
    finally:
        lock.release()
    shutil.rmtree(gone, ignore_errors=True)


def bring(desk: Desk, folder: Path, again: bool) -> None:
    """Keep results that were measured elsewhere: FOLDER/run_0, FOLDER/run_0_<name> …; all of them or none."""
    found: dict[str, int] = {}
    problems = _unknown(desk, folder)
    for run in desk.state.baselines:
        seeds = _seeds(desk, folder / run / "final_info.json")
        old = baselines.kept(desk, run)
        if isinstance(seeds, int) and old and not again:
            problems.append(f"{run} is known already, {old.source}; --again replaces it")
        elif isinstance(seeds, int):
            found[run] = seeds
        elif seeds:
            problems += [f"{run}/{problem}" for problem in seeds]
        elif not old:
            problems.append(f"{run}/final_info.json: not there, and this baseline is not known here either")
    if problems or not found:
        problems = problems or [f"it holds none of {', '.join(desk.state.baselines)}"]
        raise InputProblem(f"the results in {folder} cannot be used", "Nothing was imported.", problems)
    source = f"imported from {folder.absolute()} on {datetime.fromtimestamp(desk.now()):%Y-%m-%d %H:%M}"
    for run, seeds in found.items():
        origin = {"study": "", "run": run, "seconds": 0.0, "seeds": seeds, "source": source, "imported": True}
        baselines.keep(desk, run, folder / run, origin)


def _unknown(desk: Desk, folder: Path) -> list[str]:
    names = [p.name for p in sorted(folder.glob("run_0*")) if p.is_dir()]
    return [
        f"{name}: the template has no such baseline{did_you_mean(name, desk.state.baselines)}"
        for name in names
        if name not in desk.state.baselines
    ]


def _seeds(desk: Desk, path: Path) -> int | list[str]:
    """Over how many seeds the result is, or what is wrong with it; an empty list if there is none."""
    if not path.exists():
        return []
    if path.is_symlink() or not path.is_file() or path.stat().st_size > _RESULTS_LONGEST:
        return [f"final_info.json: must be a plain file of at most {_RESULTS_LONGEST // 1_000_000} MB"]
    result = parse_result(files.read_tail(path, _RESULTS_LONGEST))
    if not isinstance(result, Result):
        return [p if p.startswith("final_info.json") else f"final_info.json: {p}" for p in result]
    primary = desk.template.primary
    if primary and primary not in result.measures:
        return [f"final_info.json: the primary metric {primary} is missing{did_you_mean(primary, result.measures)}"]
    seeds = min((m.n for m in result.measures.values() if m.n), default=1)
    wanted = baselines.seeds_wanted(desk)
    return seeds if seeds >= wanted else [f"final_info.json: {seeds} of the {wanted} seeds that are asked for"]
