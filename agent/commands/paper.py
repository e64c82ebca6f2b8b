"""`paper` and `export`: the paper of a study from what is there, without a model; the study itself is not changed.
`paper --rewrite` asks the model: see commands.work.

latex/paper.pdf and the tool's own .study/paper/ (the text as it was typeset, images of the pages) are all that is written.
"""

from __future__ import annotations

import argparse
import json
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.screen import short_path
from agent.commands.settings import results_folder
from agent.core.errors import InputProblem
from agent.core.text import plural

if TYPE_CHECKING:
    from agent.core.idea import Idea
    from agent.core.job import Job, Outcome
    from agent.core.state import State
    from agent.core.template import Template
    from agent.steps.build import Built
    from agent.writing.problem import Problem

_MOST_TOLD = 40


@dataclass(frozen=True)
class _Study:
    root: Path
    state: State
    idea: Idea
    template: Template

    @property
    def own(self) -> Path:
        return self.root / ".study" / "paper"


def paper(options: argparse.Namespace) -> int:
    if options.rewrite is not None:
        from agent.commands.work import rewrite

        return rewrite(options)
    if options.model or options.take or options.record or options.settings or options.max_cost:
        raise InputProblem("without --rewrite no model is asked", "Leave the model's options out, or add --rewrite.")
    from agent.steps.build import keep

    study = _open(options)
    with _built(study) as done:
        keep(study.root, done)
    print(json.dumps(_as_json(study, done), ensure_ascii=False)) if options.json else _say(study, done)
    return 1 if done.errors else 0


def export(options: argparse.Namespace) -> int:
    from agent.report.results_table import results_csv
    from agent.store import files

    study = _open(options)
    name = study.root.resolve().name
    table = results_csv(study.state, study.template).encode()
    if options.csv:
        return _said(options, _target(options, f"{name}.csv"), lambda place: files.write(place, table), ())
    with _built(study) as done:
        content = dict(done.content)
        pdf = {"paper.pdf": done.pdf.read_bytes()} if done.pdf else {}
    if options.overleaf:
        return _said(options, _target(options, f"{name}-overleaf.zip"), lambda place: _zip(place, content), done.errors)
    place = _target(options, f"{name}-paper")
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise InputProblem(f"{place} is there already and is not empty", "Give another place with --to, or remove it.")
    return _said(options, place, lambda place: _folder(place, {**content, **pdf, "results.csv": table}), done.errors)


# ---- building


def _open(options: argparse.Namespace) -> _Study:
    from agent.store import catalog

    root = catalog.find_study(options.study, results_folder(options))
    state, idea, template = catalog.look(root)
    return _Study(root, state, idea, template)


@contextmanager
def _built(study: _Study) -> Iterator[Built]:
    """Two at a time would build in one folder. The study's own lock is not taken: nothing of it is changed."""
    from agent.runners.local import LocalRunner
    from agent.steps.jobs import clear
    from agent.store.journal import Lock

    lock, place = Lock(study.root / ".study" / "paper.lock"), study.own / "build"
    try:
        clear(LocalRunner(), place)  # what a killed command has left may still be at work
        yield _build(study)
    finally:
        clear(LocalRunner(), place)
        lock.release()


def _build(study: _Study) -> Built:
    from agent.runners.inspect import fingerprint
    from agent.steps import build
    from agent.steps.papers import on_disk
    from agent.steps.side import Side

    interpreter = fingerprint((sys.executable,))
    made = on_disk(study.root, study.state, study.template, interpreter.to_json())  # of the results as they are now
    content = build.study_files(study.root, made)
    if build.MAIN not in content and "template.tex" in content:  # as templates of the classic layout name it
        content[build.MAIN] = content.pop("template.tex")
    if build.MAIN not in content:
        raise InputProblem(
            f"{study.state.name} has no latex/paper.tex: its template brings none",
            "Put one into the study's latex/ folder, with references.bib beside it.",
        )
    folders = interpreter.folders
    place = Side((study.own / "build").resolve(), (sys.executable,), folders, study.state.settings.sandbox)
    return build.build(place, content, build.known(study.root, study.state, study.template, study.idea, content), _run)


def _run(attempt: Path, job: Job) -> Outcome:
    """In the foreground: whoever interrupts it ends the job, too."""
    import time

    from agent.core.job import Outcome
    from agent.runners import folder
    from agent.runners.local import LocalRunner

    runner = LocalRunner()
    folder.write_job(attempt, job)
    runner.start(attempt)
    try:
        while not isinstance(sight := runner.look(attempt), Outcome):
            time.sleep(0.05)
    except KeyboardInterrupt:
        runner.stop(attempt)
        raise
    return sight


# ---- saying


def _say(study: _Study, done: Built) -> None:
    from agent.steps.build import DEBIAN

    if done.pdf:
        print(f"Paper: {short_path(study.root / 'latex' / 'paper.pdf')} ({plural(len(done.pages), 'page')})")
    else:
        print(f"Paper: no PDF. The text is complete: {short_path(study.own / 'paper.tex')}")
    if done.lacking:
        print(f"For a PDF, install {', '.join(done.lacking)}: `make system`, or on Debian: apt-get install {DEBIAN}")
    for part in done.left_out:
        lines = f"line {part.first}" if part.first == part.last else f"lines {part.first} to {part.last}"
        print(f"Left out, with a box in its place: {lines} ({part.why})")
    _list("Errors", done.errors)
    _list("Listed, no errors", [problem for problem in done.problems if not problem.error])
    if not done.problems:
        print("The audit found nothing.")


def _list(title: str, problems: Any) -> None:
    if problems:
        print(f"\n{title} ({len(problems)}):")
        print("\n".join(f"  {problem}" for problem in problems[:_MOST_TOLD]))
        if len(problems) > _MOST_TOLD:
            print(f"  and {len(problems) - _MOST_TOLD} more (--json gives all of them)")


def _as_json(study: _Study, done: Built) -> dict[str, Any]:
    return {
        "study": study.state.name,
        "pdf": str(study.root / "latex" / "paper.pdf") if done.pdf else None,
        "tex": str(study.own / "paper.tex"),
        "pages": [str(study.own / page.name) for page in done.pages],
        "problems": [{**asdict(problem), "error": problem.error} for problem in done.problems],
        "left_out": [asdict(part) for part in done.left_out],
        "lacking": list(done.lacking),
    }


# ---- exporting


def _target(options: argparse.Namespace, name: str) -> Path:
    return Path(options.to) if options.to else Path(name)


def _said(options: argparse.Namespace, place: Path, write: Any, errors: tuple[Problem, ...]) -> int:
    write(place)
    if options.json:
        print(json.dumps({"written": str(place), "errors": [str(error) for error in errors]}, ensure_ascii=False))
        return 0
    print(f"Written: {short_path(place)}")
    if errors:
        print(
            f"Its first page names {plural(len(errors), 'problem')} that the audit or LaTeX found: `ai-scientist paper` lists them."
        )
    return 0


def _zip(place: Path, content: Mapping[str, bytes]) -> None:
    """The same bytes for the same content."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(content.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)


def _folder(place: Path, content: Mapping[str, bytes]) -> None:
    for name, data in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)
