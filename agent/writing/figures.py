"""What the default figures of a study show, as plain data: `figures(state, template)`. `draw.py` makes images of it.

    default_metrics    each metric in a panel, each run in a row, the baseline as a line with a band; ± 1 standard error
    default_runs       the primary metric, run after run; failed runs have their place
    default_tradeoff   the primary metric against each constraint that differs, with the band that the constraint allows

Values are those of core.cells: a run that was confirmed, and the baseline beside it, are shown with their fresh seeds.
Nothing is read but the state, so the same state gives the same data. Of very many runs only the best and the newest fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from agent.core.cells import NONE, beside, best, by_role, comparison, estimate, number, verdict
from agent.core.cells import shown as shown_as
from agent.core.comparison import Estimate
from agent.core.effect import SHARES
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import shorten
from agent.writing import axes, captions
from agent.writing.figure import BASELINE, OTHER_BASELINE, Figure, Panel, Point, Row

VERSION = 1  # of the document that draw.py reads
MOST_ROWS, MOST_RUNS, MOST_PANELS, MOST_CONSTRAINTS = 20, 100, 6, 2
_FEW = 3  # primary metrics; where there are fewer, other metrics with a direction join them
NARROW, FULL = 3.3, 6.8  # inches: a column of a paper, and the whole width


def figures(state: State, template: Template) -> tuple[Figure, ...]:
    """None before the baseline is measured and something was tried."""
    reference, primary = state.reference, (state.plan or {}).get("primary", "")
    if reference is None or not state.tried or primary not in reference.metrics:
        return ()
    shown = _shown(state, template, MOST_ROWS)
    made = [
        _metrics(state, template, shown, primary),
        _over_runs(state, template, _shown(state, template, MOST_RUNS), primary),
        *_tradeoff(state, template, shown, primary),
    ]
    return tuple(_told(state, template, figure) for figure in made)


def document(state: State, template: Template) -> dict[str, Any]:
    """What draw.py reads, and what is kept beside the images."""
    made = [{**asdict(one), "runs": one.runs, "metrics": one.metrics} for one in figures(state, template)]
    return {"version": VERSION, "study": state.name, "figures": made}


def _told(state: State, template: Template, figure: Figure) -> Figure:
    figure = replace(figure, left_out=len({run.name for run in state.good} - set(figure.runs)))
    words = captions.caption(state, template, figure)
    return replace(figure, caption=words, table=captions.table(state, figure))


def _shown(state: State, template: Template, most: int) -> list[Run]:
    """Baselines, then the runs with results by number: if there are too many, the best and the newest."""
    bases = [state.runs[name] for name in state.baselines if name in state.runs and state.runs[name].status == "good"]
    room = max(1, most - len(bases))
    first = best(state, template)
    kept = [run for run in state.good if run is first] + [run for run in reversed(state.good) if run is not first]
    return [*bases, *sorted(kept[:room], key=lambda run: run.number)]


def _row(run: Run, state: State, template: Template) -> Row:
    if not run.baseline:
        return Row(run.name, f"run {run.number}", False, run.number, run.status == "closed")
    name = template.baseline_of(run.name).removeprefix("baseline ").removeprefix("run_0_")
    name = run.name.removeprefix("run_0_") if run.name != "run_0" else name
    said = f"{name} (baseline)" if run is state.reference and name != "baseline" else name
    return Row(run.name, shorten(said, 28), True)


def _point(run: Run, identity: str, state: State, template: Template, across: str = "") -> Point | None:
    value, x = _value(run, identity, state), _value(run, across, state) if across else None
    if value is None or (across and x is None):
        return None
    digits = template.metric(identity).digits
    up = shown_as(value, digits)
    point = Point(run.name, mark_of(run, identity, state), fresh(run, identity, state), value.mean, value.stderr,
                  value.n, up, number(value.mean, digits))  # fmt: skip
    if x is None:
        return point
    return replace(point, x=x.mean, x_stderr=x.stderr, x_said=shown_as(x, template.metric(across).digits))


def mark_of(run: Run, identity: str, state: State) -> str:
    if run.baseline:
        return BASELINE if run is state.reference else OTHER_BASELINE
    found = verdict(run, identity)
    return "" if found == NONE else found


def fresh(run: Run, identity: str, state: State) -> bool:
    """Whether the value shown is of fresh seeds; the baseline's is, as soon as one run beside it is confirmed."""
    if run is state.reference:
        return any(fresh(other, identity, state) for other in state.good)
    found = comparison(run)
    return bool(found and found.stage == "confirmed" and found.of(identity))


