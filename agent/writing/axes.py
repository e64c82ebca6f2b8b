"""Where an axis begins and ends, whether it is logarithmic, and what stands beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.template import Template
from agent.core.text import shorten

Span = tuple[float, float, bool]  # lowest, highest, and whether the axis must show it
_WIDE = 30.0  # the largest of what must be shown is so many times the smallest: logarithmic
_FAR = 1.0  # what may be left out is, when it is further away than the axis is long
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
    label, unit = split_unit(metric.label or identity)
    logarithmic = _is_wide([s for s in spans if s[2]] or list(spans))
    low, high = (_logarithmic if logarithmic else _linear)(spans)
    scale = "log" if logarithmic else "linear"
    return Axis(identity, shorten(label, _LONGEST), unit, metric.direction, scale, low, high)


def split_unit(label: str) -> tuple[str, str]:
    """ "Training time per seed (s)" → "Training time per seed", "s"."""
    found = re.fullmatch(r"(.*\S)\s*\(([^()]{1,24})\)", label.strip())
    return (found[1], found[2]) if found else (label.strip(), "")


def _is_wide(spans: Sequence[Span]) -> bool:
    lowest, highest = min((s[0] for s in spans), default=0.0), max((s[1] for s in spans), default=0.0)
    return lowest > 0 and highest / lowest >= _WIDE


def _linear(spans: Sequence[Span]) -> tuple[float, float]:
    must = [s for s in spans if s[2]] or list(spans)
    low, high = min(s[0] for s in must), max(s[1] for s in must)
    length = _length(low, high)
    near = [s for s in spans if s[0] >= low - _FAR * length and s[1] <= high + _FAR * length]
    low, high = min([low, *(s[0] for s in near)]), max([high, *(s[1] for s in near)])
    margin = _MARGIN * _length(low, high)
    return _bounded(low - margin, 0.9 * _LARGEST), -_bounded(-high - margin, 0.9 * _LARGEST)


def _bounded(low: float, most: float) -> float:
    return min(max(low, -_LARGEST), most)


def _length(low: float, high: float) -> float:
    """Of an axis from one to the other; where all values are one, there is still something to see around it."""
    return max(high - low, 1e-3 * max(abs(low), abs(high))) or 1.0


def _logarithmic(spans: Sequence[Span]) -> tuple[float, float]:
    must = [s for s in spans if s[2]] or list(spans)
    low, high = min(s[0] for s in must), max(s[1] for s in must)
    near = [s for s in spans if s[0] >= low / _WIDE and s[1] <= high * _WIDE]
    low, high = min([low, *(s[0] for s in near)]), max([high, *(s[1] for s in near)])
    margin = max(1.3, (high / low) ** _MARGIN)
    return low / margin, high * margin
