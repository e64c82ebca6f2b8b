"""The fold, as far as what is asked for after the runs goes: plot.py for the paper, and the notes on figures."""

from __future__ import annotations

from dataclasses import replace

from agent.core import events as e
from agent.core import fold_calls
from agent.core.layout import DEFAULT
from agent.core.state import FIGURES, PLOT, Round, State

PLOT_FAILED = "plot.py failed: "  # how what is told of it begins


def asked(state: State, action: str) -> State:
    if action not in (PLOT, FIGURES):
        return state
    before = state.round_of(action)
    return _put(state, action, replace(before, turns=before.turns + 1))


def answered(state: State, event: e.EditCommitted | e.EditRejected) -> State:
    """Of notes the commit is the end; of plot.py it is the beginning, since it has to be run."""
    action = state.calls[event.call].action
    if action not in (PLOT, FIGURES):
        return state
    before = replace(state.round_of(action), done=action == FIGURES, problems=(), kept=())
    if isinstance(event, e.EditRejected):
        before = replace(before, done=False, problems=event.problems, kept=event.kept)
    return _put(state, action, before)


def kept(state: State, event: e.FiguresKept, at: float) -> State:
    state = fold_calls.read(state, event.call)
    return _put(state, PLOT, replace(state.round_of(PLOT), done=True, problems=()))


def restored(state: State, event: e.PlotRestored, at: float) -> State:
    state = replace(state, plot_broken="", plot_given_up=event.evidence)
    return _put(state, PLOT, replace(state.round_of(PLOT), done=True, problems=()))


def drawn(state: State, event: e.FiguresDrawn) -> State:
    """Other figures want other notes. A plot.py that was asked for is done when it has made what it was asked for."""
    state = _put(state, FIGURES, Round())
    if event.what == "default":
        return state
    state = replace(state, plot_worked=event.head, plot_broken="", plot_given_up="")
    return plot_over(state, _wanting(event))


def plot_failed(state: State, event: e.SideFailed) -> State:
    whole = event.feedback if event.feedback.startswith(event.evidence) else f"{event.evidence}\n\n{event.feedback}"
    told = f"{PLOT_FAILED}{whole}"
    return plot_over(replace(state, plot_broken=told), (told,))


def plot_over(state: State, problems: tuple[str, ...]) -> State:
    """plot.py was run. Only in a round is that an answer; before, it was the coder's own wish."""
    before = state.round_of(PLOT)
    return _put(state, PLOT, replace(before, done=not problems, problems=problems)) if before.turns else state


def _wanting(event: e.FiguresDrawn) -> tuple[str, ...]:
    if event.left_out:
        return (
            f"plot.py has saved {', '.join(event.left_out)}, but names that begin with {DEFAULT} are those of the default"
            " figures; save them under other names",
        )
    if not event.files:
        return (
            "plot.py was run and left no image; save each figure in the working directory, as NAME.png and NAME.pdf",
        )
    return ()


def _put(state: State, action: str, now: Round) -> State:
    return replace(state, rounds={**state.rounds, action: now})
