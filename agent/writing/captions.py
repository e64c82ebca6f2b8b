"""What stands below a figure, and the table of what is plotted.

A caption names the runs and says what points, bars and marks are. Measured numbers in it are references, as in notes;
`in_latex` makes LaTeX of it. The table holds the plotted numbers themselves, for whoever cannot see the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from agent.core.cells import NONE, best, verdict
from agent.core.comparison import (
    BETTER,
    NO_EFFECT,
    NOT_COMPARABLE,
    SINGLE,
    UNCONFIRMED,
    UNMEASURED,
    WITHIN_NOISE,
    WORSE,
)
from agent.core.state import State
from agent.core.template import Template
from agent.core.text import listed, plural, shorten
from agent.writing.axes import Axis
from agent.writing.figure import BASELINE, OTHER_BASELINE, Figure, Panel, Point

_DIRECTIONS = {"up": "higher is better", "down": "lower is better"}
# Verdicts that a caption has a word on, because the figure shows them in a way of their own.
_MARKED = {
    UNCONFIRMED: "Not confirmed on fresh seeds",
    NOT_COMPARABLE: "Not comparable with the baseline (hatched)",
    NO_EFFECT: "Without effect, with the results of another run",
    UNMEASURED: "Without a verdict, because the noise is not measured",
    SINGLE: "Without a verdict, because there is a single seed",
}
_SAID = (BETTER, WORSE, WITHIN_NOISE)
_REFERENCE = re.compile(r"\\[a-z]+(?:\{[^{}]*\})+")
_ESCAPED = {**{c: f"\\{c}" for c in "#$%&_{}"}, "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
            "\\": r"\textbackslash{}", "±": r"$\pm$"}  # fmt: skip


def caption(state: State, template: Template, figure: Figure) -> str:
    first = figure.panels[0]
    bars = any(point.y_stderr is not None for point in first.points)
    sentences = [
        _opening(figure),
        "Points are means over seeds" + (", bars ± 1 standard error." if bars else "; no standard error is known."),
        _seeds(figure, first),
        _baseline(figure, first),
        _fill(first),
        *_marked(figure, first),
        _outcome(state, template, first),
        _failed(state, figure),
        "Arrows: values beyond the axis." if any(_is_beyond(p) for p in figure.panels) else "",
        f"{plural(figure.left_out, 'earlier run is', 'earlier runs are')} left out." if figure.left_out else "",
    ]
    return " ".join(filter(None, sentences))


def _opening(figure: Figure) -> str:
    told = [_axis(panel.y) for panel in figure.panels]
    if figure.kind == "runs":
        return f"{told[0]}, run after run."
    if figure.kind == "plane":
        across = " and ".join(_axis(panel.x) for panel in figure.panels if panel.x)
        allowed = any(panel.allowed for panel in figure.panels)
        return f"{told[0]} against {across}." + (" Shaded: what the constraint allows." if allowed else "")
    return f"The runs in {plural(len(told), 'metric')}: {'; '.join(told)}."


def _axis(axis: Axis) -> str:
    within = ", ".join(filter(None, (axis.unit, _DIRECTIONS.get(axis.direction, ""))))
    return axis.label + (f" ({within})" if within else "")


def _seeds(figure: Figure, panel: Panel) -> str:
    """How many seeds, by reference: runs of one number together."""
    groups: dict[int, list[str]] = {}
    for point in panel.points:
        if point.n is not None:
            groups.setdefault(point.n, []).append(point.run)
    labels = {row.run: row.label.removesuffix(" (baseline)") for row in figure.rows}
    said = [f"\\factn{{{runs[-1]}}} ({_few(labels[run] for run in runs)})" for _, runs in sorted(groups.items())]
    return f"Seeds: {', '.join(said)}." if said else ""


def _few(words: Iterable[str]) -> str:
    return listed(words, 12)


def _baseline(figure: Figure, panel: Panel) -> str:
    base = next((row.label for row in figure.rows for p in panel.points if p.mark == BASELINE and p.run == row.run), "")
    name = base.removesuffix(" (baseline)")
    what = "the baseline" + (f" {name}" if name and name != "baseline" else "")
    if figure.kind == "plane":
        return f"Grey: {what}" + (" and other baselines." if _others(panel) else ".")
    band = panel.reference is not None and panel.reference[1] is not None
    line = f"The line{' with its band' if band else ''} is {what}"
    return line + ("; other baselines are grey." if _others(panel) else ".")


def _others(panel: Panel) -> bool:
    return any(point.mark == OTHER_BASELINE for point in panel.points)


def _fill(panel: Panel) -> str:
    """Only where there is something to tell apart."""
    runs = [point for point in panel.points if point.mark not in (BASELINE, OTHER_BASELINE)]
    if not any(point.fresh for point in runs):
        return ""
    mixed = not all(point.fresh for point in runs)
    said = "Filled: measured again on fresh seeds, as the baseline is"
    return said + ("; hollow: as first measured." if mixed else ".")


def _is_beyond(panel: Panel) -> bool:
    places = [(panel.y, point.y) for point in panel.points]
    places += [(panel.x, point.x) for point in panel.points if panel.x and point.x is not None]
    return any(not axis.low <= value <= axis.high for axis, value in places)


def _marked(figure: Figure, panel: Panel) -> list[str]:
    labels = {row.run: row.label for row in figure.rows}
    found = {mark: [labels[p.run] for p in panel.points if p.mark == mark] for mark in _MARKED}
    return [f"{_MARKED[mark]}: {_few(runs)}." for mark, runs in found.items() if runs]


def _outcome(state: State, template: Template, panel: Panel) -> str:
    """What the best run came to, in words and numbers that follow the data."""
    run, reference = best(state, template), state.reference
    if run is None or reference is None or panel.y.metric != (state.plan or {}).get("primary"):
        return ""
    if verdict(run, panel.y.metric) not in _SAID:
        return ""
    both = f"{{{run.name}}}{{{reference.name}}}{{{panel.y.metric}}}"
    return f"Run {run.number} \\factverdict{{{run.name}}}{{{panel.y.metric}}} the baseline (\\factdiff{both})."


def _failed(state: State, figure: Figure) -> str:
    failed = [f"run {run.number}" for run in state.tried if run.status == "closed"]
    if not failed:
        return ""
    seen = " and are crossed out" if figure.kind == "runs" and len(failed) > 1 else ""
    seen = seen or (" and is crossed out" if figure.kind == "runs" else "")
    return f"Failed{seen}: {_few(failed)}."


def table(state: State, figure: Figure) -> str:
    """One line a run: seeds, and mean ± standard error (verdict) of each metric that is plotted."""
    panels = {panel.y.metric: panel for panel in figure.panels}
    across = [panel for panel in figure.panels if panel.x]
    head = ["run", "what", "seeds", *panels, *(panel.x.metric for panel in across if panel.x)]
    lines = [" | ".join(head)]
    for row in figure.rows:
        run = state.runs[row.run]
        what = row.label if row.baseline else shorten(run.summary or NONE, 48)
        if row.failed:
            lines.append(f"{row.run} | {what} | failed: {shorten(run.closed, 80)}")
            continue
        points = {name: _of(panel, row.run) for name, panel in panels.items()}
        ups = [_up(points[name]) for name in panels]
        lines.append(" | ".join([row.run, what, _n(points.values()), *ups, *(_x(_of(p, row.run)) for p in across)]))
    return "\n".join(lines)


def _of(panel: Panel, run: str) -> Point | None:
    return next((point for point in panel.points if point.run == run), None)


def _n(points: Iterable[Point | None]) -> str:
    point = next((p for p in points if p), None)
    return NONE if point is None or point.n is None else f"{point.n}{' fresh' if point.fresh else ''}"


def _up(point: Point | None) -> str:
    if point is None:
        return NONE
    known = point.mark and point.mark not in (BASELINE, OTHER_BASELINE)
    return point.said + (f" ({point.mark})" if known else "")


def _x(point: Point | None) -> str:
    return point.x_said if point else NONE


def in_latex(text: str) -> str:
    """A caption as LaTeX: what is no reference is escaped."""
    pieces, at = [], 0
    for found in _REFERENCE.finditer(text):
        pieces += [_escape(text[at : found.start()]), found[0]]
        at = found.end()
    return "".join([*pieces, _escape(text[at:])])


def _escape(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)
