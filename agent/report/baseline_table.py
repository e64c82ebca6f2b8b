"""Baselines side by side: a table for people, an object for programs. Pure."""

from __future__ import annotations

from typing import Any

from agent.core import digest
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import duration, plural
from agent.report.summary import columns


def table(state: State, template: Template, width: int) -> str:
    """A row for each metric, primary and constraint metrics first, and where each result comes from."""
    runs = _measured(state)
    if not runs:
        return ""
    ids = digest.by_role([i for run in runs for i in run.metrics], template, template.primary)
    rows = [("metric", *(run.name for run in runs))]
    rows += [(identity, *(digest.cell(run, identity, template) for run in runs)) for identity in ids]
    said = [f"{run.name} ({name_of(run.name, template)}): {_source(run)}" for run in runs]
    return "\n".join([columns(rows, wrapped=0, width=width), "", *said])


def name_of(run: str, template: Template) -> str:
    return next(b.name for b in template.baselines if template.baseline_run(b.name) == run)


def baseline_record(state: State, template: Template) -> dict[str, Any]:
    return {
        run.name: {
            "name": name_of(run.name, template),
            "source": run.source or "measured now",
            "seconds": run.seconds,
            "metrics": run.metrics,
        }
        for run in _measured(state)
    }


def _measured(state: State) -> list[Run]:
    return [state.runs[name] for name in state.baselines if name in state.runs and state.runs[name].status == "good"]


def _source(run: Run) -> str:
    seeds = max((m["n"] or 1 for m in run.metrics.values()), default=1)
    return f"{plural(seeds, 'seed')}, {run.source or f'measured now, in {duration(run.seconds)}'}"
