"""One family of final_info.json → its measures, with what does not fit in it named.

Read in a family with `means`: `means`, `stderrs`, `n`; `values` {metric: a number for each seed} and `seeds` [0, 1, 2], in one
order; `documents` {metric: a number for each held-out document} of a run of one seed, whose mean is the metric. What is
stated twice must agree: n with the number of values, a mean and a standard error (sd/√n, with n − 1 in sd) with the values,
as far as the digits that are written go (and single precision). Without a stated one they are taken from the values.
Limit: figures without values are believed; values that were made up to fit are not found here.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from agent.core.text import shorten

_LARGEST = 1e100
_SINGLE = 1e-6  # relative: what single precision may lose


@dataclass(frozen=True)
class Measure:
    mean: float
    stderr: float | None = None
    n: int | None = None
    values: tuple[float, ...] = ()  # one for each of `seeds`
    seeds: tuple[int, ...] = ()
    documents: tuple[float, ...] = ()  # of the only seed; not kept in the journal

    @classmethod
    def of(cls, values: Sequence[float], seeds: Sequence[int] = ()) -> Measure:
        return cls(statistics.fmean(values), standard_error(values), len(values), tuple(values), tuple(seeds))

    def to_json(self) -> dict[str, Any]:
        more = {"values": list(self.values), "seeds": list(self.seeds)}
        return {"mean": self.mean, "stderr": self.stderr, "n": self.n, **{k: v for k, v in more.items() if v}}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Measure:
        values, seeds = data.get("values") or (), data.get("seeds") or ()
        return cls(data["mean"], data.get("stderr"), data.get("n"), tuple(values), tuple(seeds))

    @property
    def by_seed(self) -> dict[int, float]:
        return dict(zip(self.seeds, self.values, strict=True)) if len(self.seeds) == len(self.values) else {}


def standard_error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def read_family(family: str, content: dict[str, Any], problems: list[str]) -> dict[str, Measure]:
    parts = {key: _object(f"{family}.{key}", content.get(key), problems) for key in _PARTS}
    n, seeds = _n(family, content.get("n"), problems), read_seeds(family, content.get("seeds"), problems)
    found = {}
    for metric in parts["means"]:
        if not metric:
            problems.append(f"{family}.means: a metric without a name")
            continue
        measure = _measure(family, metric, parts, n, seeds, problems)
        if measure:
            found[f"{family}.{metric}"] = measure
    for key in _PARTS[1:]:
        lost = sorted(set(parts[key]) - set(parts["means"]))
        problems += [f"{family}.{key}.{metric}: there is no such mean" for metric in lost]
    return found


_PARTS = ("means", "stderrs", "values", "documents")


def read_seeds(family: str, stated: object, problems: list[str]) -> tuple[int, ...]:
    if stated is None:
        return ()
    if isinstance(stated, list) and all(isinstance(s, int) and not isinstance(s, bool) for s in stated):
        return tuple(stated)
    problems.append(f"{family}.seeds: must be a list of whole numbers")
    return ()


def _object(path: str, stated: object, problems: list[str]) -> dict[str, Any]:
    if isinstance(stated, dict):
        return stated
    if stated is not None or path.endswith(".means"):
        problems.append(f"{path}: must be an object of {'numbers' if path.endswith(('means', 'stderrs')) else 'lists'}")
    return {}


def _n(family: str, n: object, problems: list[str]) -> int | None:
    if n is None or (isinstance(n, int) and not isinstance(n, bool) and n >= 1):
        return n
    problems.append(f"{family}.n: must be a whole number of seeds")
    return None


def _measure(
    family: str,
    metric: str,
    parts: dict[str, dict[str, Any]],
    n: int | None,
    seeds: tuple[int, ...],
    problems: list[str],
) -> Measure | None:
    mean = number(parts["means"][metric], f"{family}.means.{metric}", problems)
    stderr = _stderr(family, metric, parts["stderrs"], problems)
    values = _numbers(parts["values"].get(metric), f"{family}.values.{metric}", problems)
    documents = _numbers(parts["documents"].get(metric), f"{family}.documents.{metric}", problems)
    if mean is None:
        return None
    if (
        documents
        and abs(mean) < _LARGEST
        and not _near(parts["means"][metric], statistics.fmean(documents), parts["documents"][metric])
    ):
        problems.append(
            f"{family}.means.{metric}: {mean:.6g} is not the mean of its documents, {statistics.fmean(documents):.6g}"
        )
    if not values:
        return Measure(mean, stderr, n, (), seeds if n == len(seeds) else (), documents)
    written = parts["stderrs"][metric] if stderr is not None else None
    problems += _counts(family, metric, values, n, seeds)
    problems += _stated(family, metric, parts["means"][metric], written, parts["values"][metric], values)
    stderr = standard_error(values) if stderr is None or len(values) == 1 else stderr
    return Measure(mean, stderr, n or len(values), values, seeds if len(seeds) == len(values) else (), documents)


def _stderr(family: str, metric: str, stderrs: dict[str, Any], problems: list[str]) -> float | None:
    stderr = number(stderrs[metric], f"{family}.stderrs.{metric}", problems) if metric in stderrs else None
    if stderr is not None and stderr < 0:
        problems.append(f"{family}.stderrs.{metric}: {stderr} is negative")
    return stderr


def _counts(family: str, metric: str, values: Sequence[float], n: int | None, seeds: Sequence[int]) -> list[str]:
    wrong = []
    if n is not None and n != len(values):
        wrong.append(f"{family}.n: it is {n}, and {family}.values.{metric} holds {len(values)}")
    if seeds and len(seeds) != len(values):
        wrong.append(f"{family}.values.{metric}: {len(values)} values for {len(seeds)} seeds")
    return wrong


def _stated(path: str, metric: str, mean: Any, stderr: Any, raw: list[Any], values: Sequence[float]) -> list[str]:
    """A mean or a standard error that is not that of the values. `mean`, `stderr` and `raw` as they are written."""
    wrong = []
    if not _near(mean, statistics.fmean(values), raw):
        wrong.append(f"{path}.means.{metric}: {mean} is not the mean of its values, {statistics.fmean(values):.6g}")
    own = standard_error(values) or 0.0
    # Each value may be off by what rounding took: the standard error then by no more than that over √(n − 1). And it is often
    # written with two digits, rounded up or from values that were rounded differently: one and a half of its last places.
    if stderr is not None and not _near(stderr, own, raw, math.sqrt(max(1, len(values) - 1)), 3.0):
        said = f"the standard error of its values, which is sd/√n = {own:.6g}"
        wrong.append(f"{path}.stderrs.{metric}: {stderr} is not {said}")
    return wrong


def _near(stated: Any, own: float, raw: Sequence[Any], divided: float = 1.0, halves: float = 1.0) -> bool:
    whole = all(isinstance(value, int) for value in raw)
    written = 0.0 if whole and isinstance(stated, int) else _half_unit(stated)
    values = max((_half_unit(v) for v in raw if isinstance(v, float)), default=0.0)
    scale = max(abs(float(v)) for v in raw)
    return abs(float(stated) - own) <= halves * written * 1.001 + values / divided + _SINGLE * scale


def _half_unit(stated: Any) -> float:
    """Half a unit of the last place written."""
    return 0.5 * 10.0 ** int(Decimal(str(stated)).as_tuple().exponent)


def _numbers(stated: object, path: str, problems: list[str]) -> tuple[float, ...]:
    if stated is None:
        return ()
    if not isinstance(stated, list) or not stated:
        problems.append(f"{path}: must be a list of numbers")
        return ()
    found = [number(value, path, problems) for value in stated]
    if any(value is not None and abs(value) > _LARGEST for value in found):
        problems.append(f"{path}: a number too large to be averaged")
        return ()
    return tuple(value for value in found if value is not None) if None not in found else ()


def number(value: object, path: str, problems: list[str]) -> float | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
        if math.isfinite(found):
            return found
        problems.append(f"{path}: {value if isinstance(value, float) else 'a number too large'} is not a finite number")
        return None
    problems.append(f"{path}: {shorten(json.dumps(value), 40)} is not a number")
    return None


def identical(one: Measure, other: Measure) -> bool:
    """Equal to the bit: on every seed that both have, or the same values in any order; without values, the means."""
    ours, theirs = one.by_seed, other.by_seed
    common = ours.keys() & theirs.keys()
    if common:
        return all(ours[seed] == theirs[seed] for seed in common) or _same_values(one, other)
    if one.values and other.values:
        return _same_values(one, other)
    return one.mean == other.mean and (one.stderr == other.stderr or None in (one.stderr, other.stderr))


def _same_values(one: Measure, other: Measure) -> bool:
    return sorted(one.values) == sorted(other.values)


def shared(one: Measure, other: Measure) -> tuple[Measure, Measure]:
    """Two that are identical, both on the seeds that both have: one that has more seeds has another mean."""
    ours, theirs = one.by_seed, other.by_seed
    common = sorted(ours.keys() & theirs.keys())
    if not common or _same_values(one, other):
        return one, other
    return Measure.of([ours[seed] for seed in common], common), Measure.of([theirs[seed] for seed in common], common)


def pooled(measures: Mapping[str, Measure], more: Mapping[str, Measure]) -> dict[str, Measure]:
    """All seeds together; a metric without values for each seed stays as it was."""
    together = {}
    for name, old in measures.items():
        new = more.get(name)
        by_seed = {**old.by_seed, **new.by_seed} if new and old.by_seed and new.by_seed else {}
        together[name] = Measure.of(list(by_seed.values()), list(by_seed)) if by_seed else old
    return together
