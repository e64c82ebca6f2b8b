"""From the word after `-m` to a model."""

from __future__ import annotations

import os
from pathlib import Path

from agent.core.errors import InputProblem
from agent.core.ports import Model
from agent.llm.manual import ManualModel
from agent.llm.replay import ReplayModel

CHOICES = "replay:FILE plays a recorded session; manual:DIR writes each prompt to a file and waits for yours"


def choose(word: str) -> Model:
    kind, _, rest = word.partition(":")
    path = Path(os.path.expanduser(rest))  # noqa: PTH111  leaves ~nobody as it is, as a shell does
    if kind == "replay" and rest:
        return ReplayModel(path)
    if kind == "manual" and rest:
        return ManualModel(path)
    raise InputProblem(
        f"this version cannot use the model {word!r}" if word else "no model was chosen",
        f"Choose one with -m: {CHOICES}.",
    )
