"""The frozen plan of a study: what decides, before anything is known, and its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from agent.core.errors import InputProblem
from agent.core.text import did_you_mean

AMENDABLE = {
    "primary": "the metric that decides",
    "min_effect": "differences of it that are smaller than this are within noise",
    "varied": "keys of protocol.train, with commas between, in which runs may differ from the baseline",
}


def amendment(key: str, text: str, metrics: Collection[str]) -> Any:
    """The new value of a key of the plan. `metrics`: those of the baseline."""
    if key not in AMENDABLE:
        raise InputProblem(f'"{key}" of a plan cannot be amended{did_you_mean(key, AMENDABLE)}', "See `amend --help`.")
    if key == "primary":
        if text not in metrics:
            raise InputProblem(
                f'the baseline has no metric "{text}"{did_you_mean(text, metrics)}', "Name one of its metrics."
            )
        return text
    if key == "varied":
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise InputProblem(f'min_effect: "{text}" is no difference', "Give a number that is not negative.")
    return value


def hash_of(plan: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
