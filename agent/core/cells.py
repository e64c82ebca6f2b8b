"""Single values as tables show them: a number, mean ± stderr, a difference, a verdict; and which run is the best so far.

A run that was confirmed is shown with its fresh seeds, and so is the baseline beside it: those of the screening chose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agent.core.comparison import BETTER, NO_EFFECT, NOT_COMPARABLE, Comparison, Difference, Estimate
from agent.core.state import Run, State
from agent.core.template import Template

_CONFIRMED = "confirmed"
NONE = "–"


def number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return f"{value:.{max(1, digits)}g}" if value and (float(text) == 0 or abs(value) >= 1e7) else text


def cell(run: Run, identity: str, template: Template) -> str:
    return shown(estimate(run, identity), template.metric(identity).digits)


def shown(value: Estimate | None, digits: int) -> str:
    if value is None:
        return NONE
    return number(value.mean, digits) + (f" ± {number(value.stderr, digits)}" if value.stderr is not None else "")


def estimate(run: Run, identity: str) -> Estimate | None:
    found = confirmed(comparison(run), identity)
    return found.run if found else measured(run.metrics, identity)


def confirmed(found: Comparison | None, identity: str) -> Difference | None:
    """A metric as it was compared on fresh seeds, if it was."""
    return found.of(identity) if found and found.stage == _CONFIRMED else None


def measured(metrics: Mapping[str, Mapping[str, Any]], identity: str) -> Estimate | None:
    measure = metrics.get(identity)
    return Estimate(measure["mean"], measure.get("stderr"), measure.get("n")) if measure else None


def beside(run: Run, reference: Run, identity: str) -> Estimate | None:
    """The reference's value that belongs to the run's: of the same seeds."""
    found = _compared(run, reference, identity)
    return found.reference if found else estimate(reference, identity)


def difference(run: Run, reference: Run, identity: str, template: Template) -> str:
    found = change(run, reference, identity)
    if found is None:
        return NONE
    return ("+" if found >= 0 else "−") + number(abs(found), template.metric(identity).digits)


def change(run: Run, reference: Run, identity: str) -> float | None:
    """From the reference's value that belongs to the run's; of what is the same to the bit, on the seeds that both have."""
    found = _compared(run, reference, identity)
    if found and found.verdict == NO_EFFECT:
        return found.difference
    ours, theirs = estimate(run, identity), beside(run, reference, identity)
    return ours.mean - theirs.mean if ours and theirs else None


def fresh_runs(state: State) -> frozenset[str]:
    """The runs that are shown with their fresh seeds: those that were confirmed, and the reference beside them."""
    found = {run.name for run in state.good if (said := comparison(run)) and said.stage == _CONFIRMED}
    return frozenset({*found, *([state.reference.name] if found and state.reference else [])})


def verdict(run: Run, identity: str = "") -> str:
    """Of a metric, or of the run as a whole; a dash if there is none. What is not comparable is so in every cell."""
    return verdict_in(comparison(run), identity)


def outcome(run: Run) -> str:
    """The verdict where a difference to the baseline stands beside it: of a copy of another run, that it is one."""
    found = comparison(run)
    copied = found is not None and found.verdict == NO_EFFECT and found.same not in ("", found.reference)
    return f"{verdict(run)} (as {found.same})" if found and copied else verdict(run)


def verdict_in(found: Comparison | None, identity: str = "") -> str:
    if found is None:
        return NONE
    of_metric = found.of(identity) if identity else None
    if not identity or (found.verdict in (NOT_COMPARABLE, NO_EFFECT) and (found.reasons or found.same)):
        return found.verdict or NONE
    return (of_metric.verdict if of_metric else "") or NONE


def comparison(run: Run) -> Comparison | None:
    return Comparison.from_json(run.comparison) if run.comparison else None


def _compared(run: Run, reference: Run, identity: str) -> Difference | None:
    found = comparison(run)
    return found.of(identity) if found and found.reference == reference.name else None


def by_role(ids: Iterable[str], template: Template, primary: str) -> list[str]:
    """Each metric once: the primary one, other primary ones, constraints, diagnostics, costs."""
    rank = {"primary": 0, "constraint": 1, "diagnostic": 2, "cost": 3}
    return sorted(set(ids), key=lambda m: (m != primary, rank[template.metric(m).role], m))


def best(state: State, template: Template, last: Run | None = None) -> Run | None:
    """The confirmed run with the best mean on the primary metric; if none is confirmed, the best mean, which claims nothing.

    What is not comparable, or had no effect, is never the best. Without a direction there is none. `last`: of the runs up to it.
    """
    primary = (state.plan or {}).get("primary", "")
    direction = template.metric(primary).direction
    runs = [r for r in state.good if last is None or r.number <= last.number]
    runs = [r for r in runs if primary in r.metrics and verdict(r) not in (NOT_COMPARABLE, NO_EFFECT)]
    if not runs or direction == "none":
        return None
    sign = 1 if direction == "up" else -1
    better = [r for r in runs if verdict(r) == BETTER]

    def gain(run: Run) -> float:
        value = estimate(run, primary)
        assert value is not None
        return sign * value.mean

    return max(better or runs, key=gain)
