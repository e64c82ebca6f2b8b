"""Steps 14–18: one part of the paper at a time: what is asked, and from the reply to a commit or to what is wrong with it.

A part is taken only when a program finds nothing in it that must not be in a delivered paper: numbers that are typed,
facts, figures and citations that do not exist, claims beyond the verdict, placeholders, what LaTeX cannot read. After
core.paper.TURNS replies what was there before stays: a draft that never came leaves its placeholder, in red.
What only LaTeX can find is asked for when the paper was built (`faults`), of parts that the coder has written; a person's
text is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.core import events as e
from agent.core import paper
from agent.core.actions import Ask
from agent.core.fact import Fact
from agent.core.fact import Problem as NoFact
from agent.core.prompt import Prompt
from agent.core.references import references
from agent.core.reply import without_thoughts
from agent.core.state import Call
from agent.core.text import shorten
from agent.llm.prompts import render
from agent.steps import build, stored
from agent.steps.desk import Desk
from agent.steps.papers import PAPER, kept_texts, known_facts, paper_at
from agent.writing import figures, prompts
from agent.writing.audit import audit
from agent.writing.known import Known
from agent.writing.problem import Problem

_BEFORE = {  # what a part has to fit to, when it is drafted or refined
    paper.ABSTRACT: (),
    "introduction": (paper.ABSTRACT,),
    "background": (paper.ABSTRACT,),
    "method": (paper.ABSTRACT, "background"),
    "setup": (paper.ABSTRACT, "method"),
    "results": (paper.ABSTRACT, "method", "setup"),
    "related": (paper.ABSTRACT, "method"),
    "conclusion": (paper.ABSTRACT, "results"),
}
_MOST_PROBLEMS = 15


def compose(desk: Desk, action: Ask) -> Prompt:
    part, parts = action.run, paper.parts(paper_at(desk, desk.state.head))
    asked = {"part": prompts.NAMES[part], "purpose": prompts.PURPOSE[part]}
    asked["problems"] = _problems(desk, action)
    if action.action == paper.MEND:
        found = "\n".join(f"- {one}" for one in desk.state.faults.get(part, ()))
        request = render("mend", part=asked["part"], found=found, now=parts.get(part, ""), problems=asked["problems"])
    elif action.action == "revise":
        request = render("revise", paper=prompts.whole(parts), said=_said(desk, parts.get(part, "")), **asked)
    elif action.action == "refine":
        before, now = prompts.so_far(parts, part, _BEFORE[part]), parts.get(part, "")
        request = render("refine", before=before, now=now, said=_said(desk, now), **asked)
    else:
        request = render(action.action, before=prompts.so_far(parts, part, _BEFORE[part]), **asked)
    hints = "".join(f"\n\nA person who watches this study says: {hint.text}" for hint in desk.state.hints)
    return Prompt(
        action.call, action.action, part, action.turn, _stable(desk), (), _notes(desk, action) + request.strip() + hints
    )


def _said(desk: Desk, text: str) -> str:
    """What the references of a part say at present: values beyond the headline ones are shown to who refers to them."""
    facts = known_facts(desk, desk.state)
    found = {r.written: facts.resolve(r) for r in references(text, latex=True) if r.macro != "facttable"}
    return prompts.said({written: fact.text for written, fact in found.items() if isinstance(fact, Fact) and fact.text})


def _problems(desk: Desk, action: Ask) -> str:
    """Of the reply before, if this is asked for again: its text and what was wrong with it, so that only that has to be changed."""
    before = [call for call in desk.state.calls.values() if call.name != action.call][-1:]
    again = before and (before[0].action, before[0].run, before[0].old) == (action.action, action.run, False)
    if not again or not desk.state.part_problems:
        return ""
    reply = stored.reply_to(desk, before[0].name)
    return prompts.problems(desk.state.part_problems, without_thoughts(reply.text).strip() if reply else "")


def _notes(desk: Desk, action: Ask) -> str:
    """Behind what is the same in all requests, so that a provider's cache serves that to those without notes as well."""
    told = prompts.notes(desk.editable(desk.state.head)) if prompts.needs_notes(action.action, action.run) else ""
    return f"# Notes on the runs and figures\n\n{told}\n\n" if told else ""


