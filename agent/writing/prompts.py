"""What is asked for when a part of the paper is written: from state, facts and texts to the variables of a prompt. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from agent.core import cells
from agent.core.comparison import BETTER, UNCONFIRMED
from agent.core.events import Shown
from agent.core.layout import FIGURE_NOTES
from agent.core.paper import ABSTRACT, MEND
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import shorten, shorten_lines

NAMES = {
    "title": "the title",
    ABSTRACT: "the title and the abstract",
    "introduction": "the introduction",
    "background": "the background",
    "method": "the method",
    "setup": "the experimental setup",
    "results": "the results",
    "related": "the related work",
    "conclusion": "the conclusion",
}
PURPOSE = {
    "title": "It says what was found, in a line; a gain only where a run is better.",
    ABSTRACT: "The abstract is the paper in one paragraph: what was tried and why it matters, what makes it hard, how it was done, "
    "how it was verified, what came out; also when nothing beat the baseline. The title says what was found.",
    "introduction": "It is the abstract at length: why anybody should care, what is hard, the approach; the contributions as a list of "
    "what this study did and measured; what follows from it.",
    "background": "The ideas that this work descends from, and only those; it ends with a subsection, the problem setting: the notation "
    "that Method goes on with, and every assumption that is out of the ordinary.",
    "method": "What was changed and why, in the notation of the problem setting. The formulas are those of the code that ran.",
    "setup": "Data, model, metrics, baselines, settings as they were run (\\factconf); seeds, and the rule by which a difference counts.",
    "results": "Only runs that exist, against the measured baselines, with their uncertainty and verdict; a \\facttable; all figures that "
    "serve; ablations if they were run; what was fair and what was not; a subsection on limitations.",
    "related": "Other attempts at the same problem: compare and contrast, say how they differ and whether they would apply here.",
    "conclusion": "What was done and found, in a few sentences that say nothing new; what to try next.",
}
_MOST_METRICS, _MOST_HEADLINES, _MOST_REFERENCES = 60, 6, 40
_LONGEST_NOTES, _LONGEST_CAPTION, _LONGEST_REPLY = 14_000, 400, 30_000


def runs(state: State, template: Template) -> str:
    return "\n".join(_run(run, template) for run in state.runs.values() if run.status in ("good", "closed"))


def _run(run: Run, template: Template) -> str:
    what = template.baseline_of(run.name) if run.baseline else shorten(run.summary or "no description", 160).rstrip(".")
    if run.status == "closed":
        return f"- {run.name}: {what}. Failed, no result: {shorten(run.closed, 160)}"
    verdict = cells.verdict(run)
    return f"- {run.name}: {what}" + (f". Verdict: {verdict}" if verdict != cells.NONE else "")


def verdict(state: State) -> str:
    """What title, abstract and conclusion have to follow."""
    better = [run.name for run in state.good if cells.verdict(run) == BETTER]
    if better:
        return f"Better than the baseline, tested on fresh seeds: {', '.join(better)}. No other run may be called an improvement."
    almost = [run.name for run in state.good if cells.verdict(run) == UNCONFIRMED]
    more = f" ({', '.join(almost)} looked better and was not confirmed.)" if almost else ""
    return f"No run is better than the baseline.{more} A negative result is a result: title, abstract and conclusion say so."


def metrics(state: State, template: Template) -> str:
    ids = cells.by_role(
        {m for run in state.runs.values() for m in run.metrics}, template, (state.plan or {}).get("primary", "")
    )
    by_role: dict[str, list[str]] = {}
    for identity in ids[:_MOST_METRICS]:
        metric = template.metric(identity)
        better = "" if metric.direction == "none" else f"better {metric.direction}"
        more = ", ".join(word for word in (metric.label, better) if word)
        by_role.setdefault(metric.role, []).append(f"{identity} ({more})" if more else identity)
    rows = [f"- {role}: {'; '.join(told)}" for role, told in by_role.items()]
    left = len(ids) - _MOST_METRICS
    return "\n".join([*rows, *([f"- and {left} more, in the results files"] if left > 0 else [])])


def values(state: State, template: Template, runs: Sequence[str] | None = None) -> str:
    """Primary metrics and constraints of all runs, or of these: run | value …"""
    primary = (state.plan or {}).get("primary", "")
    reference = state.reference
    ids = cells.by_role(reference.metrics if reference else (), template, primary)
    shown = [m for m in ids if m == primary or template.metric(m).role in ("primary", "constraint")][:_MOST_HEADLINES]
    good = [run for run in state.runs.values() if run.status == "good" and (runs is None or run.name in runs)]
    rows = [" | ".join([run.name, *(cells.cell(run, m, template) for m in shown)]) for run in good]
    return "\n".join([" | ".join(["run", *shown]), *rows])


def figures(state: State, captions: Mapping[str, str]) -> str:
    """One row a figure: its PDF where there is one."""
    names = sorted({name.rpartition(".")[0] for name in state.figures})
    rows = []
    for name in names:
        shows = next(shown for file, shown in state.figures.items() if file.rpartition(".")[0] == name)
        said = captions.get(name.rpartition("/")[2], "") or f"made by plot.py from {_runs_shown(state, shows)}"
        rows.append(f"- {name}: {_sentences(said)}")
    return "\n".join(rows) or "none"


def _runs_shown(state: State, shows: Shown) -> str:
    good = {run.name for run in state.runs.values() if run.status == "good"}
    return "all runs" if good <= set(shows.runs) else ", ".join(shows.runs) or "the runs"


def _sentences(text: str) -> str:
    """As many as there is room for."""
    told = shorten(text, _LONGEST_CAPTION)
    return told[: told.rindex(". ") + 1] if told.endswith("…") and ". " in told else told


def needs_notes(action: str, part: str) -> bool:
    """Not what is about other people's work; and a revision has the draft in view, which was written with them."""
    if action in ("revise", MEND):
        return (action, part) == ("revise", "results")
    return part not in ("background", "related")


