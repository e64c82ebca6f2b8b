"""`baseline`: measure a template's baselines on this machine, or take over results that were measured elsewhere."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.screen import Screen, short_path
from agent.commands.settings import settled
from agent.core.errors import InputProblem, ScientistError

if TYPE_CHECKING:
    from agent.core.actions import Stop
    from agent.core.config import Settings
    from agent.core.state import Run
    from agent.core.template import Profile
    from agent.steps.desk import Desk


@dataclass(frozen=True)
class _End:
    code: int
    why: str
    known: bool  # all of them, before it began


_NOT_ASKED = {
    "require_pdf": False,
    "model": "",
    "record": "",
    "max_runs": 0,
    "max_time": None,
}  # settings of studies that are not for this


def baseline(options: argparse.Namespace) -> int:
    import time

    from agent import session
    from agent.runners import tree
    from agent.steps import measure
    from agent.store import catalog

    settings = session.merged(settled(options), _NOT_ASKED)
    loaded = catalog.load_template(settings.template)
    _, sized = loaded.template.profile(settings.profile)
    _check(options, settings, sized)
    session.preflight(loaded.template, sized, settings, loaded.folder)
    tree.hide_from_children()
    screen = Screen(quiet=options.quiet or options.json)
    runner = session.make_runner(settings)
    root = measure.begin(loaded, settings, runner, time.time, options.again)
    outside: dict[str, Any] = {
        "now": time.time,
        "tell": screen.teller(loaded.template),
        "show_progress": screen.progress,
        "interrupted": screen.watch_signals(),
        "model": measure.NoModel(),
    }
    try:
        with session.opened(root, settings.model_dump(exclude={"template", "profile"}), False, **outside) as desk:
            end = _work(desk, screen, options)
            _say_end(desk, end, options)
    except InputProblem:
        measure.discard(root, runner)
        raise
    if end.code == 0:
        measure.discard(root, runner)
    return end.code


def _check(options: argparse.Namespace, settings: Settings, profile: Profile) -> None:
    if settings.baseline_seeds and settings.baseline_seeds < profile.seeds.baseline:
        raise InputProblem(
            f"the profile asks for {profile.seeds.baseline} seeds of a baseline, and {settings.baseline_seeds} are fewer",
            "Give --seeds a higher number, or none.",
        )
    if options.folder and not Path(options.folder).is_dir():
        raise InputProblem(f"there is no folder {options.folder}", "Give --import the folder that holds run_0/.")


def _work(desk: Desk, screen: Screen, options: argparse.Namespace) -> _End:
    from agent.loop import fetch, work
    from agent.steps import baselines, measure

    if stop := fetch(desk):  # the cache's key holds its revisions
        screen.clear()
        return _end(desk, stop, False)
    if options.folder:
        measure.bring(desk, Path(options.folder), options.again)
    elif options.again:
        for run in desk.state.baselines:
            baselines.forget(desk, run)
    known = all(baselines.kept(desk, run) for run in desk.state.baselines)
    if not screen.quiet:
        _say_begin(desk, known and not options.folder)
    screen.quiet |= known
    try:
        stop = work(desk)
    except ScientistError as error:
        screen.clear()
        error.hint = error.hint or "The same command goes on where it stopped."
        raise
    screen.clear()
    return _end(desk, stop, known)


def _end(desk: Desk, stop: Stop, known: bool) -> _End:
    runs = [desk.state.runs.get(name) for name in desk.state.baselines]
    measured = [run for run in runs if run and run.status == "good"]
    if len(measured) < len(runs):
        return _End(_code(desk, stop), stop.why, known)
    if lost := [run.name for run in measured if not _is_kept(desk, run)]:
        cache = short_path(desk.layout.root.parent / ".cache")
        return _End(4, f"not kept: {', '.join(lost)}; larger than 500 MB, or no room in {cache}", known)
    return _End(0, "all baselines are measured", known)


def _is_kept(desk: Desk, run: Run) -> bool:
    """Once more, if there was no room when it was measured."""
    from agent.steps import baselines

    if run.attempt:
        baselines.remember(desk, run.name, run.seconds, len(run.attempt.seeds))
    return baselines.kept(desk, run.name) is not None


def _code(desk: Desk, stop: Stop) -> int:
    """A baseline that fails by its own code has ended without a usable result; what the machine lacks is set-up."""
    from agent.core.triage import CODER

    failed = any(run.blamed(*CODER) for run in desk.state.runs.values() if run.status != "good")
    return 1 if failed and stop.exit_code == 2 else stop.exit_code


def _say_begin(desk: Desk, known: bool) -> None:
    from agent.core.text import plural
    from agent.report.baseline_table import name_of
    from agent.session import sandbox_of
    from agent.steps.baselines import seeds_wanted

    names = ", ".join(f"{run} ({name_of(run, desk.template)})" for run in desk.state.baselines)
    print(f"{desk.idea.title}: {names}; {plural(seeds_wanted(desk), 'seed')} each")
    if known:
        print("  All of them are known; --again measures them anew.")
    else:
        print(f"  sandbox: {sandbox_of(desk.state.settings, desk.template, desk.profile).said}")


def _say_end(desk: Desk, end: _End, options: argparse.Namespace) -> None:
    from agent.report.baseline_table import baseline_record, table

    root = desk.layout.root
    if options.json:
        told: dict[str, Any] = {"template": desk.template.name, "profile": desk.state.profile, "known": end.known}
        told |= {"baselines": baseline_record(desk.state, desk.template), "exit_code": end.code, "why": end.why}
        print(json.dumps(told | ({"folder": str(root)} if end.code else {}), ensure_ascii=False))
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 140
    if shown := table(desk.state, desk.template, width):
        print(f"\n{shown}")
    if end.code:
        print(f"\n{end.why[:1].upper()}{end.why[1:]}.\n  Folder: {short_path(root)}; the same command goes on there.")
