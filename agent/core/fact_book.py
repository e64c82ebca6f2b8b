"""What a study's facts are taken from: runs by name, the value of a metric that counts where it stands, comparisons, settings.

Raises NoSuchFact with what was probably meant. core.facts says which values count; nothing is formatted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from agent.core import cells
from agent.core.comparison import NO_EFFECT, Comparison, Difference, Estimate
from agent.core.fact import NoSuchFact, nearest
from agent.core.renewed import Source, first_file
from agent.core.result import Result, identity
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import shorten

FIRST = "/first"  # after a run's name: the seeds before those that confirmed it


@dataclass(frozen=True)
class Value:
    """One metric of one run, of the seeds that count where it stands."""

    run: Run
    metric: str
    estimate: Estimate
    fresh: bool


@dataclass(frozen=True)
class Book:
    state: State
    template: Template
    sources: Mapping[str, Source] = field(default_factory=dict)
    changed: tuple[str, ...] = ()  # results files that say something else than was journaled

    # --- what is known by name -------------------------------------------------------------------------------------

    @cached_property
    def names(self) -> dict[str, Run]:
        """Runs with a result, by every name they go by."""
        good = {name: run for name, run in self.state.runs.items() if run.status == "good"}
        others = {f"run_0_{b.name}": good.get(self.template.baseline_run(b.name)) for b in self.template.baselines}
        return {**{name: run for name, run in others.items() if run}, **good}

    @cached_property
    def comparisons(self) -> dict[str, Comparison | None]:
        return {run.name: cells.comparison(run) for run in self.names.values()}

    def run(self, word: str) -> tuple[Run, bool]:
        """A run, and whether its first seeds are asked for."""
        name = word.removesuffix(FIRST)
        if found := self.names.get(name):
            return found, name != word
        known = self.state.runs.get(name)
        if known is None:
            raise NoSuchFact(f"there is no run {shorten(name, 60) or 'without a name'}", nearest(name, self.names))
        why = f": {shorten(known.closed, 100)}" if known.closed else ", as yet"
        raise NoSuchFact(f"{name} has no result{why}")

    def split(self, word: str) -> tuple[str, str]:
        """RUN.FAMILY.METRIC → the run's name and the metric."""
        name, dot, metric = word.partition(".")
        if name.removesuffix(FIRST) not in self.state.runs and (near := nearest(name, self.names)):
            meant = nearest(metric, self.names[near].metrics)
            if near != name:
                raise NoSuchFact(f"there is no run {shorten(name, 60)}", f"{near}.{meant}" if meant else near)
        run, _ = self.run(name)
        if not dot or not metric:
            raise NoSuchFact(f"{shorten(word, 60)} names no metric; write {name}.FAMILY.METRIC")
        if metric not in run.metrics:
            meant = nearest(metric, run.metrics)
            raise NoSuchFact(f"{run.name} has no metric {shorten(metric, 80)}", meant and f"{name}.{meant}")
        return name, metric

    def digits(self, metric: str) -> int:
        if metric not in self._digits:
            self._digits[metric] = self.template.metric(metric).digits
        return self._digits[metric]

    @cached_property
    def _digits(self) -> dict[str, int]:
        return {}

    # --- values ----------------------------------------------------------------------------------------------------

    def value(self, word: str, metric: str, beside: str = "") -> Value:
        """A run's value, alone or beside another run's."""
        run, first = self.run(word)
        confirmed = None if first else self._confirmed(run, metric, beside)
        found = confirmed or self._alike(run, metric, beside) or cells.measured(run.metrics, metric)
        if found is None:
            raise NoSuchFact(f"{run.name} has no metric {shorten(metric, 80)}", nearest(metric, run.metrics))
        return Value(run, metric, found, confirmed is not None)

    def _confirmed(self, run: Run, metric: str, beside: str) -> Estimate | None:
        if run is not self.state.reference:
            found = cells.confirmed(self.comparisons[run.name], metric)
            return found.run if found else None
        if beside:
            other, first = self.run(beside)
            found = None if first else cells.confirmed(self.comparisons[other.name], metric)
            return found.reference if found else None
        return cells.measured(run.confirmation, metric) if self.reads_fresh(run) else None

    def _alike(self, run: Run, metric: str, beside: str) -> Estimate | None:
        """Beside a run or baseline that has the same values: of the seeds that both have, so that they differ by nothing."""
        other = self.run(beside)[0] if beside else run
        for one, reference in ((run, other), (other, run)):
            said = self.comparisons[one.name]
            found = said.of(metric) if said and said.reference == reference.name and said.stage == "screen" else None
            if found and found.verdict == NO_EFFECT:
                return found.run if one is run else found.reference
        return None

    def reads_fresh(self, run: Run) -> bool:
        """Whether this is the baseline and, standing alone, is read on its fresh seeds."""
        return run is self.state.reference and self._any_confirmed

    @cached_property
    def _any_confirmed(self) -> bool:
        return any(found is not None and found.stage == "confirmed" for found in self.comparisons.values())

    def compared(self, word: str, other: str, metric: str) -> Difference:
        """What the study's comparison of these two says."""
        run, reference = self.run(word)[0], self.run(other)[0]
        found = self.comparisons[run.name]
        if found is None or found.reference != reference.name:
            raise NoSuchFact(f"{run.name} was not compared with {reference.name}: runs are, with their baseline")
        of_metric = found.of(metric)
        if of_metric is None:
            known = [difference.metric for difference in found.differences]
            raise NoSuchFact(f"{metric} was not compared: it is not in both results", nearest(metric, known))
        return of_metric

    def settings(self, run: Run) -> dict[str, Any]:
        """Configuration and protocol as the results file states them, by FAMILY.KEY."""
        if run.name not in self._settings:
            source = self.sources.get(first_file(run.name))
            self._settings[run.name] = flat(source.result) if source else {}
        return self._settings[run.name]

    @cached_property
    def _settings(self) -> dict[str, dict[str, Any]]:
        return {}


def flat(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def put(path: str, value: Any) -> None:
        if isinstance(value, Mapping) and value:
            for key, one in value.items():
                put(f"{path}.{key}", one)
        else:
            found[identity(path)] = value

    for of_family in (result.protocol, result.config):
        for family, content in of_family.items():
            put(family, content)
    return found
