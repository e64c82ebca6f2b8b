"""Settings: one frozen tree from several layers, read once and saved with the study.

A layer is (where it comes from, its keys). Later layers win. Unknown keys are errors; all errors come together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from agent.core import price as prices
from agent.core.errors import InputProblem
from agent.core.text import did_you_mean, seconds
from agent.core.validation import Number, Strict, Whole, validate


def _or_none(value: object) -> object:
    return None if value in (None, "", "none") else value


def _optional_seconds(value: object) -> object:
    return None if _or_none(value) is None else seconds(value)  # type: ignore[arg-type]


def _seconds(value: object) -> object:
    return seconds(value)  # type: ignore[arg-type]


class Settings(Strict):
    model: str = ""
    template: str = ""
    profile: str = ""
    results: str = "results"
    record: str = ""
    python: str = ""  # the experiment's interpreter; wins over the template's
    max_runs: Whole = Field(default=10, ge=0, le=1000)
    max_cost: Annotated[Annotated[Number, Field(gt=0)] | None, BeforeValidator(_or_none)] = 10.0  # dollars
    max_time: Annotated[float | None, BeforeValidator(_optional_seconds)] = None
    default_figures: bool = True  # drawn when the experiments are over
    baseline_seeds: Whole = Field(default=0, ge=0, le=1000)  # measure baselines over at least as many
    executor: Literal["local", "inline"] = "local"
    require_pdf: bool = False  # refuse to begin where LaTeX is missing
    sandbox: Literal["auto", "bwrap", "landlock", "seatbelt", "none"] = "auto"
    attempts_per_run: Whole = Field(default=4, ge=1, le=20)  # runs of changed code under one run number
    turns_per_attempt: Whole = Field(default=4, ge=1, le=20)  # replies to get one usable edit
    base_url: str = ""  # of the model's provider; "" is the provider's own
    price: Annotated[str, BeforeValidator(prices.normal)] = ""  # overrides litellm's table; see core.price
    context_tokens: Whole = Field(default=0, ge=0)  # 0: as litellm's table says
    reply_tokens: Whole = Field(default=16_000, ge=16, le=1_000_000)  # longest reply; its price is in every worst case
    reply_timeout: Annotated[float, BeforeValidator(_seconds)] = 120.0  # silence of the provider
    retry_wait: Annotated[float, BeforeValidator(_seconds)] = 2.0  # before the second try; it doubles with each
    job_wait: Annotated[float, BeforeValidator(_seconds)] = 30.0  # the same, for a job that the network failed
    stream: bool = True
    images: Literal["auto", "yes", "no"] = "auto"  # sent to the model; auto: if litellm's table says that it can see
    paper: bool = True  # where the template has one: is it written, at the end
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
