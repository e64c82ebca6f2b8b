"""`show` and `diff`: read a study, change nothing. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from agent.commands.screen import short_path
from agent.commands.settings import results_folder
from agent.core.errors import InputProblem, ScientistError

if TYPE_CHECKING:
    from agent.core.state import State
    from agent.core.template import Template
    from agent.store.workspace import Workspace


def open_study(options: argparse.Namespace) -> tuple[Path, State, Template]:
    from agent.store.catalog import find_study, look

    root = find_study(options.study or ".", results_folder(options))
    state, _, template = look(root)
    return root, state, template


def show(options: argparse.Namespace) -> int:
    from agent.report.record import record
    from agent.report.summary import facts, run_table, status
    from agent.store.journal import is_locked

    if not options.study and not _inside_a_study():
        return _show_all(options)
    root, state, template = open_study(options)
    working = is_locked(root / ".study" / "lock")
    if options.json:
        print(json.dumps({**record(state, template, working), "folder": str(root)}, ensure_ascii=False))
        return 0
    print(f"{state.name}\n")
    for label, text in [
        ("Status", status(state, working)),
        *facts(state, template, time.time() if working else None)[1:],
    ]:
        print(f"{label + ':':<12}{text}")
    print()
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 140
    print(run_table(state, template, width))
    print(f"\nFolder: {short_path(root)}\nChanges: ai-scientist diff {state.name} run_1")
    return 0


def _inside_a_study() -> bool:
    return any((folder / ".study" / "journal.jsonl").exists() for folder in (Path.cwd(), *Path.cwd().parents))


def _show_all(options: argparse.Namespace) -> int:
    from agent.core.fold import fold
    from agent.report.summary import status
    from agent.store.catalog import studies
    from agent.store.journal import is_locked, read

    results = results_folder(options)
    rows = []
    for name in studies(results):
        try:
            state = fold(read(results / name / ".study" / "journal.jsonl"))
            rows.append(
                {
                    "name": name,
                    "status": status(state, is_locked(results / name / ".study" / "lock")),
                    "good_runs": len(state.good),
                }
            )
        except ScientistError as error:
            rows.append({"name": name, "status": f"unreadable: {error.message}", "good_runs": 0})
    if options.json:
        print(json.dumps(rows, ensure_ascii=False))
    elif not rows:
        print(f"There is no study under {results}. Start one with: ai-scientist run IDEA.json")
    for row in [] if options.json else rows:
        print(f"{row['name']}  {row['good_runs']} good  {row['status']}")
    return 0


def diff(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from agent.core.template import is_experiment
    from agent.report.diff import surface, told
    from agent.store.workspace import Workspace

    root, state, template = open_study(options)
    names = [f"run_{word}" if word.isdecimal() else word for word in options.runs]
    if len(names) > 2:
        raise InputProblem("diff takes at most two runs", "For example: ai-scientist diff last run_2 run_3")
    if not names:
        names = [state.good[-1].name] if state.good else []
    if not names:
        raise InputProblem("there is no run with a result yet", "Name a run to see what was tried.")
    only = state.runs.get(names[0]) if len(names) == 1 else None
    if only and not only.parent:
        raise InputProblem(f"{only.name} is a baseline: it started from no other run", "Name two runs to compare them.")
    old, new = (only.parent if only else names[0], names[-1])
    heads = [_head(state, name) for name in (old, new)]
    workspace = Workspace(root)
    known = sorted({*workspace.tree(heads[0]), *workspace.tree(heads[1])})
    paths = (
        []
        if options.all
        else [p for p in known if template.may_edit(p) and (is_experiment(p) or p in ("plot.py", "probes.py"))]
    )
    text = workspace.diff(heads[0], heads[1], paths)
    touches = surface(text, *(_python(workspace, head, paths or known) for head in heads))
    if options.json:
        rows = [asdict(touch) for touch in touches]
        answer = {"from": old, "to": new, "commits": heads, "surface": rows, "diff": text}
        print(json.dumps(answer, ensure_ascii=False))
    else:
        print(f"{old} → {new}: {state.runs[new].summary or 'baseline'}\n")
        if touches:
            print(told(touches), end="\n\n")
        print(_coloured(text) if text else "The code is the same.")
    return 0


def _python(workspace: Workspace, head: str, paths: list[str]) -> dict[str, str]:
    wanted = [path for path in paths if path.endswith(".py")]
    return {name: content.decode("utf-8", "replace") for name, content in workspace.read(head, wanted).items()}


def _head(state: State, name: str) -> str:
    from agent.core.text import did_you_mean

    run = state.runs.get(name)
    if run is None or not (run.head or run.attempt):
        raise InputProblem(
            f"{state.name} has no run {name}{did_you_mean(name, state.runs)}", "`ai-scientist show` lists its runs."
        )
    return run.head or run.attempts[-1].head


def _coloured(diff: str) -> str:
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        return diff
    colours = {"+": "32", "-": "31", "@": "36"}
    lines = (f"\x1b[{colours[line[0]]}m{line}\x1b[0m" if line[:1] in colours else line for line in diff.splitlines())
    return "\n".join(lines)
