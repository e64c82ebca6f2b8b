"""The texts that the tool keeps in a study and commits with what they tell about: notes.txt, README.md, and for people and
LaTeX what the facts say: notes.md and, where the template has a paper, latex/facts.tex.

A person who changes a results file is asked about it, as about any edit (steps.human); once it is taken, the facts in these
texts are those of the file, and what follows from it is reckoned anew. README.md and notes.txt go on telling the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.core.facts import Facts, facts_of
from agent.core.renewed import Source, files_of
from agent.core.result import Result, parse_result
from agent.core.state import State
from agent.core.template import Template
from agent.report import summary
from agent.steps.desk import Desk
from agent.store import files
from agent.writing import appendix
from agent.writing.facts_tex import facts_tex
from agent.writing.notes import filled, rendered

LATEX, PAPER, FACTS = "latex/", "latex/paper.tex", "latex/facts.tex"
_LONGEST = 10_000_000


def kept_texts(desk: Desk, state: State, changed: Mapping[str, str] | None = None) -> dict[str, str]:
    """The texts as they will be in `state`, where `changed` editable files have their new text."""
    texts = {**desk.editable(desk.state.head), **(changed or {})}
    title = desk.idea.title
    facts = known_facts(desk, state)
    made = {"README.md": summary.readme(state, desk.template, title), "notes.md": _notes(desk, facts, texts)}
    if not desk.template.may_edit("notes.txt"):
        made["notes.txt"] = summary.notes(state, desk.template, title, texts)
    tree = desk.workspace.tree(desk.state.head)
    if any(path.startswith(LATEX) for path in tree):
        own = [path for path in tree if path.startswith(LATEX) and path.endswith(".tex") and path != FACTS]
        papers = desk.workspace.read(desk.state.head, own).values()
        made[FACTS] = facts_tex(facts, [paper.decode("utf-8", "replace") for paper in papers])
    return made


def paper_at(desk: Desk, head: str) -> str:
    """The text of the paper in a commit; none: the study has none."""
    return desk.workspace.read(head, [PAPER]).get(PAPER, b"").decode("utf-8", "replace")


def known_facts(desk: Desk, state: State) -> Facts:
    """From the results files as committed, or, of a run that is just being accepted, as they lie in the study."""

    def read(path: str) -> bytes:
        committed = desk.workspace.read(desk.state.head, [path]).get(path)
        return files.read_tail(desk.layout.root / path, _LONGEST).encode() if committed is None else committed

    return facts_read(state, desk.template, read)


def facts_read(state: State, template: Template, read: Callable[[str], bytes]) -> Facts:
    """From results files that `read` gives by their path in the study. What is no results file is left out: the journal counts."""
    sources = {}
    for path in (path for run in state.runs.values() if run.status == "good" for path in files_of(run)):
        data = read(path)
        result = parse_result(data.decode("utf-8", "replace"))
        if isinstance(result, Result):
            sources[path] = Source(result, hashlib.sha256(data).hexdigest())
    return facts_of(state, template, sources)


def on_disk(root: Path, state: State, template: Template, machine: Mapping[str, Any]) -> dict[str, bytes]:
    """facts.tex and appendix.tex of a study as its results files lie there now, whoever changed them."""
    facts = facts_read(state, template, lambda path: files.read_tail(root / path, _LONGEST).encode())
    return made_for(state, template, facts, files.read_tail(root / PAPER, _LONGEST), machine)


def made_for(state: State, template: Template, facts: Facts, tex: str, machine: Mapping[str, Any]) -> dict[str, bytes]:
    """What the tool adds to a paper that knows facts, by its name in latex/, and the paper with it."""
    if not appendix.knows_facts(tex):
        return {}
    added = appendix.appendix(state, template, facts, tex, machine)
    made = {"facts.tex": facts_tex(facts, [tex, added]), appendix.FILE: added, "paper.tex": appendix.with_appendix(tex)}
    return {name: text.encode() for name, text in made.items()}


def _notes(desk: Desk, facts: Facts, texts: Mapping[str, str]) -> str:
    """What the coder wrote is rendered before it is put among what the tool says of the runs, which needs no source."""
    ideas = [str(value) for value in desk.idea.fields.values()]
    if desk.template.may_edit("notes.txt"):
        return rendered(texts.get("notes.txt", ""), facts, ideas)
    filled_in = {name: rendered(text, facts, ideas) for name, text in texts.items() if name.startswith("notes/")}
    return filled(summary.notes(facts.book.state, desk.template, desk.idea.title, filled_in), facts)