def _value(run: Run, identity: str, state: State) -> Estimate | None:
    """As core.cells has it; of the baseline, what belongs to the last confirmed run."""
    confirmed = [other for other in state.good if fresh(other, identity, state)] if run is state.reference else []
    return beside(confirmed[-1], run, identity) if confirmed else estimate(run, identity)


def _panel(shown: Sequence[Run], identity: str, state: State, template: Template, across: str = "") -> Panel:
    points = tuple(filter(None, (_point(run, identity, state, template, across) for run in shown)))
    base = next((p for p in points if p.mark == BASELINE), None)
    y = axes.axis(identity, template, [_span(p.y, p.y_stderr, p.mark) for p in points])
    if not across:
        return Panel(y, points, (base.y, base.y_stderr) if base else None)
    allowed = None
    tolerance = template.metric(across).tolerance
    if base and base.x is not None and tolerance is not None:
        allowed = (base.x - tolerance, base.x + tolerance)
    spans = [_span(p.x, p.x_stderr, p.mark) for p in points if p.x is not None]
    x = axes.axis(across, template, [*spans, *([(*allowed, axes.KEPT)] if allowed else [])])
    return Panel(y, points, (base.y, base.y_stderr) if base else None, x, allowed)


def _span(value: float, stderr: float | None, mark: str) -> axes.Span:
    """What a point covers, and whether the axis must show it."""
    rank = {BASELINE: axes.KEPT, OTHER_BASELINE: axes.OTHER}.get(mark, axes.RUN)
    return value - (stderr or 0.0), value + (stderr or 0.0), rank


def _metrics(state: State, template: Template, shown: Sequence[Run], primary: str) -> Figure:
    chosen = chosen_metrics(shown, template, primary)
    panels = tuple(_panel(shown, identity, state, template) for identity in chosen)
    rows = tuple(_row(run, state, template) for run in shown)
    return Figure("default_metrics", "rows", FULL if len(panels) > 1 else NARROW, rows, panels)


def chosen_metrics(shown: Sequence[Run], template: Template, primary: str) -> list[str]:
    """The primary one, those of that role, and where these are few others with a direction."""
    known = [m for run in shown for m in run.metrics if not m.startswith(f"{SHARES}.")]
    ordered = by_role(known, template, primary)
    first = [m for m in ordered if m == primary or template.metric(m).role == "primary"]
    more = [m for m in ordered if m not in first and _is_worth_it(m, template)]
    return (first + more[: max(0, _FEW - len(first))])[:MOST_PANELS]


def _is_worth_it(identity: str, template: Template) -> bool:
    metric = template.metric(identity)
    return metric.role not in ("cost", "constraint") and metric.direction != "none"


def _over_runs(state: State, template: Template, shown: Sequence[Run], primary: str) -> Figure:
    failed = [run for run in state.tried if run.status == "closed"][-MOST_RUNS:]
    rows = sorted(
        (_row(run, state, template) for run in [*shown, *failed]), key=lambda row: (not row.baseline, row.number)
    )
    return Figure("default_runs", "runs", NARROW, tuple(rows), (_panel(shown, primary, state, template),))


def _tradeoff(state: State, template: Template, shown: Sequence[Run], primary: str) -> list[Figure]:
    """For each constraint that is not the same in all runs; without one there is no such figure."""
    known = by_role((m for run in shown for m in run.metrics), template, primary)
    constraints = [m for m in known if template.metric(m).role == "constraint" and m != primary]
    varied = [m for m in constraints if len({run.metrics[m]["mean"] for run in shown if m in run.metrics}) > 1]
    panels = tuple(_panel(shown, primary, state, template, m) for m in varied[:MOST_CONSTRAINTS])
    rows = tuple(_row(run, state, template) for run in shown)
    return [Figure("default_tradeoff", "plane", FULL if len(panels) > 1 else NARROW, rows, panels)] if panels else []
