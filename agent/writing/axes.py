"""Where an axis begins and ends, whether it is logarithmic, and what stands beside it.

An axis is as long as its runs and its baseline need. Other baselines that lie far away are left beyond its end, and so are a
few runs that are far worse than all others, which would press the rest together; never the baseline or what is better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.template import Template
from agent.core.text import shorten

OTHER, RUN, KEPT = 0, 1, 2  # may lie beyond the axis · only if it is far worse than the rest · never
Span = tuple[float, float, int]  # lowest, highest, and one of these
_WIDE = 30.0  # the largest of what must be shown is so many times the smallest: logarithmic
_FAR = 1.0  # an other baseline is far when it is further away than the axis is long
_ALONE = 10.0  # without a run that is far worse the axis is so many times shorter
_MANY = 3  # one run of so many may be left out
_MARGIN = 0.08
_LONGEST = 46
_LARGEST = 1e300  # so that an axis has a length


@dataclass(frozen=True)
class Axis:
    metric: str
    label: str
    unit: str
    direction: str  # up | down | none
    scale: str  # linear | log
    low: float
    high: float


def axis(identity: str, template: Template, spans: Sequence[Span]) -> Axis:
    metric = template.metric(identity)
    label, unit = split_unit(template.label(identity))
    must = [s for s in spans if s[2] != OTHER] or list(spans)
    others = [s for s in spans if s[2] == OTHER]
    near = _without_far_worse(must, metric.direction)
    logarithmic = _is_wide(near)
    low, high = _logarithmic(must, others) if logarithmic else _linear(near, others)
    scale = "log" if logarithmic else "linear"
    return Axis(identity, shorten(label, _LONGEST), unit, metric.direction, scale, low, high)


def split_unit(label: str) -> tuple[str, str]:
    """ "Training time per seed (s)" → "Training time per seed", "s"."""
    found = re.fullmatch(r"(.*\S)\s*\(([^()]{1,24})\)", label.strip())
    return (found[1], found[2]) if found else (label.strip(), "")


def _ends(spans: Sequence[Span]) -> tuple[float, float]:
    return min(s[0] for s in spans), max(s[1] for s in spans)


def _without_far_worse(spans: Sequence[Span], direction: str) -> list[Span]:
    worst_last = sorted(spans, key=lambda s: s[1] if direction == "down" else -s[0])
    if direction == "none":
        return worst_last
    near = worst_last
    for count in range(1, sum(s[2] == RUN for s in spans) // _MANY + 1):  # several together may be far from all others
        rest = worst_last[:-count]
        if worst_last[-count][2] == KEPT or not rest:
            break
        if _length(*_ends(near)) >= _ALONE * _length(*_ends(rest)):
            near = rest
    return near


def _is_wide(spans: Sequence[Span]) -> bool:
    lowest, highest = _ends(spans) if spans else (0.0, 0.0)
    return lowest > 0 and highest / lowest >= _WIDE


def _linear(must: Sequence[Span], others: Sequence[Span]) -> tuple[float, float]:
    low, high = _ends(must)
    far = _FAR * _length(low, high)
    low, high = _ends([*must, *(s for s in others if s[0] >= low - far and s[1] <= high + far)])
    margin = _MARGIN * _length(low, high)
    return _bounded(low - margin, 0.9 * _LARGEST), -_bounded(-high - margin, 0.9 * _LARGEST)


def _bounded(low: float, most: float) -> float:
    return min(max(low, -_LARGEST), most)


def _length(low: float, high: float) -> float:
    """Of an axis from one to the other; where all values are one, there is still something to see around it."""
    return max(high - low, 1e-3 * max(abs(low), abs(high))) or 1.0


def _logarithmic(must: Sequence[Span], others: Sequence[Span]) -> tuple[float, float]:
    low, high = _ends(must)
    low, high = _ends([*must, *(s for s in others if s[0] >= low / _WIDE and s[1] <= high * _WIDE)])
    margin = max(1.3, (high / low) ** _MARGIN)
    return low / margin, high * margin
