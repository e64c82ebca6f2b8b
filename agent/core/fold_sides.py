"""The fold, as far as figures and probes go, which are made beside the runs."""

from __future__ import annotations

from dataclasses import replace

from agent.core import events as e
from agent.core import fold_paper
from agent.core.layout import DEFAULT, is_default_figure
from agent.core.state import SIDES, State, put

_MOST_PROBES = 12  # that are told with their values


def drawn(state: State, event: e.FiguresDrawn, at: float) -> State:
    others = {file: of for file, of in state.figures.items() if is_default_figure(file) != (event.what == "default")}
    now = {file: event.shows.get(file, e.Shown()) for file in event.files}
    state = replace(state, figures={**others, **now})
    if event.what == "default":
        return replace(state, due=state.due - {"default"}, undrawn=0, sides=(*state.sides, ("default", True)))
    told = f"plot.py was run and made {', '.join(event.files) or 'no figure'}."
    if event.left_out:
        told += (
            f" Left out: {', '.join(event.left_out)}. Names that begin with {DEFAULT} are those of the default figures."
        )
    return _side_over(replace(state, labels=event.labels), "plot", told)


def results(state: State, *runs: str) -> State:
    """Of these runs something is new: what was drawn of them before does not show it."""
    state = fold_paper.outdated(state)
    stale = runs and (state.labels is None or not set(runs).isdisjoint(state.labels))
    return replace(state, due=state.due | {"default"} | ({"plot"} if stale else set()), undrawn=0)


def probed(state: State, event: e.ProbesMeasured, at: float) -> State:
    for name, found in event.runs.items():
        if name in state.runs:
            kept = {m: v for m, v in state.runs[name].metrics.items() if not m.startswith("probes.")}
            state = put(state, replace(state.runs[name], metrics={**kept, **found}))
    measured = sorted({metric for found in event.runs.values() for metric in found})
    said = [f"probes.py was run on {', '.join(event.runs)}: {', '.join(measured)}."]
    said += [f"{metric}: {_by_run(event, metric)}" for metric in measured[:_MOST_PROBES]]
    return _side_over(results(state), "probe", "\n".join(said))


def _by_run(event: e.ProbesMeasured, metric: str) -> str:
    """The digest has no room for them."""
    return ", ".join(f"{name} {found[metric]['mean']:.4g}" for name, found in event.runs.items() if metric in found)


def _side_over(state: State, what: str, told: str) -> State:
    """What is told waits for the next request; of several sides that were run before it, each is told."""
    both = "\n\n".join(filter(None, (state.told, told)))
    return replace(state, due=state.due - {what}, told=both, sides=(*state.sides, (what, True)))


def failed(state: State, event: e.SideFailed, at: float) -> State:
    if event.what == "default":
        return replace(state, undrawn=state.undrawn + 1, sides=(*state.sides, (event.what, False)))
    if event.feedback:
        return _side_over(state, event.what, f"{SIDES[event.what]} failed: {event.evidence}\n\n{event.feedback}")
    return replace(state, sides=(*state.sides, (event.what, False)))
