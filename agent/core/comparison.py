"""What a comparison says: frozen types that go into the journal as JSON and come back equal. core.compare makes them."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

BETTER, WORSE, WITHIN_NOISE, UNCONFIRMED = "better", "worse", "within noise", "unconfirmed"
NOT_COMPARABLE, NO_EFFECT, UNMEASURED, SINGLE = "not comparable", "no effect", "unmeasured", "single"
VERDICTS = (BETTER, WORSE, WITHIN_NOISE, UNCONFIRMED, NOT_COMPARABLE, NO_EFFECT, UNMEASURED, SINGLE)


@dataclass(frozen=True)
class Estimate:
    mean: float
    stderr: float | None = None
    n: int | None = None

    @property
    def sufficient(self) -> tuple[float, float, int]:
        assert self.stderr is not None and self.n is not None
        return self.mean, self.stderr, self.n


@dataclass(frozen=True)
class Paired:
    """Seed by seed; reported, not tested."""

    difference: float
    stderr: float
    n: int


@dataclass(frozen=True)
class Difference:
    """One metric of a run against the reference."""

    metric: str
    direction: str
    run: Estimate
    reference: Estimate
    verdict: str = ""  # none: the metric has no direction
    why: str = ""
    low: float | None = None  # 95 % interval of the difference
    high: float | None = None
    p: float | None = None  # one-sided, of being better
    p_worse: float | None = None
    paired: Paired | None = None

    @property
    def difference(self) -> float:
        return self.run.mean - self.reference.mean

    @property
    def stderr(self) -> float | None:
        """Of the difference, seeds taken as unrelated."""
        ours, theirs = self.run.stderr, self.reference.stderr
        return None if ours is None or theirs is None else math.hypot(ours, theirs)


@dataclass(frozen=True)
class Comparison:
    run: str
    reference: str
    stage: str  # "screen" or "confirmed"
    primary: str
    verdict: str = ""  # of the run; none: its primary metric has no direction
    why: str = ""  # one sentence
    reasons: tuple[str, ...] = ()  # why it is not comparable
    varied: tuple[str, ...] = ()  # what differs in training, as the plan declares
    same: str = ""  # the run whose results these are, to the bit
    differences: tuple[Difference, ...] = ()
    seeds: tuple[int, ...] = ()
    reference_seeds: tuple[int, ...] = ()

    def of(self, metric: str) -> Difference | None:
        return next((d for d in self.differences if d.metric == metric), None)

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        data["differences"] = [{k: v for k, v in d.items() if v is not None and v != ""} for d in data["differences"]]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Comparison:
        """Keys of later versions are passed over."""
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        known |= {k: tuple(v) for k, v in known.items() if isinstance(v, (list, tuple)) and k != "differences"}
        return cls(**{**known, "differences": tuple(map(_difference, data.get("differences", ())))})


def _difference(data: dict[str, Any]) -> Difference:
    known = {f.name: data[f.name] for f in fields(Difference) if f.name in data}
    known |= {side: Estimate(**data[side]) for side in ("run", "reference")}
    return Difference(**{**known, "paired": Paired(**data["paired"]) if data.get("paired") else None})
