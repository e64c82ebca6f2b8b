"""Results as the coder and people read them: a compact table with verdicts, never a dump. Lengths are hard limits.

    latest     one run against the baseline, ≤ 900 characters: what came out, warnings, primary metrics and constraints line by
               line, the other metrics in one line, loss shares, a few points of the training curve, best so far, other baselines
    history    all runs on the primary metric, a line each, ≤ 1,600: failed ones too

Where there is not room for all of it, what matters least gives way, and what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.cells import (
    NONE,
    beside,
    best,
    by_role,
    cell,
    comparison,
    difference,
    estimate,
    number,
    outcome,
    shown,
    verdict,
)
from agent.core.comparison import WITHIN_NOISE
from agent.core.curve import Curve, few_points, loss_of
from agent.core.effect import SHARES
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import plural, shorten

__all__ = [
    "beside",
    "best",
    "by_role",
    "cell",
    "comparison",
    "difference",
    "estimate",
    "history",
    "latest",
    "number",
    "outcome",
    "verdict",
]

LATEST = 900
HISTORY = 1600
_NAME = 80
_LINE = 170  # of what has a line of its own: warnings, the other metrics
_WHY = 210
_NOTE = 70  # kept for the count of what is left out
_OTHERS = 50
_POINTS = 4
_WARNINGS = 3
_MATTERS = 5  # ranks up to this one go before the other metrics


@dataclass(frozen=True)
class _Line:
    rank: int  # the lowest first, while there is room
    text: str
    metrics: tuple[str, ...] = ()


def primary_metric(template: Template, wanted: str, reference: Run | None) -> str:
    """The idea's primary metric, else the template's, else the baseline's first."""
    if wanted or template.primary:
        return wanted or template.primary
    return next(iter(reference.metrics), "") if reference else ""


def latest(state: State, template: Template, run: Run, curve: Curve | None = None, warned: bool = True) -> str:
    """One run, against the baseline if it is not the baseline itself. `warned`: with the first of its warnings."""
    reference = state.reference if run is not state.reference else None
    primary = (state.plan or {}).get("primary", "")
    ids = [m for m in by_role(run.metrics, template, primary) if not m.startswith(f"{SHARES}.")]
    rows = [m for m in ids if m == primary or template.metric(m).role == "primary"] or ids[:4]
    constraints = [m for m in ids if template.metric(m).role == "constraint" and m not in rows]
    lines = [
        *_outcome(run),
        *(_warned(run) if warned else ()),
        _Line(0, _head(run, reference)),
        *(_Line(0 if i == 0 else 4, _row(m, template, run, reference, m == primary), (m,)) for i, m in enumerate(rows)),
        *_constraints(constraints, template, run, reference),
        *_best_so_far(state, template, run, primary),
        *_loss(run, curve),
        *_costs(ids, template, run),
        *_baselines(state, template, primary, run),
    ]
    kept = _fitting(lines)
    told = {metric for line in kept for metric in line.metrics}
    room = LATEST - _NOTE - sum(len(line.text) + 1 for line in kept) - 1
    others, named = _others([m for m in ids if m not in told], template, run, room)
    if others:
        kept.append(_Line(0, others))
    left_out = len(ids) - len(told) - len(named)
    more = [f"… and {plural(left_out, 'more metric')} in {shorten(run.name, 20)}/final_info.json"] if left_out else []
    return "\n".join([*(line.text for line in kept), *more])


def _outcome(run: Run) -> list[_Line]:
    found = comparison(run)
    if found is None:
        return []
    said = f"{found.verdict}. " if found.verdict else ""
    return [_Line(0, shorten(f"{shorten(run.name, 20)}: {said}{found.why}", _WHY))]


def _warned(run: Run) -> list[_Line]:
    lines = [_Line(1 + i, f"warning: {shorten(w, _LINE)}") for i, w in enumerate(run.warnings[:_WARNINGS])]
    more = len(run.warnings) - len(lines)
    return [*lines, _Line(_MATTERS, f"and {plural(more, 'more warning')} in notes.txt")] if more else lines


def _head(run: Run, reference: Run | None) -> str:
    if not reference:
        return "metric | better | value"
    return "metric | better | baseline | this run | difference" + (" | verdict" if run.comparison else "")


def _row(identity: str, template: Template, run: Run, reference: Run | None, primary: bool) -> str:
    metric = template.metric(identity)
    target = f", target {metric.target:g}" if metric.target is not None else ""
    cells = [shorten(identity, _NAME) + (" (primary)" if primary else ""), metric.direction + target]
    if reference:
        cells += [shown(beside(run, reference, identity), metric.digits), cell(run, identity, template)]
        cells.append(difference(run, reference, identity, template))
        cells += [verdict(run, identity)] if run.comparison else []
    else:
        cells.append(cell(run, identity, template))
    return " | ".join(cells)


def _best_so_far(state: State, template: Template, run: Run, primary: str) -> list[_Line]:
    found = None if run.baseline else best(state, template, run)
    if found is None or found.name == run.name:
        return [_Line(6, "this run is the best so far")] if found and run.number > 1 else []
    said = f"best so far: {found.name} {cell(found, primary, template)}"
    return [_Line(6, said + (f" ({verdict(found)})" if found.comparison else ""))]


