"""From the settings to a model. What cannot work is said here, before a study is made or anything is paid for."""

from __future__ import annotations

import os
from pathlib import Path

from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.ports import Model
from agent.llm.manual import ManualModel
from agent.llm.replay import ReplayModel

CHOICES = (
    "PROVIDER/MODEL asks any model that litellm knows, such as anthropic/claude-sonnet-4-5; "
    "'cmd:PROGRAM' runs a program; replay:FILE plays a recorded session; "
    "manual:DIR writes each prompt to a file and waits for yours"
)


def asks_provider(word: str) -> bool:
    return bool(word) and word.partition(":")[0] not in ("replay", "manual", "cmd")


def choose(settings: Settings) -> Model:
    word = settings.model
    kind, _, rest = word.partition(":")
    path = Path(os.path.expanduser(rest))  # noqa: PTH111  leaves ~nobody as it is, as a shell does
    if kind == "replay" and rest:
        return ReplayModel(path)
    if kind == "manual" and rest:
        return ManualModel(path)
    if kind == "cmd" and rest:
        from agent.llm.program import ProgramModel

        return ProgramModel(rest, settings)
    if not asks_provider(word):
        raise InputProblem(
            f"the model {word!r} says nothing after its colon" if word else "no model was chosen",
            f"Choose one with -m: {CHOICES}.",
        )
    return _provider(settings)


def _provider(settings: Settings) -> Model:
    from agent.llm import catalogue
    from agent.llm.client import Client
    from agent.llm.coder import CagedCoder

    facts = catalogue.look_up(settings)
    if facts.missing_keys:
        names = " and ".join(facts.missing_keys)
        raise InputProblem(
            f"{facts.name} needs a key, and {names} {'is' if len(facts.missing_keys) == 1 else 'are'} not set",
            f"Set it in the environment: export {facts.missing_keys[0]}=…; it is never written to a file.",
        )
    if facts.price is None and settings.max_cost is not None:
        raise InputProblem(
            f"the price of {facts.name} is not known, so the limit of ${settings.max_cost:g} could not be kept",
            "Give it as -c price=INPUT/OUTPUT in dollars per million tokens (0 is free), or use --max-cost none.",
        )
    return CagedCoder(Client(facts, settings))
