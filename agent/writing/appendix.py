r"""The generated appendix of a paper: everything that happened, whether the text speaks of it or not. Pure: state in, LaTeX out.

All runs, failed ones too, with how they were judged; the frozen plan and what departed from it; what it ran on and cost; what
people did; and each fact that the paper cites, with the file that it comes from. Needs no package; with booktabs the tables are nicer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent.core import cells
from agent.core.fact import Fact
from agent.core.fact_text import latex_text, setting
from agent.core.facts import Facts
from agent.core.references import references
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import duration, plural, shorten

FILE = "appendix.tex"
_INPUT = "\\appendix\n\\input{appendix}\n"
_MOST_FACTS, _PLAN = 200, 3_000


def knows_facts(tex: str) -> bool:
    return "\\input{facts" in tex


def with_appendix(tex: str) -> str:
    r"""The paper with the appendix at its end, if it knows facts and does not bring the appendix in itself."""
    end = tex.rfind("\\end{document}")
    if end < 0 or "\\input{appendix" in tex or not knows_facts(tex):
        return tex
    return tex[:end] + _INPUT + tex[end:]


def appendix(state: State, template: Template, facts: Facts, tex: str, machine: Mapping[str, Any]) -> str:
    parts = [
        "% Written by the tool. All that happened in the study, whether the text speaks of it or not.\n"
        "\\providecommand{\\toprule}{\\hline}\\providecommand{\\midrule}{\\hline}\\providecommand{\\bottomrule}{\\hline}",
        _heading("What was done", "This appendix was made by the program, not by the author of the text."),
        _runs(state, template),
        _plan(state),
        _ground(state, machine),
        _facts(facts, tex),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(title: str, text: str) -> str:
    return f"\\section{{{title}}}\n{text}"


def _table(head: Sequence[str], widths: Sequence[str], rows: Iterable[Sequence[str]], size: str = "\\small") -> str:
    """A table that may break nowhere, kept in the text; cells are LaTeX already."""
    spec = "".join(f"p{{{width}\\linewidth}}" if width else "l" for width in widths)
    body = " \\\\\n".join(" & ".join(row) for row in rows)
    return (
        f"\\par\\medskip\\noindent{{{size}\\raggedright\\setlength{{\\tabcolsep}}{{4pt}}\n\\begin{{tabular}}{{@{{}}{spec}@{{}}}}\n\\toprule\n"
        f"{' & '.join(head)} \\\\\n\\midrule\n{body} \\\\\n\\bottomrule\n\\end{{tabular}}\\par}}\\medskip"
    )


def _runs(state: State, template: Template) -> str:
    primary = (state.plan or {}).get("primary", "")
    rows = [_run(run, template, primary) for run in state.runs.values() if run.status in ("good", "closed")]
    head = ["run", "what it is or tried", latex_text(primary), "verdict", "attempts"]
    return "\\subsection{All runs}\n" + _table(head, ("", "0.32", "", "0.16", ""), rows)


def _run(run: Run, template: Template, primary: str) -> list[str]:
    what = template.baseline_of(run.name) if run.baseline else run.summary or "no description"
    failed = [a for a in run.attempts if a.blame]
    tried = f"{len(run.attempts)}" + (f" ({len(failed)} failed)" if failed else "")
    if run.status == "closed":
        return [
            latex_text(run.name),
            latex_text(shorten(what, 120)),
            "--",
            latex_text(shorten(f"no result: {run.closed}", 120)),
            tried,
        ]
    value = f"\\factpm{{{run.name}.{primary}}}" if primary in run.metrics else "--"
    said = cells.verdict(run) if run.comparison else "--"
    return [
        latex_text(run.name),
        latex_text(shorten(what, 120)),
        value,
        latex_text(said),
        tried if run.attempts else "known before",
    ]


def _plan(state: State) -> str:
    plan = dict(state.plan or {})
    said = str(plan.pop("planned", ""))
    shown = "; ".join(f"{key}: {setting(value)}" for key, value in plan.items() if key not in ("sha256", "trust_why"))
    lines = [
        "\\subsection{The plan, frozen before the first run}",
        f"{latex_text(shown)}. Its hash is {latex_text(str(plan.get('sha256', ''))[:16])}.",
    ]
    if said.strip():
        lines += [
            "What the author of the code planned, as it was said then:",
            f"\\begin{{quote}}\\small {_paragraphs(said)}\\end{{quote}}",
        ]
    departures = [f"{d.what} was {d.planned}, now {d.now}" + (f" ({d.why})" if d.why else "") for d in state.deviations]
    lines.append(f"Departures from it: {latex_text('; '.join(departures)) or 'none'}.")
    return "\n\n".join(lines)


def _paragraphs(text: str) -> str:
    return "\\par ".join(latex_text(line.strip()) for line in text[:_PLAN].splitlines() if line.strip())


def _ground(state: State, machine: Mapping[str, Any]) -> str:
    told = {
        "Python": machine.get("python"), "torch": machine.get("torch"), "processor": machine.get("processor"),
        "processors": machine.get("processors"), "GPUs": ", ".join(machine.get("gpus") or ()) or "none",
    }  # fmt: skip
    ground = "; ".join(f"{key} {value}" for key, value in told.items() if value)
    models = sorted({_named(call.model) for call in state.calls.values()})
    people = [what for _, what in state.interventions]
    trust = (state.plan or {}).get("trust_why", "")
    lines = [
        "\\subsection{What it ran on, what it cost, who interfered}",
        f"{latex_text(ground)}. Profile {latex_text(state.profile)}. {latex_text(trust[:1].upper() + trust[1:])}.",
        f"{latex_text(plural(len(state.calls), 'call'))} of {latex_text(', '.join(models) or 'no model')}; "
        f"{latex_text(duration(state.elapsed(state.last)))} of work.",
        f"Acts of people: {latex_text('; '.join(shorten(what, 160) for what in people)) or 'none'}.",
    ]
    return "\n\n".join(lines)


def _named(model: str) -> str:
    """Of a recording or a folder its name: where it lies on somebody's machine is nobody's business."""
    kind, colon, rest = model.partition(":")
    return f"{kind}:{rest.rpartition('/')[2]}" if colon and kind in ("replay", "manual", "cmd") else model


def _facts(facts: Facts, tex: str) -> str:
    """Each fact that the text cites, once, with where it comes from."""
    cited: dict[str, Fact] = {}
    for reference in references(tex, latex=True):
        found = facts.resolve(reference)
        if isinstance(found, Fact) and found.file:
            cited.setdefault(reference.written, found)
    if not cited:
        return ""
    rows = [
        [latex_text(name), latex_text(shorten(fact.text, 40)), latex_text(f"{fact.file} {fact.commit[:8]}")]
        for name, fact in list(cited.items())[:_MOST_FACTS]
    ]
    pages = [rows[at : at + 40] for at in range(0, len(rows), 40)]
    head = ["reference", "says", "file and commit"]
    tables = [_table(head, ("0.44", "0.2", "0.3"), page, "\\scriptsize") for page in pages]
    return "\\subsection{Facts that the text cites}\n" + "\n".join(tables)
