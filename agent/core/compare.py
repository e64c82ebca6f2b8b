"""Two results → a Comparison: for each metric the difference, its noise and a verdict, and one verdict for the run.

    screen(run, reference, rules)              the run's few seeds against the baseline's: at best *unconfirmed*
    confirm(screened, run, reference, rules)   fresh seeds of both: *better* only here, and only for what had screened as better
    against(run, other, rules, test)           what both are made of

    better          screened at one-sided p ≤ 0.10, then p ≤ 0.025 on fresh seeds of both sides (Welch)
    worse           p ≤ 0.025 in the other direction
    within noise    neither, or smaller than the metric's `min_effect`
    unconfirmed     screens as better, not confirmed yet
    not comparable  another protocol, or a constraint out of its tolerance around the baseline's value
    no effect       the same to the bit as the reference, or as an earlier run; both values are of the seeds that both have
    unmeasured      no standard error, fewer than 3 seeds, or seeds that all gave one value
    single          one seed a side

The run's verdict is its primary metric's, unless it is not comparable or without effect as a whole. A metric without a direction
has no verdict. The paired difference stands beside the test and decides nothing. Of one seed, held-out documents are
resampled (core.bootstrap): that is the noise of the evaluation and not of the training, so it can never say better or worse.
Limits: of the metrics beside the primary one many are looked at, and no p-value is corrected for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent.core.bootstrap import over_documents
from agent.core.comparison import (
    BETTER,
    NO_EFFECT,
    NOT_COMPARABLE,
    SINGLE,
    UNCONFIRMED,
    UNMEASURED,
    WITHIN_NOISE,
    WORSE,
    Comparison,
    Difference,
    Estimate,
    Paired,
)
from agent.core.measures import Measure, identical, shared
from agent.core.protocol import differences as protocol_differences
from agent.core.result import Result
from agent.core.template import Metric, Template
from agent.core.welch import interval
from agent.core.welch import p_better as p_better

FEWEST = 3  # seeds a side, for a verdict
_DOCUMENTS = 10
_SANE = (1e-75, 1e75)  # standard errors whose fourth power can be reckoned with


@dataclass(frozen=True)
class Side:
    name: str
    result: Result


@dataclass(frozen=True)
class Rules:
    """What the template says; of the primary metric, what the frozen plan says."""

    template: Template
    primary: str
    varied: tuple[str, ...] = ()  # keys of protocol.train that the plan declares
    planned: tuple[tuple[str, Any], ...] = ()  # direction and min_effect of the primary metric

    @classmethod
    def of(cls, template: Template, plan: Mapping[str, Any]) -> Rules:
        """`plan` as it was frozen: primary, direction, min_effect, and `varied` if it declares any."""
        planned = tuple((key, plan[key]) for key in ("direction", "min_effect") if key in plan)
        return cls(template, plan.get("primary", ""), tuple(plan.get("varied", ())), planned)

    def metric(self, identity: str) -> Metric:
        found = self.template.metric(identity)
        return found.model_copy(update=dict(self.planned)) if identity == self.primary else found


@dataclass(frozen=True)
class Test:
    stage: str
    level: float  # one-sided, of what is called `better`
    better: str


SCREEN = Test("screen", 0.10, UNCONFIRMED)
CONFIRM = Test("confirmed", 0.025, BETTER)
WORSE_LEVEL = CONFIRM.level


def screen(run: Side, reference: Side, rules: Rules, same: str = "") -> Comparison:
    """`same`: the run or baseline whose results are the same to the bit in all metrics (core.effect), if there is one."""
    return against(run, reference, rules, SCREEN, same)


def confirm(screened: Comparison, run: Side, reference: Side, rules: Rules, same: str = "") -> Comparison:
    """`run` and `reference` are measured on fresh seeds. What had not screened as better cannot become it."""
    found = against(run, reference, rules, CONFIRM, same)
    reused = sorted({*found.seeds, *found.reference_seeds} & {*screened.seeds, *screened.reference_seeds})
    checked = tuple(_after_screening(d, screened, reused) for d in found.differences)
    return _with_verdict(replace(found, differences=checked))


def _after_screening(now: Difference, screened: Comparison, reused: list[int]) -> Difference:
    before = screened.of(now.metric)
    if now.verdict == BETTER and (before is None or before.verdict != UNCONFIRMED):
        return replace(now, verdict=WITHIN_NOISE, why="better on these seeds, but not on those that it was screened on")
    if now.verdict == BETTER and reused:
        seeds = ", ".join(map(str, reused))
        return replace(now, verdict=UNCONFIRMED, why=f"seeds {seeds} were used for screening: they confirm nothing")
    if now.verdict == WITHIN_NOISE and before and before.verdict == UNCONFIRMED:
        return replace(now, why=f"better when screened, but not confirmed on fresh seeds: {now.why}")
    return now


def against(run: Side, reference: Side, rules: Rules, test: Test, same: str = "") -> Comparison:
    ours, theirs = run.result, reference.result
    reasons, varied = protocol_differences(ours.protocol, theirs.protocol, rules.varied)
    common = [metric for metric in theirs.measures if metric in ours.measures]
    return _with_verdict(
        Comparison(
            run=run.name,
            reference=reference.name,
            stage=test.stage,
            primary=rules.primary,
            reasons=(*reasons, *_broken_constraints(run, reference, rules.template)),
            varied=varied,
            same=same,
            differences=tuple(_difference(metric, run, reference, rules, test) for metric in common),
            seeds=_seeds(ours),
            reference_seeds=_seeds(theirs),
        )
    )


def _seeds(result: Result) -> tuple[int, ...]:
    return tuple(sorted({seed for seeds in result.seeds.values() for seed in seeds}))


def _with_verdict(found: Comparison) -> Comparison:
    primary = found.of(found.primary)
    if found.reasons:
        more = f" (and {len(found.reasons) - 1} more)" if len(found.reasons) > 1 else ""
        return replace(found, verdict=NOT_COMPARABLE, why=found.reasons[0] + more)
    if found.same:
        return replace(found, verdict=NO_EFFECT, why=f"all results are those of {found.same} to the bit")
    if primary is None:
        return replace(found, verdict=UNMEASURED, why=f"{found.primary or 'a primary metric'} is not in both results")
    varied = f" (as planned, {'; '.join(found.varied)})" if found.varied else ""
    return replace(found, verdict=primary.verdict, why=f"{found.primary}: {primary.why}{varied}")


def _broken_constraints(run: Side, reference: Side, template: Template) -> Iterable[str]:
    for identity, base in reference.result.measures.items():
        metric, measure = template.metric(identity), run.result.measures.get(identity)
        if metric.role != "constraint" or metric.tolerance is None:
            continue
        if measure is None and not metric.optional:
            yield f"{identity}: a constraint, and {run.name} does not report it"
        elif measure and abs(measure.mean - base.mean) > metric.tolerance * (1 + 1e-9):
            yield (
                f"{identity}: {measure.mean:.6g} is more than {metric.tolerance:g} from {reference.name}'s {base.mean:.6g}"
            )


# --- one metric ---------------------------------------------------------------------------------------------------------


def _difference(identity: str, run: Side, reference: Side, rules: Rules, test: Test) -> Difference:
    metric = rules.metric(identity)
    ours, theirs = run.result.measures[identity], reference.result.measures[identity]
    alike = identical(ours, theirs)
    if alike:
        ours, theirs = shared(ours, theirs)
    found = Difference(identity, metric.direction, _estimate(ours), _estimate(theirs), paired=_paired(ours, theirs))
    if alike:
        judged = metric.direction != "none" and metric.role != "cost"
        return replace(found, verdict=NO_EFFECT if judged else "", why=f"the same as in {reference.name}, to the bit")
    if ours.n == theirs.n == 1 and _DOCUMENTS <= len(ours.documents) == len(theirs.documents):
        return _by_documents(found, metric, ours, theirs, test)
    nothing = _no_noise(run.name, ours) or _no_noise(reference.name, theirs)
    if nothing:
        return replace(found, verdict=nothing[0], why=nothing[1])
    return _tested(found, metric, reference.name, test)


def _no_noise(name: str, measure: Measure) -> tuple[str, str] | None:
    """Why nothing can be said about a difference: the first row that applies."""
    n, seeds = measure.n or 0, f"{measure.n} seeds"
    flat = len(set(measure.values)) == 1 if measure.values else (measure.stderr or 0) <= 1e-12 * abs(measure.mean)
    rows = (
        (n == 1, SINGLE, f"one seed of {name}: its noise is not known"),
        (measure.stderr is None, UNMEASURED, f"{name} gives no standard error, so its noise is not known"),
        (n == 0, UNMEASURED, f"{name} does not say over how many seeds it was measured"),
        (n < FEWEST, UNMEASURED, f"{seeds} of {name}; a verdict needs {FEWEST}"),
        (flat, UNMEASURED, f"all {seeds} of {name} gave one value: no noise was measured"),
        (
            not _SANE[0] < (measure.stderr or 0) < _SANE[1],
            UNMEASURED,
            f"{name}'s standard error is too small or too large",
        ),
    )
    return next(((verdict, why) for applies, verdict, why in rows if applies), None)


def _tested(found: Difference, metric: Metric, reference: str, test: Test) -> Difference:
    ours, theirs = found.run, found.reference
    low, high = interval(*ours.sufficient, *theirs.sufficient)
    found = replace(found, low=low, high=high)
    said = f"{found.difference:+.3g} (95 % interval {low:+.3g} to {high:+.3g}), {ours.n} seeds against {theirs.n} of {reference}"
    if metric.direction == "none":
        return replace(found, why=f"{said}; the template gives it no direction")
    flip = metric.direction == "down"
    first, second = (theirs, ours) if flip else (ours, theirs)
    found = replace(
        found,
        p=float(p_better(*first.sufficient, *second.sufficient)),
        p_worse=float(p_better(*second.sufficient, *first.sufficient)),
    )
    verdict = _verdict(found, metric, test)
    small = abs(found.difference) < metric.min_effect
    return replace(
        found, verdict=verdict, why=f"{said}{f'; less than min_effect, {metric.min_effect:g}' if small else ''}"
    )


def _verdict(found: Difference, metric: Metric, test: Test) -> str:
    assert found.p is not None and found.p_worse is not None
    if abs(found.difference) < metric.min_effect:
        return WITHIN_NOISE
    if found.p <= test.level:
        return test.better
    return WORSE if found.p_worse <= WORSE_LEVEL else WITHIN_NOISE


def _by_documents(found: Difference, metric: Metric, ours: Measure, theirs: Measure, test: Test) -> Difference:
    low, high, p_up = over_documents(ours.documents, theirs.documents)
    said = (f"{found.difference:+.3g} (95 % interval {low:+.3g} to {high:+.3g}) over {len(ours.documents)} documents; "
            "one seed, so the noise of training is not known")  # fmt: skip
    found = replace(found, low=low, high=high, why=said)
    if metric.direction == "none":
        return found
    p, p_worse = (p_up, 1 - p_up) if metric.direction == "up" else (1 - p_up, p_up)
    found = replace(found, p=p, p_worse=p_worse)
    if abs(found.difference) < metric.min_effect or min(p, p_worse) > test.level:
        return replace(found, verdict=WITHIN_NOISE)
    return replace(found, verdict=UNCONFIRMED if p <= test.level else SINGLE)


def _estimate(measure: Measure) -> Estimate:
    if not measure.values:
        return Estimate(measure.mean, measure.stderr, measure.n)
    exact = Measure.of(measure.values)  # what is written may be rounded
    return Estimate(exact.mean, exact.stderr, exact.n)


def _paired(ours: Measure, theirs: Measure) -> Paired | None:
    """Seed by seed, on those that both have."""
    common = sorted(ours.by_seed.keys() & theirs.by_seed.keys())
    steps = [ours.by_seed[seed] - theirs.by_seed[seed] for seed in common]
    if len(steps) < 2:
        return None
    found = Measure.of(steps)
    return Paired(found.mean, found.stderr or 0.0, len(steps))
