"""Settings: one frozen tree from several layers, read once and saved with the study.

A layer is (where it comes from, its keys). Later layers win. Unknown keys are errors; all errors come together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agent.core.errors import InputProblem
from agent.core.text import did_you_mean, seconds
from agent.core.validation import Number, Strict, Whole, validate


def _optional_seconds(value: object) -> object:
    return None if value in (None, "", "none") else seconds(value)  # type: ignore[arg-type]


class Settings(Strict):
    model: str = ""
    template: str = ""
    profile: str = ""
    results: str = "results"
    record: str = ""
    python: str = ""  # the experiment's interpreter; wins over the template's
    max_runs: Whole = Field(default=10, ge=0, le=1000)
    max_cost: Number | None = Field(default=10.0, gt=0)
    max_time: Annotated[float | None, BeforeValidator(_optional_seconds)] = None
    executor: Literal["local", "inline"] = "local"
    sandbox: Literal["auto", "none"] = "auto"
    attempts_per_run: Whole = Field(default=4, ge=1, le=20)  # runs of changed code under one run number
    turns_per_attempt: Whole = Field(default=4, ge=1, le=20)  # replies to get one usable edit
    prompt_file_bytes: Whole = Field(default=200_000, ge=1000)  # editable and context files beyond this are refused


LIMITS = ("max_runs", "max_cost", "max_time")


def settle(layers: Sequence[tuple[str, dict[str, Any]]]) -> Settings:
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    problems = []
    for where, keys in layers:
        for key, value in keys.items():
            name = key.replace("-", "_")
            if name not in Settings.model_fields:
                problems.append(f"{where}: {key}: unknown key{did_you_mean(name, Settings.model_fields)}")
                continue
            merged[name], origin[name] = value, where
    result = validate(Settings, merged)
    if isinstance(result, list):
        problems += [f"{origin.get(p.split(':')[0].split('.')[0], 'settings')}: {p}" for p in result]
    if problems or isinstance(result, list):
        raise InputProblem("the settings are not usable", "Correct the keys named here.", problems)
    return result
