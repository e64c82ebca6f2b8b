"""Steps 20–21: the paper's PDF, of what is written: facts, audit, LaTeX. The texts are committed; the PDF lies beside them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from agent.core import events as e
from agent.core.actions import Build
from agent.core.errors import Interrupted
from agent.core.job import Job, Outcome
from agent.core.text import shorten
from agent.steps import build, side
from agent.steps.desk import Desk
from agent.steps.jobs import clear, outcome_of
from agent.steps.papers import kept_texts, known_facts, made_for, paper_at
from agent.steps.write import faults, known
from agent.store.sweep import sweep

_MOST, _LONGEST = 50, 300


def perform(desk: Desk, action: Build) -> Iterator[e.Event]:
    attempt = desk.layout.attempt("paper", action.attempt).resolve()
    clear(desk.runner, attempt, desk.pulse)  # what a killed session has begun
    here = side.Side(attempt, desk.interpreter, tuple(desk.machine.get("folders", ())), desk.state.settings.sandbox)
    tex = paper_at(desk, desk.state.head)
    made = made_for(desk.state, desk.template, known_facts(desk, desk.state), tex, desk.machine)

    def run(folder: Path, job: Job) -> Outcome:
        outcome = outcome_of(desk, folder, "paper", lambda: job)
        sweep(folder, os.environ)
        if desk.interrupted():
            raise Interrupted("interrupted")
        return outcome

    built = build.build(here, build.study_files(desk.layout.root, made), known(desk), run)
    build.keep(desk.layout.root, built)
    errors = tuple(shorten(str(problem), _LONGEST) for problem in built.errors)[:_MOST]

    def event(head: str) -> e.PaperBuilt:
        return e.PaperBuilt(attempt=action.attempt, head=head, pages=len(built.pages), errors=errors,
                            left_out=tuple(shorten(str(part), _LONGEST) for part in built.left_out), lacking=built.lacking,
                            faults=faults(desk, tex, built.problems))  # fmt: skip

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)))
    known_texts = desk.workspace.read(desk.state.head, texts)
    changed: dict[str, str | bytes | None] = {
        name: text for name, text in texts.items() if known_texts.get(name) != text.encode()
    }
    changed |= {f"latex/{name}": content for name, content in made.items()}  # so that the folder compiles anywhere
    yield event(desk.commit(changed, "Paper built") if changed else desk.state.head)