def notes(texts: Mapping[str, str]) -> str:
    """The coder's notes, run by run, those on figures last. Where there is not room for all, the longest give way, each at its end."""
    told = {name: texts[name].strip() for name in sorted(texts, key=_in_order) if name.startswith("notes/")}
    share = _share(sorted(map(len, told.values())), _LONGEST_NOTES)
    return "\n\n".join(f"{name}:\n{shorten_lines(text, share)}" for name, text in told.items()) or "none"


def _in_order(name: str) -> list[str | int]:
    """run_10 comes after run_9."""
    return [int(name == FIGURE_NOTES), *(int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name))]


def _share(lengths: Sequence[int], room: int) -> int:
    """How long each may be, the shortest first: what they leave is for the others."""
    for number, length in enumerate(lengths):
        share = room // (len(lengths) - number)
        if length > share:
            return share
        room -= length
    return max(lengths, default=0)


def said(references: Mapping[str, str]) -> str:
    if not references:
        return ""
    rows = [f"{written} {shorten(text, 60)}" for written, text in list(references.items())[:_MOST_REFERENCES]]
    return "What its references say at present, so that the words around them fit:\n" + "; ".join(rows)


def problems(found: Sequence[str], reply: str = "") -> str:
    """`reply`: what the problems were found in."""
    if not found:
        return ""
    listed = "\n".join(f"- {one}" for one in found)
    shown = f"Your last reply:\n\n{reply}\n\n" if 0 < len(reply) <= _LONGEST_REPLY else ""
    return f"{shown}It was not taken. Mend this, and keep the rest:\n\n{listed}"


def so_far(parts: Mapping[str, str], part: str, wanted: Sequence[str]) -> str:
    """The parts that are written already and that this one has to fit to."""
    told = [
        f"{NAMES[name]}, as it stands:\n\n{parts[name]}"
        for name in wanted
        if name != part and _written(parts.get(name, ""))
    ]
    return "\n\n".join(told)


def whole(parts: Mapping[str, str]) -> str:
    return "\n\n".join(f"%%% {name}\n{_bare(text)}" for name, text in parts.items())


def _bare(text: str) -> str:
    """Without lines that are comments only."""
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("%"))


def _written(text: str) -> bool:
    return bool(text.strip()) and "\\placeholder{" not in text
