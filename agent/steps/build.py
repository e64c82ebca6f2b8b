"""From a study's files to paper.pdf: audited, typeset in the sandbox, and what cannot be typeset left out visibly.

    files ─▶ audit ─▶ latexmk, in a fresh folder ─▶ log ─▶ parts that fail, commented out ─▶ latexmk … ─▶ PDF ─▶ pages

Bounded: ROUNDS times. Nothing of the study is changed here; what was built lies in the folder of the last round.
Without LaTeX the same files are complete and audited, and `Built.lacking` says what to install.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.idea import Idea
from agent.core.job import Job, Outcome
from agent.core.state import State
from agent.core.template import Template
from agent.runners import tex
from agent.steps import side
from agent.store import files
from agent.writing import log, parts
from agent.writing.audit import audit
from agent.writing.known import Known, known_of
from agent.writing.parts import Part
from agent.writing.problem import Problem

MAIN, FACTS, FIGURES = "paper.tex", "facts.tex", "figures"
ROUNDS = 6
PROGRAMS = ("latexmk", "pdflatex", "bibtex")
DEBIAN = "latexmk texlive-latex-base texlive-latex-recommended"
_LARGEST, _MOST = 20_000_000, 200
_TEXTS = (".tex", ".bib", ".bst", ".sty", ".cls", ".bbl")
_SAME = {"math", "brace", "symbol", "environment", "citation", "reference", "label", "figure"}  # found by LaTeX as well

Run = Callable[[Path, Job], Outcome]  # writes the job into the attempt folder, starts it, waits


@dataclass(frozen=True)
class Built:
    content: Mapping[str, bytes]  # what plain latexmk needs to make the same PDF
    problems: tuple[Problem, ...]  # of the text as it was written
    left_out: tuple[Part, ...] = ()
    pdf: Path | None = None
    pages: tuple[Path, ...] = ()
    lacking: tuple[str, ...] = ()  # programs that are not installed

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.error)


def study_files(root: Path, made: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the paper is made of, as it lies in the study: latex/ and figures/. `made` are files that the tool writes."""
    found: dict[str, bytes] = {}
    for path in _below(root / "latex", _TEXTS):
        found[path.relative_to(root / "latex").as_posix()] = path.read_bytes()
    for path in _below(root / FIGURES, side.IMAGES):
        found[path.relative_to(root).as_posix()] = path.read_bytes()
    return {**found, **made}


def _below(folder: Path, suffixes: Iterable[str]) -> list[Path]:
    paths = sorted(folder.rglob("*")) if folder.is_dir() and not folder.is_symlink() else []
    return [path for path in paths if path.suffix in suffixes and side.plain(path, _LARGEST)][:_MOST]


def figures_of(content: Mapping[str, bytes]) -> list[str]:
    return [name.removeprefix(f"{FIGURES}/") for name in content if name.endswith(side.IMAGES)]


def keys_of(content: Mapping[str, bytes]) -> list[str]:
    """Keys that can be cited: of all bibliographies, and of entries in the paper itself."""
    entries = (text_of(content, name) for name in content if name.endswith(".bib"))
    found = [key for text in entries for key in re.findall(r"^\s*@\w+\s*[{(]\s*([^,\s}]+)\s*,", text, re.MULTILINE)]
    return found + re.findall(r"\\bibitem(?:\[[^]]*\])?\{([^}]+)\}", text_of(content, MAIN))


def titles_of(content: Mapping[str, bytes]) -> dict[str, str]:
    """Each key that can be cited, with its title where the entry gives one."""
    found: dict[str, str] = {}
    for name in (name for name in content if name.endswith(".bib")):
        for entry in re.split(r"^(?=\s*@)", text_of(content, name), flags=re.MULTILINE):
            key = re.match(r"\s*@\w+\s*[{(]\s*([^,\s}]+)\s*,", entry)
            title = re.search(r"^\s*title\s*=\s*[{\"](.*?)[}\"]\s*,?\s*$", entry, re.MULTILINE | re.IGNORECASE)
            if key:
                found[key[1]] = re.sub(r"[{}]", "", title[1]) if title else ""
    return found


def known(root: Path, state: State, template: Template, idea: Idea, content: Mapping[str, bytes]) -> Known:
    """What the audit has to know of a study. Settings are what the results say of configuration and protocol."""
    told = {
        run.name: _settings(root / run.name / "final_info.json") for run in state.runs.values() if run.status == "good"
    }
    return known_of(state, template, idea, figures_of(content), keys_of(content), told)


def _settings(results: Path) -> list[Any]:
    if not side.plain(results, _LARGEST):
        return []
    try:
        families = json.loads(results.read_text("utf-8"))
        return [
            family.get(key)
            for family in families.values()
            if isinstance(family, dict)
            for key in ("config", "protocol")
        ]
    except (ValueError, AttributeError, RecursionError):
        return []


