"""`triage`: whose failure is it? Of a log, of an attempt's folder, or of a run's. Reads only."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.errors import InputProblem, ScientistError

if TYPE_CHECKING:
    from agent.core.job import Outcome
    from agent.core.triage import Case

_LONGEST = 20_000_000  # bytes of a log
_USUAL = ("experiment.py", "plot.py", "probes.py")  # what a coder edits, where no template says it
_NOTE = "It is not known what the template needs and what only an edit names: --template DIR says it."


def triage(options: argparse.Namespace) -> int:
    from agent.core.asking import SEE_THE_LOG
    from agent.core.triage import WHAT_FOLLOWS, blame

    case = _case(options)
    found = blame(case)
    action = found.action or WHAT_FOLLOWS.get(found.kind, SEE_THE_LOG)
    if options.json:
        print(json.dumps({"class": found.kind, "evidence": found.evidence, "action": action}, ensure_ascii=False))
        return 0
    print(f"class:    {found.kind}\nevidence: {found.evidence}\naction:   {action}")
    if not case.template:
        print(_NOTE, file=sys.stderr)
    return 0


def _case(options: argparse.Namespace) -> Case:
    if options.exit_code is not None and options.signal is not None:
        raise InputProblem("a job ends with an exit code or by a signal, not both", "Give one of them.")
    place = Path(options.log)
    if options.log == "-":
        return _of_text(options, sys.stdin.buffer.read(_LONGEST).decode("utf-8", "replace"))
    if place.is_file():
        beside = place.parent / "status.json"
        return _of_attempt(options, place.parent) if beside.exists() else _of_text(options, _read(place))
    return _of_attempt(options, place if (place / "status.json").exists() else _last_attempt(place))


def _read(path: Path) -> str:
    from agent.store import files

    with path.open("rb") as stream:  # so that a log that cannot be read is an error, not an empty text
        stream.read(1)
    return files.read_tail(path, _LONGEST)


def _last_attempt(folder: Path) -> Path:
    """Of a run; its folder need not be there, because what a failed attempt leaves is put with the attempt."""
    attempts = (folder.resolve().parent / ".study" / "attempts").glob("*")
    known = [
        path for path in attempts if path.name.rpartition("-try-")[0] == folder.name and (path / "status.json").exists()
    ]
    if not known and not folder.exists():
        raise InputProblem(
            f"there is no {folder}", "Give a log, an attempt's folder or a run's, or - for the standard input."
        )
    if not known:
        raise InputProblem(
            f"{folder} is no attempt and no run of a study", "An attempt's folder is .study/attempts/run_3-try-1."
        )
    return max(known, key=_number)


def _number(path: Path) -> int:
    last = path.name.rpartition("-")[2]
    return int(last) if last.isdecimal() else 0


def _of_attempt(options: argparse.Namespace, folder: Path) -> Case:
    from agent.core.triage import Case
    from agent.runners.folder import read_status

    status = read_status(folder)
    outcome = status.outcome if status else None
    if outcome is None:
        raise InputProblem(
            f"{folder} holds no outcome: the job has not ended, or its launcher died", "Look again when it has ended."
        )
    stdout, stderr = (_read(path) if (path := folder / name).exists() else "" for name in ("stdout.log", "stderr.log"))
    outcome = _overridden(options, outcome)
    case = Case(outcome, stdout, stderr, touched=_names(folder / "touched"))
    case = _in_its_study(case, folder)
    return _with_template(case, options) if options.template else case


def _names(root: Path) -> tuple[str, ...]:
    return tuple(sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()))


def _overridden(options: argparse.Namespace, outcome: Outcome) -> Outcome:
    if options.exit_code is None and options.signal is None:
        return outcome
    return dataclasses.replace(outcome, ending="finished", exit_code=options.exit_code, signal=options.signal)


def _in_its_study(case: Case, folder: Path) -> Case:
    """With what the study knows: its template, the edit that was run, the profile, and how the attempt was judged."""
    from agent.core.case import before_any_edit, template_texts
    from agent.store.catalog import look
    from agent.store.workspace import Workspace

    root = folder.resolve().parents[2] if len(folder.resolve().parents) > 2 else folder
    name, _, number = folder.resolve().name.rpartition("-try-")
    if not (root / ".study" / "journal.jsonl").exists():
        return case
    try:
        state, _, template = look(root)
    except ScientistError:
        return case  # a study that cannot be read: the log alone
    run = state.runs.get(name)
    attempt = next((a for a in run.attempts if str(a.number) == number), None) if run else None
    if run is None or attempt is None:
        return case
    if attempt.accepted:
        raise InputProblem(f"{folder.name} did not fail: its results were accepted", "Give an attempt that failed.")
    workspace, profile = Workspace(root.resolve()), template.profile(state.profile)[1]
    edit = {
        path: data.decode("utf-8", "replace")
        for path, data in workspace.read(attempt.head).items()
        if template.may_edit(path)
    }
    return dataclasses.replace(
        case, root=_root(case, list(workspace.tree(attempt.head))) or str(root), editable=edit.__contains__,
        sources=lambda path: edit.get(path, ""), seconds_allowed=profile.timeout, baseline=run.baseline, network=profile.network,
        sealed=template.sealed,
        template=template_texts(workspace.read(before_any_edit(state, attempt.head))),
        problems=(attempt.evidence,) if attempt.evidence and case.outcome.exit_code == 0 else (),
    )  # fmt: skip


def _of_text(options: argparse.Namespace, text: str) -> Case:
    from agent.core.job import Outcome
    from agent.core.triage import Case

    code = 1 if options.exit_code is None and options.signal is None else options.exit_code
    case = Case(Outcome("finished", "the job", code, options.signal), "", text)
    if options.template:
        return _with_template(case, options)
    root = _root(case, list(_USUAL))
    return dataclasses.replace(case, root=root, editable=lambda path: path in _USUAL)


def _with_template(case: Case, options: argparse.Namespace) -> Case:
    from agent.core.case import template_texts
    from agent.store.catalog import load_template

    loaded = load_template(options.template)
    network = loaded.template.profile()[1].network
    return dataclasses.replace(
        case, template=template_texts(loaded.files), editable=loaded.template.may_edit, root=case.root or _root(case, list(loaded.files)),
        network=case.network if case.network != "host" else network,
    )  # fmt: skip


def _root(case: Case, names: list[str]) -> str:
    """The folder that the experiment ran in, as the frames of the log tell it."""
    for path in re.findall(r'File "(/[^"\n]{1,1000})", line \d', case.stderr[-_LONGEST:]):
        for name in names:
            if path.endswith(f"/{name}") and "-packages/" not in path:
                return str(path[: -len(name) - 1])
    return ""
