"""final_info.json → Result, or the list of what is wrong with it. Nothing is guessed around.

A family holds `means` and what core.measures reads beside them; `protocol` {eval, train}; `config`; `details`, in which
`curve` {step: […], loss: […], …} is how training went (core.curve; a template may leave it in run_i/training*.json as well).
The family `loss_share` has for each term of the loss its part of the whole, from 0 to 1: core.effect looks for terms that
do nothing. All of it is optional.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.core.curve import Curve, curve_from
from agent.core.measures import Measure as Measure
from agent.core.measures import number, read_family
from agent.core.text import printable, shorten

_SKIPPED = re.compile(r"config|cfg|details", re.IGNORECASE)
_RESERVED = ("protocol", "config")
_SAME_NAME = '{}: its name "{}" is that of another metric; only A-Z, a-z, 0-9, ".", "-" and "_" count'


@dataclass(frozen=True)
class Result:
    measures: dict[str, Measure]  # FAMILY.METRIC → its value
    protocol: dict[str, Any]  # by family: eval, train
    config: dict[str, Any]  # by family
    details: dict[str, Any] = field(default_factory=dict)  # by family
    seeds: dict[str, tuple[int, ...]] = field(default_factory=dict)  # by family, where it states them

    @property
    def curve(self) -> Curve | None:
        """The first that a family gives."""
        found = (curve_from(of.get("curve")) for of in self.details.values())
        return next((curve for curve in found if curve), None)


def parse_result(text: str) -> Result | list[str]:
    """The validated results, or every problem with its path."""
    try:
        data = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        return [f"final_info.json is no valid JSON: {shorten(str(error), 160)}"]
    if not isinstance(data, dict) or not data:
        return ["final_info.json must be a non-empty object of families"]
    measures: dict[str, Measure] = {}
    protocol: dict[str, Any] = {}
    config: dict[str, Any] = {}
    details: dict[str, Any] = {}
    seeds: dict[str, tuple[int, ...]] = {}
    problems: list[str] = []
    for family, content in data.items():
        if not family:
            problems.append("a family without a name")
            continue
        if not isinstance(content, dict):
            problems.append(f"{family}: a family must be an object, not {type(content).__name__}")
            continue
        found = read_family(family, content, problems) if "means" in content else _leaves(family, content, problems)
        for path, measure in found.items():
            if identity(path) in measures:
                problems.append(_SAME_NAME.format(path, identity(path)))
            measures[identity(path)] = measure
        for into, key in ((protocol, "protocol"), (config, "config")):
            if isinstance(content.get(key), dict):
                into[family] = content[key]
            elif content.get(key) is not None:
                problems.append(f"{family}.{key}: must be an object")
        if isinstance(content.get("details"), dict):
            details[family] = content["details"]
        if "means" in content and isinstance(content.get("seeds"), list):
            seeds[family] = tuple(content["seeds"])
    if not measures and not problems:
        problems.append("final_info.json holds no metric")
    return [printable(p) for p in problems] or Result(measures, protocol, config, details, seeds)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(k for k in keys if keys.count(k) > 1)!r} stands twice in one object")
    return found


def missing_metrics(result: Result, expected: Iterable[str]) -> list[str]:
    """Metrics that the baseline has and this result has not."""
    lost = sorted(set(expected) - set(result.measures))
    return [f"{identity}: the baseline has this metric, the run has not" for identity in lost]


def check_seeds(result: Result, asked: Sequence[int]) -> list[str]:
    """Families whose results are not of the seeds that the run was given. One that states neither seeds nor n is not named:
    nothing is known of its noise, and so it has no verdict."""
    wanted = ", ".join(map(str, asked))
    problems = [
        f"{family}.seeds: the results are of seeds {', '.join(map(str, sorted(seeds)))}; the run was given {wanted}"
        for family, seeds in result.seeds.items()
        if sorted(seeds) != sorted(asked)
    ]
    for family in dict.fromkeys(metric.partition(".")[0] for metric in result.measures):
        counts = {m.n for name, m in result.measures.items() if name.startswith(f"{family}.") and m.n is not None}
        if family not in result.seeds and counts - {len(asked)}:
            problems.append(
                f"{family}.n: the results are of {max(counts)} seeds; the run was given {len(asked)} ({wanted})"
            )
    return problems


def identity(path: str) -> str:
    """FAMILY.METRIC as facts and tables name it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", path)


def _leaves(path: str, content: dict[str, Any], problems: list[str]) -> dict[str, Measure]:
    """A family without `means`: every numeric leaf outside configuration, details and lists is a metric."""
    found: dict[str, Measure] = {}
    if "stderrs" in content:  # ours, but half of it
        problems.append(f"{path}.means: missing, but there are stderrs")
        return found
    stack = [(path, content)]
    while stack:
        here, mapping = stack.pop()
        for key, value in mapping.items():
            if _SKIPPED.search(key) or key in _RESERVED or isinstance(value, (list, str, bool)) or value is None:
                continue
            if isinstance(value, dict):
                stack.append((f"{here}.{key}", value))
                continue
            mean = number(value, f"{here}.{key}", problems)
            if mean is not None:
                found[f"{here}.{key}"] = Measure(mean)
    return dict(sorted(found.items()))