def _loss(run: Run, curve: Curve | None) -> list[_Line]:
    """How much of the loss each term is, and how the loss fell."""
    prefix = f"{SHARES}."
    terms = {m.removeprefix(prefix): v["mean"] for m, v in run.metrics.items() if m.startswith(prefix)}
    said = ", ".join(f"{name} {100 * share:.3g} %" for name, share in sorted(terms.items(), key=lambda t: -t[1]))
    fell = loss_of(curve) if curve else None
    if curve and fell:
        points = ", ".join(f"{curve['step'][at]:g}: {fell[at]:.3g}" for at in few_points(curve, _POINTS))
        said += ("; by step " if said else "by step ") + points
    return [_Line(5, shorten(f"loss: {said}", _LINE))] if said else []


def _baselines(state: State, template: Template, primary: str, run: Run) -> list[_Line]:
    """The others than the one that runs are judged against, on the primary metric."""
    others = [state.runs[n] for n in state.baselines[1:] if n in state.runs and state.runs[n].status == "good"]
    said = ", ".join(
        f"{template.baseline_of(r.name).removeprefix('baseline ')} {cell(r, primary, template)}"
        for r in others
        if r is not run
    )
    return [_Line(8, shorten(f"other baselines: {said}", _LINE))] if said and run is not state.reference else []


def _constraints(ids: Sequence[str], template: Template, run: Run, reference: Run | None) -> list[_Line]:
    """What must stay near the baseline, in one line. As many as fit into it."""
    said: list[str] = []
    for identity in ids:
        metric = template.metric(identity)
        base = beside(run, reference, identity) if reference else None
        value = estimate(run, identity)
        near = f" (of {number(base.mean, metric.digits)} ± {metric.tolerance:g})" if base and base != value else ""
        said.append(f"{shorten(identity, _NAME)} {number(value.mean, metric.digits) if value else NONE}{near}")
        if len("; ".join(said)) > _LINE:
            said.pop()
            break
    return [_Line(3, f"constraints: {'; '.join(said)}", tuple(ids[: len(said)]))] if said else []


def _costs(ids: Sequence[str], template: Template, run: Run) -> list[_Line]:
    text, named = _in_a_line("cost", [m for m in ids if template.metric(m).role == "cost"], template, run, _LINE)
    return [_Line(7, text, tuple(named))] if named else []


def _others(ids: Sequence[str], template: Template, run: Run, room: int) -> tuple[str, Sequence[str]]:
    """Those that moved first."""
    ids = [m for m in ids if template.metric(m).role != "cost"]
    return _in_a_line("also", sorted(ids, key=lambda m: not _moved(run, m)), template, run, min(room, _LINE))


def _moved(run: Run, identity: str) -> bool:
    return verdict(run, identity) not in (NONE, WITHIN_NOISE)


def _in_a_line(label: str, ids: Sequence[str], template: Template, run: Run, room: int) -> tuple[str, Sequence[str]]:
    """As many as fit, and which they are."""
    entries: list[str] = []
    for identity in ids:
        value = estimate(run, identity)
        said = f"{shorten(identity, _NAME)} {number(value.mean, template.metric(identity).digits) if value else NONE}"
        said += f" ({verdict(run, identity)})" if label == "also" and _moved(run, identity) else ""
        if len(f"{label}: {'; '.join([*entries, said])}") > room:
            break
        entries.append(said)
    return (f"{label}: {'; '.join(entries)}" if entries else ""), ids[: len(entries)]


def _fitting(lines: Sequence[_Line]) -> list[_Line]:
    """By rank as many as there is room for, in the order given. Some is kept for the other metrics, which are one line."""
    kept: list[_Line] = []
    for line in sorted(lines, key=lambda one: one.rank):
        room = LATEST - _NOTE - (0 if line.rank <= _MATTERS else _OTHERS)
        if sum(len(one.text) + 1 for one in kept) + len(line.text) <= room:
            kept.append(line)
    return [line for line in lines if line in kept]


def history(state: State, template: Template) -> str:
    """All runs on the primary metric, one line each; failed ones too."""
    primary = (state.plan or {}).get("primary", "")
    judged_against = state.baselines[0] if state.baselines else "baseline"
    head = f"run | what changed | {shorten(primary, _NAME) or 'result'} | difference to {judged_against} | verdict"
    runs = [run for run in state.runs.values() if run.status in ("good", "closed")]
    return _newest([head, *(_line(state, template, run, primary) for run in runs)])


def _line(state: State, template: Template, run: Run, primary: str) -> str:
    what = template.baseline_of(run.name) if run.baseline else shorten(run.summary or NONE, 48)
    if run.status == "closed":
        return f"{run.name} | {what} | failed | {shorten(run.closed, 80)} | {NONE}"
    diff = difference(run, state.reference, primary, template) if state.reference and not run.baseline else NONE
    return f"{run.name} | {what} | {cell(run, primary, template)} | {diff} | {outcome(run)}"


def _newest(rows: Sequence[str]) -> str:
    """The header, the first run and the newest ones, as many as there is room for."""
    head, body = rows[0], list(rows[1:])
    dropped = 0
    while body and len("\n".join([head, *body])) > HISTORY - _NOTE:
        body.pop(1 if len(body) > 1 else 0)
        dropped += 1
    note = [f"({plural(dropped, 'line')} left out)"] if dropped else []
    return "\n".join([head, *note, *body])
