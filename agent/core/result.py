"""final_info.json → Result, or the list of what is wrong with it. Nothing is guessed around."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from agent.core.text import printable, shorten

_SKIPPED = re.compile(r"config|cfg|details", re.IGNORECASE)
_RESERVED = ("protocol", "config")
_SAME_NAME = '{}: its name "{}" is that of another metric; only A-Z, a-z, 0-9, ".", "-" and "_" count'


@dataclass(frozen=True)
class Measure:
    mean: float
    stderr: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Result:
    measures: dict[str, Measure]  # FAMILY.METRIC → its value
    protocol: dict[str, Any]  # by family: eval, train
    config: dict[str, Any]  # by family


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
    problems: list[str] = []
    for family, content in data.items():
        if not family:
            problems.append("a family without a name")
            continue
        if not isinstance(content, dict):
            problems.append(f"{family}: a family must be an object, not {type(content).__name__}")
            continue
        found = _family(family, content, problems) if "means" in content else _leaves(family, content, problems)
        for path, measure in found.items():
            if identity(path) in measures:
                problems.append(_SAME_NAME.format(path, identity(path)))
            measures[identity(path)] = measure
        for into, key in ((protocol, "protocol"), (config, "config")):
            if isinstance(content.get(key), dict):
                into[family] = content[key]
            elif content.get(key) is not None:
                problems.append(f"{family}.{key}: must be an object")
    if not measures and not problems:
        problems.append("final_info.json holds no metric")
    return [printable(p) for p in problems] or Result(measures, protocol, config)


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


def identity(path: str) -> str:
    """FAMILY.METRIC as facts and tables name it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", path)


def _family(family: str, content: dict[str, Any], problems: list[str]) -> dict[str, Measure]:
    means = content["means"]
    if not isinstance(means, dict):
        problems.append(f"{family}.means: must be an object of numbers")
        return {}
    stderrs = content.get("stderrs", {})
    if not isinstance(stderrs, dict):
        problems.append(f"{family}.stderrs: must be an object of numbers")
        stderrs = {}
    n = content.get("n")
    if n is not None and (not isinstance(n, int) or isinstance(n, bool) or n < 1):
        problems.append(f"{family}.n: must be a whole number of seeds")
        n = None
    found = {}
    for metric, value in means.items():
        if not metric:
            problems.append(f"{family}.means: a metric without a name")
            continue
        mean = _number(value, f"{family}.means.{metric}", problems)
        stderr = _number(stderrs[metric], f"{family}.stderrs.{metric}", problems) if metric in stderrs else None
        if stderr is not None and stderr < 0:
            problems.append(f"{family}.stderrs.{metric}: {stderr} is negative")
        if mean is not None:
            found[f"{family}.{metric}"] = Measure(mean, stderr, n)
    problems += [f"{family}.stderrs.{m}: there is no such mean" for m in sorted(set(stderrs) - set(means))]
    return found


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
            mean = _number(value, f"{here}.{key}", problems)
            if mean is not None:
                found[f"{here}.{key}"] = Measure(mean)
    return dict(sorted(found.items()))


def _number(value: object, path: str, problems: list[str]) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if math.isfinite(number):
            return number
        problems.append(f"{path}: {value if isinstance(value, float) else 'a number too large'} is not a finite number")
        return None
    problems.append(f"{path}: {shorten(json.dumps(value), 40)} is not a number")
    return None
