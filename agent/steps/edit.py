"""Step 6–7: from a reply to a commit, or to the reasons why not. One event per reply, after those for what it asks of a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from agent.core import edits, gate
from agent.core import events as e
from agent.core.actions import ReadReply
from agent.core.edits import Applied, Block
from agent.core.errors import InputProblem
from agent.core.paper import ACTIONS
from agent.core.plan import hash_of
from agent.core.policy import COMPLETIONS_REFUSED
from agent.core.reply import Words, prose, without_thoughts, words
from agent.core.state import FIGURES, PLOT, Call, Run
from agent.core.template import ALWAYS_EDITABLE, is_experiment
from agent.core.text import shorten, shorten_lines
from agent.steps import figure_notes, notes, plots, signatures, stored, write
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts

MOST_REPLICATIONS, MOST_SEEDS = 2, 10  # of one run; at once
_LONGEST_PLAN = 20_000
_EMPTY = "the reply is empty"
_CUT = {
    "length": "the reply was cut off at the longest that is allowed; make a smaller change, or send the rest of it",
    "filter": "the provider's content filter ended the reply before it was whole; send the rest in other words",
}
_NOTED = (
    "your request is written down for the person who reads this study, and may be answered later;"
    " go on with a change that does without it, or answer ALL_COMPLETED"
)
_NOTHING_NEW = "the blocks leave every file as it is"


def perform(desk: Desk, action: ReadReply) -> Iterator[e.Event]:
    call = desk.state.calls[action.call]
    reply = stored.reply_to(desk, call.name)
    if reply is None:
        raise InputProblem(f"the reply to {call.name} is gone from .study/llm", "Restore the study from a backup.")
    text = without_thoughts(reply.text)
    if call.action == "edit":
        yield from _said(desk, call, text)
    cut = _CUT.get(reply.finish, "")
    if call.action in ACTIONS:
        yield write.read(desk, call, text, cut)
    elif not text.strip():
        yield _rejected(call, [cut or _EMPTY], kept=_kept(desk, call), base=_base(desk, call))
    elif call.action == PLOT:
        yield plots.read(desk, call, text, cut)
    elif call.action == FIGURES:
        yield figure_notes.read(desk, call, text, cut)
    elif call.action == "notes":
        yield _read_notes(desk, call, text, cut)
    else:
        yield _read_edit(desk, call, text, cut)


def _said(desk: Desk, call: Call, text: str) -> Iterator[e.Event]:
    """What is kept of a reply besides its change: the plan before the first run, and what is asked of a person."""
    plan = desk.state.plan
    if plan is not None and "planned" not in plan and not desk.state.good:
        stated = shorten_lines(prose(text), _LONGEST_PLAN)
        whole = {**{key: value for key, value in plan.items() if key != "sha256"}, "planned": stated}
        yield e.PlanStated(call=call.name, text=stated, sha256=hash_of(whole))
    for asked in words(text).requests:
        yield e.CoderRequested(call=call.name, run=call.run, text=asked)


def _kept(desk: Desk, call: Call) -> tuple[dict[str, Any], ...]:
    return desk.state.runs[call.run].kept if call.action == "edit" else ()


def _base(desk: Desk, call: Call) -> str:
    return desk.state.runs[call.run].base if call.action == "edit" else ""


def draft(desk: Desk, run: Run | None) -> dict[str, str]:
    """The editable files as the next reply's blocks will meet them: with the blocks that are kept for this run."""
    if run is None:
        return desk.editable(desk.state.head)
    before = _start(desk, run.base)
    applied = edits.apply([Block(**block) for block in run.kept], before, creatable=_creatable(desk))
    return {**before, **applied.files} if isinstance(applied, Applied) else before


def _creatable(desk: Desk) -> tuple[str, ...]:
    return (*desk.template.editable, *ALWAYS_EDITABLE)


def _read_edit(desk: Desk, call: Call, text: str, cut: str) -> e.Event:
    run, said = desk.state.runs[call.run], words(text)
    base = said.base or run.base
    if base and not _is_good(desk, base):
        return _rejected(
            call, [f"BASE: {base} is no run with a result; choose one of {', '.join(_good_names(desk))}"], kept=run.kept
        )
    before = _start(desk, base)
    kept = [Block(**block) for block in run.kept] if base == run.base else []
    new = edits.parse(text, draft(desk, run) if kept else before)
    if said.replicate:
        return _replicate(desk, call, run, said.replicate, bool(new))
    if cut:
        whole = [block for block in new if not block.problem]
        good, misfits = _good(edits.join(kept, whole, before, _creatable(desk)))
        return _rejected(call, [cut, *misfits], good, base, said.summary)
    if not new:
        return _without_blocks(desk, call, run, said, base)
    applied = edits.join(kept, new, before, _creatable(desk))
    if not isinstance(applied, Applied):
        good, problems = _good(applied)
        return _rejected(call, problems, good, base, said.summary)
    forbidden = [
        f"{name} cannot be edited now; it is written in the paper phase"
        for name in applied.files
        if name.startswith("latex/")
    ]
    if forbidden:
        return _rejected(call, forbidden, base=base, summary=said.summary)
    passed = gate.check(before, applied.files, _seen(desk, run), partial(signatures.findings, desk))
    if isinstance(passed, gate.Refused):
        good = _good(applied)[0] if passed.mendable else []
        return _rejected(call, passed.problems, good, base, said.summary)
    if not passed.starts_run and said.completed and _may_complete(desk):
        return _complete(desk, call, passed.files)
    return _accept(desk, call, said, base, before, passed)