def _stable(desk: Desk) -> str:
    state, template, idea = desk.state, desk.template, desk.idea
    made = figures.figures(state, template)
    titles = build.titles_of(build.study_files(desk.layout.root, {}))
    return render(
        "paper",
        title=idea.title,
        idea="\n\n".join([idea.experiment, *(f"## {head}\n{text}" for head, text in idea.details())]),
        task=template.task.strip() or template.title or template.name,
        plan=str((state.plan or {}).get("planned", "")) or "Nothing was said.",
        runs=prompts.runs(state, template),
        metrics=prompts.metrics(state, template),
        values=prompts.values(state, template),
        verdict=prompts.verdict(state),
        figures=prompts.figures(state, {one.name: one.caption for one in made}),
        citations="\n".join(f"- {key}: {title}" for key, title in titles.items()) or "none",
    )


def read(desk: Desk, call: Call, text: str, cut: str) -> e.Event:
    told = cut or paper.told(text, call.run)
    if isinstance(told, str):
        return _rejected(call, [told])
    before = paper_at(desk, desk.state.head)
    after = before
    for part, written in told.items():
        after = paper.with_part(after, part, written)
    if found := wrong(desk, after, tuple(told), known(desk)):
        return _rejected(call, found)

    def event(head: str) -> e.PartWritten:
        return e.PartWritten(call=call.name, action=call.action, part=call.run, head=head, parts=tuple(told))

    foreseen = desk.foresee(event(desk.state.head))
    texts = {**kept_texts(desk, foreseen), PAPER: after}
    return event(desk.commit(texts, f"Paper: {call.action} {call.run}"))


def _rejected(call: Call, problems: list[str]) -> e.PartRejected:
    return e.PartRejected(
        call=call.name,
        action=call.action,
        part=call.run,
        problems=tuple(shorten(p, 600) for p in problems[:_MOST_PROBLEMS]),
    )


def wrong(desk: Desk, tex: str, parts: tuple[str, ...], about: Known) -> list[str]:
    """What must not be in these parts of the paper, with the line of each, counted from the part's first."""
    found = []
    for part in parts:
        span = paper.part_span(tex, part)
        if span is None:
            continue
        first = paper.first_line(tex, part)
        last = tex.count("\n", 0, span.end) + 1
        said = [(p.line, f"{p.what}" + (f"; {p.fix}" if p.fix else "")) for p in audit(tex, about) if p.error]
        said += _unknown_facts(desk, tex)
        found += [
            f"line {line - first + 1} of {prompts.NAMES[part]}: {what}"
            for line, what in sorted(said)
            if first <= line <= last
        ]
    return list(dict.fromkeys(found))


def faults(desk: Desk, tex: str, problems: Iterable[Problem]) -> dict[str, tuple[str, ...]]:
    """By part, what is to be mended in the coder's own text: errors, and what sticks out into the margin."""
    state, lines = desk.state, tex.split("\n")
    written = {part for _, part in state.written} - state.by_hand
    found: dict[str, list[str]] = {}
    for problem in problems:
        place = paper.place_of(tex, problem.line) if problem.file == build.MAIN else None
        if (
            place
            and place[0] in written
            and problem.kind != "placeholder"
            and (problem.error or problem.kind == "layout")
        ):
            line = shorten(lines[problem.line - 1].strip(), 80)
            said = f"line {place[1]} (`{line}`): {problem.what}" + (f"; {problem.fix}" if problem.fix else "")
            found.setdefault(place[0], []).append(said)
    return {part: tuple(said[:_MOST_PROBLEMS]) for part, said in found.items()}


def _unknown_facts(desk: Desk, tex: str) -> list[tuple[int, str]]:
    facts = known_facts(desk, desk.state)
    answers = [(reference, facts.resolve(reference)) for reference in references(tex, latex=True)]
    return [
        (reference.line, f"{reference.written}: {fact.said}") for reference, fact in answers if isinstance(fact, NoFact)
    ]


def known(desk: Desk) -> Known:
    content = build.study_files(desk.layout.root, {})
    return build.known(desk.layout.root, desk.state, desk.template, desk.idea, content)
