"""Recorded sessions: play one back as a model, and write one from what a study was answered.

A recording is a JSON object a line; a reply is found by action, run and turn, so nothing has to be remembered between
sessions. The prompt's hash is information: prompts may be reworded without making a recording useless.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from agent.core.errors import InputProblem, ReplayMiss
from agent.core.ports import Pulse
from agent.core.prompt import FREE, Bill, Prompt, Reply

Key = tuple[str, str, int]


class ReplayModel:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = f"replay:{path}"
        self._steps = _read(path)

    def worst(self, prompt: Prompt) -> Bill:
        return FREE

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply:
        step = self._steps.get((prompt.action, prompt.run, prompt.turn))
        if step is None:
            last = next(reversed(self._steps), None)
            ends = f"; its last is {last[0]} {last[1]} turn {last[2]}" if last else "; it is empty"
            raise ReplayMiss(
                f"{self.path.name} has no reply to {prompt.action} {prompt.run} turn {prompt.turn}{ends}",
                "Go on with another model: `resume STUDY -m …`.",
            )
        return Reply(step["reply"], self.name, step.get("usage") or {}, finish=step.get("finish") or "stop")


def _read(path: Path) -> dict[Key, dict[str, Any]]:
    try:
        lines = path.read_text("utf-8-sig").split("\n")  # not splitlines: a reply may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        raise InputProblem(
            f"cannot read the recording {path}: {getattr(error, 'strerror', 'it is not UTF-8')}",
            "Check the path after `replay:`.",
        ) from None
    steps: dict[Key, dict[str, Any]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        step = _step_of(line) if line.strip() else {}
        if isinstance(step, str):
            problems.append(f"line {number}: {step}")
        elif step:
            key = (step["action"], step["run"], step["turn"])
            if key in steps:
                problems.append(f"line {number}: a second reply to {key[0]} {key[1]} turn {key[2]}")
            steps[key] = step
    if problems:
        raise InputProblem(
            f"{path} is no usable recording", "Each line is an object with action, run, turn and reply.", problems
        )
    return steps


_FIELDS = {"action": str, "run": str, "turn": int, "reply": str}


def _step_of(line: str) -> dict[str, Any] | str:
    """One step, or what is wrong with it."""
    try:
        step = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not valid JSON ({error})"
    if not isinstance(step, dict):
        return "not an object"
    missing = [key for key in _FIELDS if key not in step]
    if missing:
        return f"missing {', '.join(missing)}"
    wrong = [key for key, kind in _FIELDS.items() if type(step[key]) is not kind]
    usage = step.get("usage") or {}
    if not isinstance(usage, dict) or not all(type(value) is int for value in usage.values()):
        wrong.append("usage")
    if not isinstance(step.get("finish", ""), str):
        wrong.append("finish")
    return f"of a wrong type: {', '.join(wrong)}" if wrong else step


def recording(calls: Iterable[tuple[Prompt, Reply]]) -> str:
    """The text of a recording of these calls."""
    return "".join(
        json.dumps(_step(number, prompt, reply), ensure_ascii=False) + "\n"
        for number, (prompt, reply) in enumerate(calls, 1)
    )


def _step(number: int, prompt: Prompt, reply: Reply) -> dict[str, Any]:
    where = {"step": number, "action": prompt.action, "run": prompt.run, "turn": prompt.turn}
    cut = {"finish": reply.finish} if reply.finish != "stop" else {}
    return {**where, "prompt_sha256": prompt.sha256, "reply": reply.text, "usage": reply.usage, **cut}