def _good(result: Applied | edits.Rejected) -> tuple[list[dict[str, Any]], list[str]]:
    """The blocks that fit, and what is wrong with the others."""
    if isinstance(result, Applied):
        return [asdict(block) for block in result.blocks], []
    return [asdict(block) for block in result.good], [p.message for p in result.problems]


def _accept(desk: Desk, call: Call, said: Words, base: str, before: Mapping[str, str], passed: gate.Passed) -> e.Event:
    current = desk.editable(desk.state.head)
    target = {**before, **passed.files}
    changes = _difference(current, target)
    if not changes:
        return _rejected(call, [_NOTHING_NEW], base=base)
    summary = said.summary or ", ".join(sorted(passed.files))
    if base and not passed.starts_run:
        head = desk.commit(changes, f"{call.run}: start from {base}")
        return e.BaseChosen(call=call.name, run=call.run, base=base, head=head, files=tuple(sorted(passed.files)))

    def event(head: str) -> e.EditCommitted:
        return e.EditCommitted(call=call.name, run=call.run, head=head, files=tuple(sorted(passed.files)),
                               starts_run=passed.starts_run, summary=summary, base=base, idle=passed.why)  # fmt: skip

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)), target)
    message = f"{call.run}, edit {call.turn}: {summary}"
    return event(desk.commit({**changes, **texts}, message))


def _without_blocks(desk: Desk, call: Call, run: Run, said: Words, base: str) -> e.Event:
    if said.completed:
        if _may_complete(desk):
            return _complete(desk, call, {})
        reason = "ALL_COMPLETED came before any run gave a result. There is nothing to write about yet: make the first change."
        return e.CompletionRefused(call=call.name, run=run.name, reason=reason)
    if said.base:
        changes = _difference(desk.editable(desk.state.head), _start(desk, base))
        head = desk.commit(changes, f"{run.name}: start from {base}") if changes else desk.state.head
        return e.BaseChosen(call=call.name, run=run.name, base=base, head=head)
    why = _NOTED if said.requests else notes.NO_BLOCKS
    return _rejected(call, [why], run.kept if base == run.base else (), base)


def _replicate(desk: Desk, call: Call, run: Run, asked: tuple[str, int], with_blocks: bool) -> e.Event:
    """More seeds of a run that exists, or why there will be none."""
    name, seeds = asked
    if problem := _no_more_seeds(desk, name, with_blocks):
        return _rejected(call, [problem], run.kept, run.base)
    wanted = min(seeds or desk.profile.seeds.confirm, MOST_SEEDS)
    return e.CoderReplicated(call=call.name, run=call.run, of=name, seeds=max(1, wanted))


def _no_more_seeds(desk: Desk, name: str, with_blocks: bool) -> str:
    of = desk.state.runs.get(name)
    if with_blocks:
        return "REPLICATE stands in a reply of its own; send the change when its results are there"
    if of is None or of.status != "good" or of.baseline:
        return f"REPLICATE: {name} is no run with a result; the program measures baselines itself"
    if of.confirmation or of.unconfirmable:
        return f"REPLICATE: {name} was measured on fresh seeds already, and its verdict stands"
    if of.replicated >= MOST_REPLICATIONS:
        return f"REPLICATE: {name} was measured again {MOST_REPLICATIONS} times, and that is all there is"
    return ""


def _may_complete(desk: Desk) -> bool:
    return bool(desk.state.good) or desk.state.completions_refused >= COMPLETIONS_REFUSED


def _complete(desk: Desk, call: Call, changed: Mapping[str, str]) -> e.Event:
    def event(head: str) -> e.CoderCompleted:
        return e.CoderCompleted(call=call.name, run=call.run, head=head, files=tuple(sorted(changed)))

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)), changed)
    return event(desk.commit({**changed, **texts}, "The coder has nothing more to try"))


def _read_notes(desk: Desk, call: Call, text: str, cut: str) -> e.Event:
    written = notes.changed(desk, text, cut)
    if isinstance(written, list):
        return _rejected(call, written)
    return notes.committed(desk, call, written, f"Notes: {', '.join(sorted(written))}")


def _start(desk: Desk, base: str) -> dict[str, str]:
    """The editable files that a change starts from: as they are, or with the experiment of the chosen run."""
    now = desk.editable(desk.state.head)
    return with_experiment_of(desk, now, base) if base else now


def with_experiment_of(desk: Desk, now: Mapping[str, str], run: str) -> dict[str, str]:
    then = desk.editable(desk.state.runs[run].head)
    return {**{n: t for n, t in now.items() if not is_experiment(n)}, **gate.experiment(then)}


def _difference(now: Mapping[str, str], target: Mapping[str, str]) -> dict[str, str | None]:
    gone: dict[str, str | None] = {name: None for name in now if name not in target}
    return {**gone, **{name: text for name, text in target.items() if now.get(name) != text}}


def _seen(desk: Desk, run: Run) -> dict[str, dict[str, str]]:
    """Experiments that need not be run again: good runs, the baseline, and what failed in this run."""
    heads = {r.name: r.head for r in desk.state.runs.values() if r.status == "good"}
    heads |= {f"attempt {a.number} of {run.name}": a.head for a in run.attempts if a.blame}
    return {name: desk.editable(head) for name, head in heads.items()}


def _is_good(desk: Desk, name: str) -> bool:
    return name in desk.state.runs and desk.state.runs[name].status == "good"


def _good_names(desk: Desk) -> list[str]:
    return [r.name for r in desk.state.runs.values() if r.status == "good"]


def _rejected(call: Call, problems: Any, kept: Any = (), base: str = "", summary: str = "") -> e.EditRejected:
    said = tuple(p if "\n" in p else shorten(p, 2000) for p in problems)
    return e.EditRejected(
        call=call.name, run=call.run, problems=said[:12], kept=tuple(kept), base=base, summary=summary
    )
