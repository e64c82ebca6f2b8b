"""Did the change do anything? Results equal to those of another run, metrics that never change, terms that weigh nothing.

    same_results    a run whose results are, to the bit, those of an earlier run or a baseline: all of them, or most
    stale_metrics   metrics that are the same in three or more runs whose results otherwise differ
    small_terms     terms under 0.1 % of the loss (the family `loss_share`)

Costs (seconds, memory) are aside: they differ between two runs of one program. Equal means bit by bit, on the seeds that
both have. Limits: a metric that takes few values (an accuracy over ten items) may be equal by chance, so less than half is not
reported; a metric that has reached its end (1.0 everywhere) looks like a stale one, and the sentence says so. Constraints,
and metrics that the template lists without a direction, may stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.core.comparison import NO_EFFECT, Comparison
from agent.core.measures import identical
from agent.core.result import Result
from agent.core.template import Metric, Template
from agent.core.text import plural

SMALL = 0.001  # of the loss
SHARES = "loss_share"
_RUNS = 3  # with different results, before a metric can be called stale
_NAMED = 4


@dataclass(frozen=True)
class Same:
    run: str  # with whose results
    metrics: tuple[str, ...]  # that are equal
    of: int  # how many both have

    @property
    def all(self) -> bool:
        return len(self.metrics) == self.of


@dataclass(frozen=True)
class Stale:
    metric: str
    value: float
    runs: tuple[str, ...]


def same_results(run: Result, others: Mapping[str, Result], template: Template) -> tuple[Same, ...]:
    """Those of the others with which more than half of the metrics are equal, the most alike first."""
    found = [Same(name, *_equal(run, other, template)) for name, other in others.items()]
    return tuple(sorted((s for s in found if 2 * len(s.metrics) > s.of), key=lambda s: -len(s.metrics) / s.of))


def _equal(run: Result, other: Result, template: Template) -> tuple[tuple[str, ...], int]:
    common = [m for m in run.measures if m in other.measures and template.metric(m).role != "cost"]
    return tuple(m for m in common if identical(run.measures[m], other.measures[m])), len(common)


def stale_metrics(results: Mapping[str, Result], template: Template) -> tuple[Stale, ...]:
    """Over all good runs and baselines. A run that repeats another's results counts once."""
    different: dict[str, Result] = {}
    for name, result in results.items():
        if not any(s.all for s in same_results(result, different, template)):
            different[name] = result
    found = []
    for metric in sorted({m for result in different.values() for m in result.measures}):
        having = [name for name, result in different.items() if metric in result.measures]
        measures = [different[name].measures[metric] for name in having]
        never = len(having) >= _RUNS and all(identical(measures[0], other) for other in measures[1:])
        if never and _should_change(template.metric(metric)):
            found.append(Stale(metric, measures[0].mean, tuple(having)))
    return tuple(found)


def _should_change(metric: Metric) -> bool:
    listed = metric != Metric()
    return metric.role not in ("cost", "constraint") and not (listed and metric.direction == "none")


def shares(result: Result) -> dict[str, float]:
    """Each term of the loss, and its part of the whole."""
    prefix = f"{SHARES}."
    return {m.removeprefix(prefix): v.mean for m, v in result.measures.items() if m.startswith(prefix)}


def small_terms(result: Result) -> dict[str, float]:
    return {name: share for name, share in shares(result).items() if abs(share) < SMALL}


def warnings(
    name: str, same: Sequence[Same], stale: Sequence[Stale], small: Mapping[str, float], usual: Sequence[str] = ()
) -> tuple[str, ...]:
    """A sentence each, for the coder, the notes and the report. `usual`: terms that are as small in the baseline."""
    return (
        *(_same_said(name, s) for s in same[:1]),
        *(f"{s.metric} is {s.value:.6g} in all of {', '.join(s.runs[:_NAMED])}{' …' if len(s.runs) > _NAMED else ''}: "
          "either its evaluation does not see the changes, or it is at its end" for s in stale[:_NAMED]),
        *(f"{_NO_TERM} {term} is {100 * share:.3g} % of the loss"
          + (", as in the baseline" if term in usual else ": it changes next to nothing")
          for term, share in sorted(small.items(), key=lambda one: one[0] in usual)),
    )  # fmt: skip


def untold(name: str, warnings: Sequence[str], found: Comparison | None) -> tuple[str, ...]:
    """Without those that repeat a verdict *no effect*, for people: of a control it is the result and no reason to worry."""
    if found is None or found.verdict != NO_EFFECT:
        return tuple(warnings)
    other = found.same or found.reference
    same = re.compile(
        rf"(the results|\d+ of \d+ metrics?) of {re.escape(name)} are those of {re.escape(other)} to the bit"
    )
    return tuple(one for one in warnings if not same.match(one) and not one.startswith(_NO_TERM))


_NO_TERM = "the loss term"


def _same_said(name: str, same: Same) -> str:
    if same.all:
        return (f"the results of {name} are those of {same.run} to the bit, in all {plural(same.of, 'metric')}: "
                "the change had no effect on what is measured")  # fmt: skip
    named = ", ".join(same.metrics[:_NAMED]) + (" …" if len(same.metrics) > _NAMED else "")
    return (f"{len(same.metrics)} of {plural(same.of, 'metric')} of {name} are those of {same.run} to the bit ({named}): "
            "the change did not reach what they measure")  # fmt: skip
