"""A run's results and all earlier ones → the event that says what came of it. What a step has to call; it reads the files.

screened    after a run: its few seeds against the baseline's, and what core.effect finds among all results so far
confirmed   after the fresh seeds of both are measured; only for a run whose verdict is *unconfirmed* (`wants_confirmation`)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent.core import compare, effect
from agent.core.comparison import UNCONFIRMED, Comparison
from agent.core.events import RunCompared
from agent.core.result import Result


def screened(run: str, results: Mapping[str, Result], reference: str, rules: compare.Rules) -> RunCompared:
    """`results`: of the run, and of every baseline and good run before it, by name."""
    own, base = results[run], results[reference]
    others = {name: result for name, result in results.items() if name != run}
    same = effect.same_results(own, others, rules.template)
    repeated = next((s.run for s in same if s.all), "")
    found = compare.screen(compare.Side(run, own), compare.Side(reference, base), rules, repeated)
    stale = effect.stale_metrics(results, rules.template)
    told = effect.warnings(run, same, stale, effect.small_terms(own), tuple(effect.small_terms(base)))
    return RunCompared(run=run, stage="screen", comparison=found.to_json(), warnings=told)


def wants_confirmation(comparison: Mapping[str, Any] | None) -> bool:
    """Whether the run screens as better on its primary metric, and has not been run on fresh seeds yet."""
    return comparison is not None and comparison["verdict"] == UNCONFIRMED and comparison["stage"] == "screen"


def confirmed(before: Mapping[str, Any], run: Result, reference: Result, rules: compare.Rules) -> RunCompared:
    """`before`: the comparison as it was screened. `run` and `reference`: both on the same fresh seeds."""
    first = Comparison.from_json(dict(before))
    sides = (compare.Side(first.run, run), compare.Side(first.reference, reference))
    same = effect.same_results(run, {first.reference: reference}, rules.template)
    repeated = next((s.run for s in same if s.all), "")
    found = compare.confirm(first, *sides, rules, repeated)
    told = effect.warnings(first.run, same, (), {})
    return RunCompared(run=first.run, stage="confirmed", comparison=found.to_json(), warnings=told)
