"""Prompts and replies as files under .study/llm, and what is written from them: the chat and the recording."""

from __future__ import annotations

import json
from pathlib import Path

from agent.core.errors import InputProblem
from agent.core.prompt import Prompt, Reply
from agent.llm import replay
from agent.report import chat
from agent.steps.desk import Desk
from agent.store import files

_Answered = list[tuple[Prompt, Reply]]


def prompt_of(desk: Desk, call: str) -> Prompt | None:
    path = desk.layout.prompt(call)
    return Prompt.from_json(json.loads(path.read_text("utf-8"))) if path.exists() else None


def reply_to(desk: Desk, call: str) -> Reply | None:
    path = desk.layout.reply(call)
    if not path.exists():
        return None
    data = json.loads(path.read_text("utf-8"))
    told = {key: data[key] for key in ("cost", "estimated", "finish") if key in data}
    return Reply(data["reply"], data["model"], data["usage"], data["seconds"], **told)


def keep_prompt(desk: Desk, prompt: Prompt) -> None:
    files.write_json(desk.layout.prompt(prompt.call), prompt.to_json())


def keep_reply(desk: Desk, prompt: Prompt, reply: Reply) -> None:
    where = {"action": prompt.action, "run": prompt.run, "turn": prompt.turn, "prompt_sha256": prompt.sha256}
    told = {"model": reply.model, "reply": reply.text, "usage": reply.usage, "seconds": round(reply.seconds, 3)}
    more = {"cost": reply.cost, "estimated": reply.estimated, "finish": reply.finish}
    files.write_json(desk.layout.reply(prompt.call), {**where, **told, **more})


def write_what_people_read(desk: Desk) -> None:
    """The chat and, where asked for, the recording: written anew each time, so they are whole and hold nothing twice."""
    answered = _answered(desk)
    files.write(desk.layout.chat, chat.markdown(answered))
    if path := desk.state.settings.record:
        try:
            files.write(Path(path), replay.recording(answered))
        except OSError as error:
            raise _no_recording(Path(path), error) from None


def _answered(desk: Desk) -> _Answered:
    calls = [c.name for c in desk.state.calls.values() if c.replied]
    pairs = [(prompt_of(desk, call), reply_to(desk, call)) for call in calls]
    return [(prompt, reply) for prompt, reply in pairs if prompt and reply]


def check_recording(path: Path) -> None:
    """Before anything is paid for: can the recording be written there?"""
    try:
        new = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
        if new:
            path.unlink()
    except OSError as error:
        raise _no_recording(path, error) from None


def _no_recording(path: Path, error: OSError) -> InputProblem:
    return InputProblem(f"cannot write the recording {path}: {error.strerror}", "Give another file with --record.")
