"""From the command line and the settings files to one frozen tree of settings."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.core.errors import InputProblem

if TYPE_CHECKING:
    from agent.core.config import Settings


def from_command_line(options: argparse.Namespace) -> dict[str, Any]:
    """What the command line says, -c included."""
    names = ("model", "template", "profile", "sandbox", "record", "results", "max_runs", "max_time", "max_cost",
             "baseline_seeds", "require_pdf", "paper")  # fmt: skip
    given: dict[str, Any] = {}
    for pair in getattr(options, "settings", []):
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise InputProblem(f"-c {pair} is not KEY=VALUE", "For example: -c turns_per_attempt=6")
        given[key.strip().replace("-", "_")] = _value(value.strip())
    given |= {
        name: _value(value) if name.startswith(("max_", "baseline_")) else value
        for name in names
        if (value := getattr(options, name, None)) is not None
    }
    _refuse_keys(given)
    return {key: _independent(key, value) for key, value in given.items()}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _absolute(path: str) -> str:
    return str(Path(os.path.expanduser(path)).absolute())  # noqa: PTH111  leaves ~nobody as it is, as a shell does


def _independent(key: str, value: Any) -> Any:
    """Paths made absolute, so that `resume` works from any folder."""
    word = str(value)
    if (key == "record" and word) or (key == "python" and "/" in word):
        return _absolute(word)
    kind, _, rest = word.partition(":")
    if key == "model" and kind in ("replay", "manual") and rest:
        return f"{kind}:{_absolute(rest)}"
    if key == "model" and kind == "cmd" and "/" in (program := rest.split(" ")[0]) and Path(program).exists():
        return f"{kind}:{_absolute(program)}{rest[len(program) :]}"
    return value


def _refuse_keys(given: dict[str, Any]) -> None:
    """Settings are saved with the study, so a key must not be among them."""
    from agent.core.redact import hide

    for key, value in given.items():
        if hide(str(value), os.environ) != str(value) or (key == "base_url" and "@" in str(value)):
            raise InputProblem(
                f"the setting {key} holds a key, and settings are saved with the study",
                "Put the key into the environment, under the name that the provider's documentation gives.",
            )


def settled(options: argparse.Namespace) -> Settings:
    """The user's configuration, then this folder's ai-scientist.toml, then the command line."""
    from platformdirs import user_config_path

    from agent.core.config import settle
    from agent.store.catalog import read_toml

    layers = [("command line", from_command_line(options))]
    for path in (Path("ai-scientist.toml"), user_config_path("ai-scientist") / "config.toml"):
        if path.exists():
            read = read_toml(path)
            _refuse_keys(read)
            layers.insert(0, (str(path), {key: _independent(key, value) for key, value in read.items()}))
    return settle(layers)


def results_folder(options: argparse.Namespace) -> Path:
    return Path(settled(options).results)
