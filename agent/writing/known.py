"""What an audit knows of a study: what was run with which verdicts, what may be cited and shown, which numbers were set."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.core import cells
from agent.core.idea import Idea
from agent.core.state import State
from agent.core.template import Template
from agent.writing.numerals import numbers_in


@dataclass(frozen=True)
class Known:
    """`verdicts`: by run, then by metric; "" is the run as a whole. A run without a result has none."""

    verdicts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    baselines: frozenset[str] = frozenset()
    metrics: Mapping[str, str] = field(default_factory=dict)  # identity → label
    primary: str = ""
    figures: frozenset[str] = frozenset()  # names below figures/
    citations: frozenset[str] | None = frozenset()  # None: not known, nothing is said of them
    settings: frozenset[float] = frozenset()
    idea: frozenset[float] = frozenset()

    def verdict(self, run: str, metric: str) -> str:
        """Of a run on a metric, or as a whole where it has none of its own."""
        return self.verdicts.get(run, {}).get(metric, "")

    def some(self, verdicts: tuple[str, ...], metric: str = "") -> bool:
        """Whether any run has one of these verdicts, on this metric or on any."""
        found = (told.items() for told in self.verdicts.values())
        return any(v in verdicts and metric in ("", name) for one in found for name, v in one)


def known_of(
    state: State,
    template: Template,
    idea: Idea,
    figures: Iterable[str],
    citations: Iterable[str],
    protocol: Mapping[str, Any],
) -> Known:
    """`protocol`: whatever the results say of how they came about; all of its numbers are settings."""
    runs = state.runs.values()
    metrics = sorted({metric for run in runs for metric in run.metrics})
    profile = template.profile(state.profile)[1]
    settings = {
        *_leaves(protocol),
        *_leaves(profile.model_dump(mode="json")),
        *(float(m.target or 0) for m in template.metrics.values()),
    }
    return Known(
        {
            run.name: {m: cells.verdict(run, m) for m in ("", *run.metrics)} if run.status == "good" else {}
            for run in runs
        },
        frozenset(state.baselines),
        {metric: template.label(metric) for metric in metrics},
        str((state.plan or {}).get("primary", template.primary)),
        frozenset(figures),
        frozenset(citations),
        frozenset(settings),
        numbers_in(" ".join(map(str, idea.fields.values()))),
    )


def _leaves(value: Any) -> Iterator[float]:
    """Every number in nested data; numbers in its texts, too."""
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, (int, float)):
        yield float(value)
    elif isinstance(value, str):
        yield from numbers_in(value)
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _leaves(one)
