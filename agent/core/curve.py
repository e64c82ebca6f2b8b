"""How training went: steps, and for each quantity a number at every step. Read leniently: it is shown, never compared."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

Curve = Mapping[str, tuple[float, ...]]  # "step", and at least one more of the same length
_STEPS = "step"


def parse_curve(text: str) -> Curve | None:
    """run_i/training*.json, as report.keep_curve of the SAE template writes it."""
    try:
        return curve_from(json.loads(text))
    except (ValueError, RecursionError):
        return None


def curve_from(data: object) -> Curve | None:
    """The lists of finite numbers that are as long as `step`; None if there are none."""
    if not isinstance(data, dict) or not _numbers(data.get(_STEPS)):
        return None
    steps = len(data[_STEPS])
    found = {str(k): tuple(map(float, v)) for k, v in data.items() if _numbers(v) and len(v) == steps}
    return found if len(found) > 1 else None


def few_points(curve: Curve, points: int = 5) -> list[int]:
    """Places of at most `points` steps, first and last among them."""
    last = len(curve[_STEPS]) - 1
    return sorted({round(last * i / max(1, points - 1)) for i in range(points)})


def loss_of(curve: Curve) -> tuple[float, ...] | None:
    """`loss`, else the sum of all that is neither the step nor a number of latents: those are its terms."""
    terms = [values for name, values in curve.items() if name not in (_STEPS, "l0")]
    return curve.get("loss") or (tuple(map(sum, zip(*terms, strict=True))) if terms else None)


def _numbers(data: object) -> bool:
    return isinstance(data, list) and bool(data) and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and abs(v) < 1e300 and math.isfinite(v) for v in data
    )  # fmt: skip
