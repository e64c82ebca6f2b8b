"""What is done once the runs are over, in this order: default figures, notes, plot.py and notes on its figures, the paper, its PDF.

plot.py and the notes on figures are rounds of a few replies. A round begins anew when results change, and that of the notes
when figures do. A plot.py that still fails at the end of its round goes back to the text that last worked, so that no study
ends with a broken one. The paper is written part by part (core.paper), typeset, and mended where LaTeX finds something.
Pure, a table like core.policy's, which asks `next_action` while there is time; whatever costs money also asks for that.
"""

from __future__ import annotations

from collections.abc import Callable

from agent.core import paper
from agent.core.actions import Action, Ask, Build, Draw, RestorePlot
from agent.core.state import FIGURES, PLOT, SIDES, State, next_call

NOTES_TURNS = 2
DRAWN_LOST = 2  # default figures that nobody is to blame for, in a row; the next session tries anew
TURNS = {PLOT: 3, FIGURES: 2}  # replies in a round; then the study goes on with what there is
SUBJECTS = {PLOT: SIDES["plot"], FIGURES: "figures"}  # what the calls are about: the field `run` of their events


def next_action(state: State) -> Action | None:
    return next((action for rule in RULES if (action := rule(state)) is not None), None)


def _draw(state: State) -> Action | None:
    """Before the notes, which are written with the figures in view. There is something to draw once something was tried."""
    due = "default" in state.due and state.tried and state.reference
    if not due or not state.settings.default_figures:
        return None
    return Draw(len(state.sides) + 1) if state.undrawn < DRAWN_LOST else None


def _notes(state: State) -> Action | None:
    """The last run's results always reach the notes, and the coder is asked to explain them."""
    due = [run for run in state.good if run.name not in state.noted]
    if not due or state.turns("notes", due[-1].name) >= NOTES_TURNS:
        return None
    return _ask(state, "notes", due[-1].name)


def _plot(state: State) -> Action | None:
    """Only where there is a paper that the figures are for, and a run that they can show."""
    if not _paper_wanted(state) or not state.plots or state.round_of(PLOT).done or "plot" in state.due:
        return None
    if state.round_of(PLOT).turns >= TURNS[PLOT]:
        return RestorePlot() if state.plot_broken else None
    return _ask(state, PLOT, SUBJECTS[PLOT])


def _figure_notes(state: State) -> Action | None:
    asked = state.round_of(FIGURES)
    if not _paper_wanted(state) or not state.figures or asked.done or asked.turns >= TURNS[FIGURES]:
        return None
    return _ask(state, FIGURES, SUBJECTS[FIGURES])


def _write(state: State) -> Action | None:
    """The paper, part by part. A step that found no usable reply in its turns leaves what was there before."""
    if not _paper_wanted(state):
        return None
    drafted = {part for action, part in state.written if action == "draft"}
    for step in paper.STEPS:
        if step.part not in state.parts or step.part in state.by_hand or (step.action, step.part) in state.written:
            continue
        first = step.action in ("draft", "sketch") or step.part == "title" or state.rewriting
        if state.turns(step.action, step.part) < paper.TURNS and (first or step.part in drafted):
            return _ask(state, step.action, step.part)
    return None


def _mend(state: State) -> Action | None:
    """What was found when the paper was built goes back; what is still there after that is left out, visibly."""
    if not _paper_wanted(state):
        return None
    due = (p for p in state.faults if p not in state.by_hand and state.turns(paper.MEND, p) < paper.MENDINGS)
    part = next(due, None)
    return _ask(state, paper.MEND, part) if part else None


def _build(state: State) -> Action | None:
    return Build(state.builds + 1) if state.unbuilt else None


def _paper_wanted(state: State) -> bool:
    return bool(state.parts and state.settings.paper and state.good)


def _ask(state: State, action: str, subject: str) -> Ask | None:
    if not state.affordable("writing"):
        return None
    return Ask(next_call(state, action), action, subject, state.next_turn(action, subject))


RULES: tuple[Callable[[State], Action | None], ...] = (_draw, _notes, _plot, _figure_notes, _write, _mend, _build)
