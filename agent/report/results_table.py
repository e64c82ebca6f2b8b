"""All results of a study as CSV: a row for each run and metric, in full precision. Pure: state in, text out.

A confirmed run is given by its fresh seeds, as everywhere; `reference` is then the baseline's value that belongs to it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from agent.core import cells
from agent.core.state import Run, State
from agent.core.template import Template

COLUMNS = ("run", "of", "status", "metric", "direction", "role", "mean", "stderr", "n", "reference", "difference", "low", "high",
           "p", "verdict", "stage")  # fmt: skip


def results_csv(state: State, template: Template) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    primary = str((state.plan or {}).get("primary", template.primary))
    for run in state.runs.values():
        writer.writerows(_rows(run, state, template, primary))
    return text.getvalue()


def _rows(run: Run, state: State, template: Template, primary: str) -> Iterator[tuple[object, ...]]:
    of = template.baseline_of(run.name) if run.baseline else run.parent
    if run.status != "good":
        yield (run.name, of, "failed" if run.status == "closed" else run.status, *[""] * (len(COLUMNS) - 3))
        return
    for metric in cells.by_role(run.metrics, template, primary):
        yield (run.name, of, "good", *_cells(run, metric, state, template, primary))


def _cells(run: Run, metric: str, state: State, template: Template, primary: str) -> tuple[object, ...]:
    about = template.metric(metric)
    value = cells.estimate(run, metric)
    compared = cells.comparison(run)
    found = compared.of(metric) if compared else None
    beside = cells.beside(run, state.reference, metric) if state.reference and not run.baseline else None
    told = "" if run.baseline or cells.verdict(run, metric) == cells.NONE else cells.verdict(run, metric)
    difference = cells.change(run, state.reference, metric) if state.reference and beside else None
    numbers = (value.mean, value.stderr, value.n) if value else (None, None, None)
    tested = (found.low, found.high, found.p) if found else (None, None, None)
    return (
        metric, about.direction, "primary" if metric == primary else about.role, *map(_shown, numbers),
        beside.mean if beside else "", *map(_shown, (difference, *tested)), told, compared.stage if compared else "",
    )  # fmt: skip


def _shown(value: object) -> object:
    return "" if value is None else value