def text_of(content: Mapping[str, bytes], name: str) -> str:
    return content.get(name, b"").decode("utf-8", "replace")


def lacking() -> tuple[str, ...]:
    return tuple(program for program in PROGRAMS if shutil.which(program) is None)


def build(place: side.Side, content: Mapping[str, bytes], known: Known, run: Run) -> Built:
    """`place.attempt` is a folder that is not there yet; each job gets one of its own below it."""
    written = text_of(content, MAIN)
    found = audit(written, known, MAIN)
    marked = parts.marked(written, found)
    missing = lacking()
    if missing:
        return Built({**content, MAIN: marked.encode()}, found, lacking=missing)
    folders, left_out = tex.folders(), list[Part]()
    for number in range(1, ROUNDS + 1):
        here = dataclasses.replace(place, attempt=place.attempt / f"round-{number}")
        present = {**content, MAIN: marked.encode()}
        side.lay_out(here, present)
        outcome = run(here.attempt, side.paper(here, MAIN, folders, FACTS in content))
        told = _told(here, present, outcome)
        failing = [one for one in told if one.kind == "latex"]
        found = _merged(found, failing)
        less, more = parts.without(marked, failing, MAIN)
        if not more or number == ROUNDS:
            break
        left_out += more
        marked = less
    found = _merged(found, told)  # warnings of a round that failed are not to be trusted: it had too few passes
    pdf = here.scratch / "paper.pdf"
    found = _merged(found, _style(place, content, folders, run), False)
    built = Built(present, found, tuple(sorted(left_out, key=lambda part: part.first)), pdf if pdf.is_file() else None)
    return dataclasses.replace(built, pages=_pages(place, here, run)) if built.pdf else built


def keep(root: Path, built: Built) -> None:
    """The PDF beside its text, in no commit; images of its pages, and the text as it was typeset, among the tool's own files."""
    own, pdf = root / ".study" / "paper", root / "latex" / "paper.pdf"
    for old in own.glob("page-*.png"):
        old.unlink()
    if built.pdf:
        files.write(pdf, built.pdf.read_bytes(), own)
    elif not built.lacking:
        pdf.unlink(missing_ok=True)  # one of an earlier text would pass for this one's
    for page in built.pages:
        files.write(own / page.name, page.read_bytes())
    files.write(own / MAIN, built.content[MAIN])


def _told(here: side.Side, content: Mapping[str, bytes], outcome: Outcome) -> tuple[Problem, ...]:
    """What LaTeX and BibTeX say in this round."""
    said, bib = (files.read_tail(here.scratch / f"paper.{kind}", 5_000_000) for kind in ("log", "blg"))
    texts = {name: text_of(content, name) for name in content if name.endswith(_TEXTS)}
    strict = log.problems(files.read_tail(here.scratch / f"{side.STRICT}.log", 5_000_000), "", texts, MAIN)
    told = (*log.problems(said, bib, texts, MAIN), *(one for one in strict if one.kind == "fact"))
    if outcome.ok or outcome.command == side.STRICT or any(problem.error for problem in told):
        return told
    said = (
        outcome.detail
        or files.read_tail(here.attempt / "stderr.log", 400).strip()
        or f"it ended with {outcome.exit_code}"
    )
    return (*told, Problem("latex", MAIN, 0, f"LaTeX made no paper: {said}"))


def _style(place: side.Side, content: Mapping[str, bytes], folders: tuple[str, ...], run: Run) -> tuple[Problem, ...]:
    """Of the text as it was written; nothing where there is no chktex."""
    if shutil.which("chktex") is None:
        return ()
    here = dataclasses.replace(place, attempt=place.attempt / "style")
    side.lay_out(here, {MAIN: content[MAIN]})
    run(here.attempt, side.style(here, MAIN, folders))
    return log.style(files.read_tail(here.attempt / "stdout.log", 1_000_000), MAIN)


def _merged(before: tuple[Problem, ...], told: Iterable[Problem], echo: bool = True) -> tuple[Problem, ...]:
    """Each once: what the audit has found already, LaTeX need not say again."""
    lines = {(one.file, one.line) for one in before if echo and one.kind in _SAME}
    whats = {(one.file, one.what) for one in before}
    new = [one for one in told if (one.file, one.line) not in lines and (one.file, one.what) not in whats]
    return tuple(sorted((*before, *new), key=lambda one: (one.file != MAIN, one.file, one.line)))


def _pages(place: side.Side, here: side.Side, run: Run) -> tuple[Path, ...]:
    """Images of the pages; none if they cannot be made, which spoils nothing."""
    drawing = dataclasses.replace(place, attempt=place.attempt / "pages")
    side.lay_out(drawing, {"paper.pdf": (here.scratch / "paper.pdf").read_bytes()})
    outcome = run(drawing.attempt, side.pages(drawing, "paper.pdf"))
    return tuple(path for path in side.images(drawing) if path.suffix == ".png") if outcome.ok else ()
