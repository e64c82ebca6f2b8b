"""The course of a run, as it tells it itself (progress.jsonl): whether going on can still be of any use.

A loss that is no number, or that has grown beyond all measure, ends a run; so does silence after signs of life. Only
what is beyond doubt counts: some reports in a row, a factor of a thousand. Keys with "loss" in their name are losses;
lines of several seeds are told apart by their "seed". Standard library only: the launcher reads this.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

IN_A_ROW = 3  # reports that are no number; a scaled loss may overflow once
GROWN = 1000.0  # times the largest of the first reports (or 1)
GROWN_IN_A_ROW = 5
FIRST = 5


@dataclass
class Course:
    """Feed it lines; it says what is wrong, once something is."""

    stall: float | None = None  # seconds without a report
    heard: float | None = None  # when the last report came
    over: bool = False  # the last report says that all steps are done
    trouble: str = ""
    _series: dict[tuple[str, str], _Series] = field(default_factory=dict)

    def hear(self, line: str, now: float) -> None:
        try:
            told = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(told, dict):
            return
        self.heard, self.over = now, _over(told)
        for key, value in told.items():
            if "loss" in key.lower() and _is_number(value):
                series = self._series.setdefault((str(told.get("seed", "")), key), _Series())
                if not self.trouble and (said := series.add(float(value))):
                    self.trouble = f"{key} {said}" + (f" (step {told['step']})" if "step" in told else "")

    def stalled(self, now: float) -> bool:
        """Whether it has been silent for too long. A program that never reports anything is not meant."""
        return self.stall is not None and self.heard is not None and not self.over and now - self.heard >= self.stall


@dataclass
class _Series:
    first: list[float] = field(default_factory=list)
    no_number: int = 0
    grown: int = 0

    def add(self, value: float) -> str:
        if not math.isfinite(value):
            self.no_number += 1
            return f"is {value} in {IN_A_ROW} reports in a row" if self.no_number >= IN_A_ROW else ""
        self.no_number = 0
        if len(self.first) < FIRST:
            self.first.append(abs(value))
            return ""
        bound = GROWN * max(1.0, *self.first)
        self.grown = self.grown + 1 if abs(value) > bound else 0
        return f"has grown to {value:.4g}, from {self.first[0]:.4g} at first" if self.grown >= GROWN_IN_A_ROW else ""


def _over(told: dict[str, Any]) -> bool:
    step, of = told.get("step"), told.get("of")
    return isinstance(step, (int, float)) and isinstance(of, (int, float)) and step >= of


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
