"""The state as the results files have it now. A file that was changed after it was journaled changes what is written of it.

Comparisons that rest on a changed file are made again (core.verdicts), so that differences, verdicts and p-values follow too.
The journal stays what it is: this is for texts, and whoever shows them says which files were `changed`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.core.compare import Rules
from agent.core.measures import Measure, pooled
from agent.core.result import Result
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.verdicts import confirmed, screened

RESULTS = "final_info.json"


@dataclass(frozen=True)
class Source:
    """A results file as it was read."""

    result: Result
    sha256: str


def first_file(run: str) -> str:
    return f"{run}/{RESULTS}"


def fresh_file(run: str) -> str:
    return f"{run}/confirm/{RESULTS}"


def more_file(run: str, number: int) -> str:
    return f"{run}/more_{number}/{RESULTS}"


def files_of(run: Run) -> list[str]:
    """Where its numbers are."""
    more = [more_file(run.name, number) for number in range(1, run.replicated + 1)]
    return [first_file(run.name), *more, *([fresh_file(run.name)] if run.confirmation else [])]


def as_on_file(state: State, template: Template, results: Mapping[str, Result]) -> tuple[State, tuple[str, ...]]:
    """`results` by path. Also the paths whose numbers are not those of the journal."""
    good = {name: run for name, run in state.runs.items() if run.status == "good"}
    renewed = {name: _renewed(run, results) for name, run in good.items()}
    changed = [path for name, run in good.items() for path in _changed(run, renewed[name])]
    if not changed:
        return state, ()
    runs = {**state.runs, **renewed}
    reference = state.reference.name if state.reference else ""
    touched = {name for name in good if runs[name] != good[name]}
    rules = Rules.of(template, state.plan or {})
    for name, run in renewed.items():
        if run.comparison and (name in touched or reference in touched):
            runs[name] = _compared_again(run, renewed, reference, results, rules)
    return replace(state, runs=runs), tuple(changed)


def _renewed(run: Run, results: Mapping[str, Result]) -> Run:
    first = results.get(first_file(run.name))
    measures = dict(first.measures) if first else {}
    for number in range(1, run.replicated + 1):
        more = results.get(more_file(run.name, number))
        measures = pooled(measures, more.measures) if more else {}
    fresh = results.get(fresh_file(run.name)) if run.confirmation else None
    return replace(
        run,
        metrics=_with(run.metrics, measures),
        confirmation=_with(run.confirmation, fresh.measures if fresh else {}),
    )


def _with(journaled: dict[str, dict[str, Any]], measures: Mapping[str, Measure]) -> dict[str, dict[str, Any]]:
    """What a file does not hold, such as probes, stays as it was journaled."""
    return {name: measures[name].to_json() if name in measures else data for name, data in journaled.items()}


def _changed(before: Run, after: Run) -> list[str]:
    firsts = [path for path in files_of(before) if path != fresh_file(before.name)]
    return (firsts if _differ(before.metrics, after.metrics) else []) + (
        [fresh_file(before.name)] if _differ(before.confirmation, after.confirmation) else []
    )


def _differ(one: Mapping[str, Mapping[str, Any]], other: Mapping[str, Mapping[str, Any]]) -> bool:
    return any(Measure.from_json(dict(one[name])) != Measure.from_json(dict(other[name])) for name in one)


def _compared_again(
    run: Run, runs: Mapping[str, Run], reference: str, results: Mapping[str, Result], rules: Rules
) -> Run:
    earlier = [one for one in runs.values() if one.baseline or one.number <= run.number]
    firsts = {one.name: as_judged(one.metrics, results.get(first_file(one.name))) for one in earlier}
    first = screened(run.name, firsts, reference, rules).comparison
    if (run.comparison or {}).get("stage") != "confirmed":
        return replace(run, comparison=first)
    ours = as_judged(run.confirmation, results.get(fresh_file(run.name)))
    theirs = as_judged(runs[reference].confirmation, results.get(fresh_file(reference)))
    return replace(run, comparison=confirmed(first, ours, theirs, rules).comparison, screened=first)


def as_judged(metrics: Mapping[str, Mapping[str, Any]], stated: Result | None) -> Result:
    """The numbers of the journal, more seeds among them; per-document values are only in the file."""
    measures = {name: Measure.from_json(dict(data)) for name, data in metrics.items()}
    if stated:
        known = stated.measures
        measures = {n: replace(m, documents=known[n].documents) if n in known else m for n, m in measures.items()}
    seeds = {name.partition(".")[0]: measure.seeds for name, measure in measures.items() if measure.seeds}
    return replace(stated or Result({}, {}, {}), measures=measures, seeds=seeds)
