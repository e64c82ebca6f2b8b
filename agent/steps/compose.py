"""Step 5, 9, 10, 12, 13: what the coder is asked. From the state and the templates in llm/prompts to one Prompt."""

from __future__ import annotations

from agent.core import digest
from agent.core.actions import Ask
from agent.core.curve import Curve, parse_curve
from agent.core.errors import InputProblem
from agent.core.fold import more_seeds
from agent.core.layout import FIGURE_NOTES, notes_file
from agent.core.paper import ACTIONS
from agent.core.policy import time_left
from agent.core.prompt import Prompt
from agent.core.result import Result, parse_result
from agent.core.state import FIGURES, PLOT, Run
from agent.core.text import duration, plural, shorten
from agent.core.triage import CODER
from agent.llm.prompts import render
from agent.steps import figure_notes, plots, write
from agent.steps.desk import Desk
from agent.steps.edit import draft
from agent.store.files import read_tail

_NOTES_SHOWN = 2
_NOTES_LONGEST = 700
_CURVE_LONGEST = 1_000_000
_PLOTS = plots.FILE


def compose(desk: Desk, action: Ask) -> Prompt:
    if action.action in ACTIONS:
        return write.compose(desk, action)
    run = desk.state.runs.get(action.run) if action.action == "edit" else None
    texts = plots.draft(desk) if action.action == PLOT else draft(desk, run)
    shown = tuple(sorted((name, text) for name, text in texts.items() if _is_shown(name, action.action)))
    hints = "".join(f"\n\nA person who watches this study says: {h.text}" for h in desk.state.hints)
    request = _request(desk, action, texts).strip() + hints
    images = figure_notes.images(desk) if action.action == FIGURES else ()
    prompt = Prompt(action.call, action.action, action.run, action.turn, _stable(desk), shown, request, images)
    limit = desk.state.settings.prompt_file_bytes
    if sum(len(text) for _, text in shown) > limit:
        raise InputProblem(
            f"the editable files hold more than {limit:,} characters; no prompt that large is sent",
            "Make fewer files editable in template.toml, or raise it with -c prompt_file_bytes=….",
        )
    return prompt


def _is_shown(name: str, action: str) -> bool:
    """Notes are quoted where they are wanted; figures are drawn when there is something to draw, in a step of its own."""
    if action in _ONLY:
        return name == _ONLY[action]
    return not name.startswith("notes") and name != _PLOTS


_ONLY = {PLOT: _PLOTS, FIGURES: FIGURE_NOTES}  # what alone may change


def _request(desk: Desk, action: Ask, texts: dict[str, str]) -> str:
    if action.action == PLOT:
        return plots.request(desk, action)
    if action.action == FIGURES:
        return figure_notes.request(desk, action)
    return _notes_request(desk, action, texts) if action.action == "notes" else _edit_request(desk, action, texts)


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
        editable=", ".join((*(name for name in template.editable if name != _PLOTS), "notes/*.txt")),
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
    if desk.state.told:
        request = f"{desk.state.told}\n\n{request}"
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
        why = _why_idle(run) + _replicated(desk, run)
        return request + "\n" + render("idle", run=action.run, why=why, turns_left=turns_left)
    return request


def _task(desk: Desk, action: Ask, run: Run | None, texts: dict[str, str]) -> str:
    state, template = desk.state, desk.template
    if run and run.feedback and run.attempt:
        failed = [a for a in run.attempts if a.blame in CODER]  # of others the coder is not told
        before = _list(
            [
                f"Attempt {n}: {a.change or 'the change'}. It failed with: {a.evidence}"
                for n, a in enumerate(failed[:-1], 1)
            ]
        )
        before = f"Tried before, and what came of it:\n{before}" if before else ""
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
    return render("next", results=digest.latest(state, template, last, _curve(desk, last)), due=ask, **common)


def _curve(desk: Desk, run: Run) -> Curve | None:
    """How training went: the first of run_i/training*.json by name, else what the results hold of it."""
    for path in sorted(desk.layout.output(run.name).glob("training*.json"))[:1]:
        if path.is_file() and not path.is_symlink():
            return parse_curve(read_tail(path, _CURVE_LONGEST))
    result = parse_result(read_tail(desk.layout.results(run.name), _CURVE_LONGEST))
    return result.curve if isinstance(result, Result) else None


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
    return (
        f"{plural(len(run.kept), 'block')} ({names}) fitted: the files above are shown with them, and they will be"
        " applied together with your next ones. Send only what is still to be changed."
    )


def _why_idle(run: Run) -> str:
    if run.refusal == "base":
        return f"The code is now that of {run.parent}."
    return run.refusal


def _replicated(desk: Desk, run: Run) -> str:
    """The run that the coder has asked for more seeds of, as it is with them."""
    of = next((r for r in desk.state.good if run.refusal == more_seeds(r.name)), None)
    return f"\n{digest.latest(desk.state, desk.template, of)}\n" if of else ""


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
