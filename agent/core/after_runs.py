"""What the coder is asked for about figures once the runs are over: plot.py for the paper, then notes on all its figures.

Each is a round of a few replies. A round begins anew when results change, and that of the notes when figures do. A plot.py
that still fails at the end of its round goes back to the text that last worked, so that no study ends with a broken one.
Pure; `core.policy` asks `next_action`.
"""

from __future__ import annotations

from agent.core.actions import Action, Ask, RestorePlot
from agent.core.state import FIGURES, PLOT, SIDES, State, next_call

TURNS = {PLOT: 3, FIGURES: 2}  # replies in a round; then the study goes on with what there is
SUBJECTS = {PLOT: SIDES["plot"], FIGURES: "figures"}  # what the calls are about: the field `run` of their events


def next_action(state: State) -> Action | None:
    """Only where there is a paper that the figures are for, and a run that they can show."""
    if not (state.parts and state.settings.paper and state.good):
        return None
    return _plot(state) or _notes(state)


def _plot(state: State) -> Action | None:
    if not state.plots or state.round_of(PLOT).done or "plot" in state.due:
        return None
    if state.round_of(PLOT).turns >= TURNS[PLOT]:
        return RestorePlot() if state.plot_broken else None
    return _ask(state, PLOT)


def _notes(state: State) -> Action | None:
    asked = state.round_of(FIGURES)
    if not state.figures or asked.done or asked.turns >= TURNS[FIGURES]:
        return None
    return _ask(state, FIGURES)


def _ask(state: State, action: str) -> Action | None:
    if not state.affordable("writing"):
        return None
    subject = SUBJECTS[action]
    return Ask(next_call(state, action), action, subject, state.turns(action, subject) + 1)
