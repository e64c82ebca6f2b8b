"""Step 5, 9, 10: what the coder is asked, and the asking.

The prompt is stored before the intent is journaled and the reply before its event, so that a crash at any point neither
changes a prompt nor asks for a reply that is already there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agent.core import digest
from agent.core import events as e
from agent.core.errors import InputProblem
from agent.core.layout import notes_file
from agent.core.policy import Ask, time_left
from agent.core.prompt import Prompt, Reply
from agent.core.state import Run
from agent.core.text import as_text, duration, plural, shorten
from agent.llm import replay
from agent.llm.prompts import render
from agent.steps.desk import Desk
from agent.store import files

_NOTES_SHOWN = 2
_NOTES_LONGEST = 700


def perform(desk: Desk, action: Ask) -> Iterator[e.Event]:
    asked_before = action.call in desk.state.calls
    prompt = _stored_prompt(desk, action.call) if asked_before else None
    if prompt is None:
        prompt = compose(desk, action)
        files.write_json(desk.layout.prompt(action.call), prompt.to_json())
    if not asked_before:
        yield e.CallAsked(call=action.call, action=prompt.action, run=action.run, turn=action.turn,  # type: ignore[arg-type]
                          model=desk.model.name, prompt_sha256=prompt.sha256)  # fmt: skip
    reply = stored_reply(desk, action.call)
    if reply is None:
        reply = desk.model.complete(prompt, desk.pulse)
        reply = replace(reply, text=as_text(reply.text))
        files.write_json(desk.layout.reply(action.call), _reply_json(prompt, reply))
    yield e.CallReplied(call=action.call, model=reply.model, usage=reply.usage, seconds=round(reply.seconds, 3),
                        reply_sha256=hashlib.sha256(reply.text.encode()).hexdigest())  # fmt: skip
    if desk.state.settings.record:
        _write_recording(desk, Path(desk.state.settings.record))


def _stored_prompt(desk: Desk, call: str) -> Prompt | None:
    path = desk.layout.prompt(call)
    return Prompt.from_json(json.loads(path.read_text("utf-8"))) if path.exists() else None


def stored_reply(desk: Desk, call: str) -> Reply | None:
    path = desk.layout.reply(call)
    if not path.exists():
        return None
    data = json.loads(path.read_text("utf-8"))
    return Reply(data["reply"], data["model"], data["usage"], data["seconds"])


def _reply_json(prompt: Prompt, reply: Reply) -> dict[str, object]:
    where = {"action": prompt.action, "run": prompt.run, "turn": prompt.turn, "prompt_sha256": prompt.sha256}
    return {
        **where,
        "model": reply.model,
        "reply": reply.text,
        "usage": reply.usage,
        "seconds": round(reply.seconds, 3),
    }


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


def _write_recording(desk: Desk, path: Path) -> None:
    """All calls of the study so far, written anew each time: the file is whole at any moment and holds nothing twice."""
    calls = []
    for call in desk.state.calls.values():
        prompt, reply = _stored_prompt(desk, call.name), stored_reply(desk, call.name)
        if call.replied and prompt and reply:
            calls.append((prompt, reply))
    try:
        files.write(path, replay.recording(calls))
    except OSError as error:
        raise _no_recording(path, error) from None


# --- composing -------------------------------------------------------------------------------------------------


def compose(desk: Desk, action: Ask) -> Prompt:
    texts = desk.editable(desk.state.head)
    shown = tuple(
        (name, text) for name, text in sorted(texts.items(), key=_experiment_first) if not name.startswith("notes")
    )
    request = _notes_request(desk, action, texts) if action.action == "notes" else _edit_request(desk, action, texts)
    hints = "".join(f"\n\nA person who watches this study says: {h.text}" for h in desk.state.hints)
    prompt = Prompt(action.call, action.action, action.run, action.turn, _stable(desk), shown, request.strip() + hints)
    limit = desk.state.settings.prompt_file_bytes
    if sum(len(text) for _, text in shown) > limit:
        raise InputProblem(
            f"the editable files hold more than {limit:,} characters; no prompt that large is sent",
            "Make fewer files editable in template.toml, or raise it with -c prompt_file_bytes=….",
        )
    return prompt


def _experiment_first(item: tuple[str, str]) -> tuple[int, str]:
    return (0 if item[0] == "experiment.py" else 1), item[0]


def _stable(desk: Desk) -> str:
    template, idea, state = desk.template, desk.idea, desk.state
    context = desk.workspace.read(state.head, template.context)
    return render(
        "stable",
        title=idea.title,
        task=template.task or f"Template {template.name}.",
        experiment=idea.experiment,
        details="\n\n".join(f"## {heading}\n{text}" for heading, text in idea.details()),
        command=template.command.replace("{out_dir}", "run_i"),
        editable=", ".join((*template.editable, "notes/*.txt")),
        context="\n\n".join(
            f"{name} (read-only):\n```\n{data.decode('utf-8', 'replace')}\n```"
            for name, data in sorted(context.items())
        ),
        max_runs=str(state.settings.max_runs),
        baselines=", ".join(state.baselines),
        seeds=",".join(map(str, range(desk.profile.seeds.screen))),
    )


def _edit_request(desk: Desk, action: Ask, texts: dict[str, str]) -> str:
    run = desk.state.runs.get(action.run)
    request = _task(desk, action, run, texts)
    if run is None:
        return request
    left = desk.state.settings.turns_per_attempt - run.turns_since
    turns_left = f"({plural(left, 'reply', 'replies')} left for this before the run is closed.)"
    if run.problems:
        kept = _kept(run)
        return (
            request
            + "\n"
            + render("repair", run=action.run, problems=_list(run.problems), kept=kept, turns_left=turns_left)
        )
    if run.refusal:
        return request + "\n" + render("idle", run=action.run, why=_why_idle(run), turns_left=turns_left)
    return request


def _task(desk: Desk, action: Ask, run: Run | None, texts: dict[str, str]) -> str:
    state, template = desk.state, desk.template
    if run and run.feedback and run.attempt:
        failed = [a for a in run.attempts if a.blame and a.evidence]
        before = _list([f"Attempt {a.number} failed with: {a.evidence}" for a in failed[:-1]])
        return render("failure", run=run.name, goal=run.summary or "see the notes", attempt=str(len(failed)), before=before,
                      attempts=str(state.settings.attempts_per_run), evidence=run.attempt.evidence, detail=run.feedback)  # fmt: skip
    done = [r for r in state.tried if r.status in ("good", "closed")]
    if not done:
        assert state.reference is not None  # measured before anything is asked
        return render("kickoff", run=action.run, name=state.reference.name,
                      baseline=digest.latest(state, template, state.reference), history=digest.history(state, template))  # fmt: skip
    last = done[-1]
    common = {"run": action.run, "last": last.name, "history": digest.history(state, template),
              "notes": _last_notes(texts), "left": _left(desk)}  # fmt: skip
    if last.status == "closed":
        return render("closed", reason=last.closed, **common)
    due = [r.name for r in state.good if r.name not in state.noted]
    ask = f"Write the notes of {', '.join(due)} ({', '.join(map(notes_file, due))})." if due else ""
    return render("next", results=digest.latest(state, template, last), due=ask, **common)


def _notes_request(desk: Desk, action: Ask, texts: dict[str, str]) -> str:
    state = desk.state
    due = [r for r in state.good if r.name not in state.noted]
    results = "\n\n".join(f"{r.name} ({r.summary}):\n{digest.latest(state, desk.template, r)}" for r in due[-3:])
    why = "" if action.turn == 1 else "Your last reply held no notes that could be used."
    return render("notes", runs=", ".join(notes_file(r.name) for r in due), results=results, why=why,
                  history=digest.history(state, desk.template))  # fmt: skip


def _kept(run: Run) -> str:
    if not run.kept:
        return "Nothing of it was kept: send the whole change again."
    names = ", ".join(sorted({str(block.get("file") or "experiment.py") for block in run.kept}))
    fitted = f"{plural(len(run.kept), 'other block')} ({names}) fitted"
    return f"{fitted} and will be applied together with your next ones: send only the blocks named above."


def _why_idle(run: Run) -> str:
    if run.refusal == "idle":
        return "Your last change is in, but it does not touch the experiment's own code, so there is nothing to run."
    if run.refusal == "base":
        return f"The code is now that of {run.parent}."
    return run.refusal


def _last_notes(texts: dict[str, str]) -> str:
    names = sorted((n for n in texts if n.startswith("notes/run_")), key=_run_number)[-_NOTES_SHOWN:]
    return "\n\n".join(f"{name}:\n{_clip(texts[name])}" for name in names)


def _run_number(name: str) -> tuple[int, str]:
    digits = "".join(c for c in name if c.isdigit())
    return (int(digits) if digits else 0), name


def _clip(text: str) -> str:
    return text.strip() if len(text) <= _NOTES_LONGEST else text[:_NOTES_LONGEST].rstrip() + " …"


def _left(desk: Desk) -> str:
    used = len([r for r in desk.state.tried if r.status in ("good", "closed")])
    left = time_left(desk.state, desk.elapsed())
    runs = plural(desk.state.settings.max_runs - used, "run")
    return f"You have {runs} left." if left is None else f"You have {runs} and {duration(max(0.0, left))} left."


def _list(items: tuple[str, ...] | list[str]) -> str:
    return "\n".join(f"- {shorten(i, 4000) if chr(10) not in i else i}" for i in items)
