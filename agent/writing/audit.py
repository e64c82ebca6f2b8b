"""The audit of a paper: what in it is not borne out by the study. `audit(tex, known)` → problems with their lines.

Errors must not be in a delivered paper unmarked; an *unexplained* number is listed and stops nothing. In title, abstract,
results and conclusion a decimal, percentage, power or multiple must be a reference to a fact or \\lit.
What it reads is what core.latex_text makes of the text: see there for its limits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from agent.core.latex_paper import Paper
from agent.core.latex_text import read
from agent.writing import claims, forms, numerals
from agent.writing.known import Known
from agent.writing.problem import Problem

_REPORTING = re.compile(
    r"^(?:title|abstract|.*\b(?:results?|findings|conclusions?|concluding|discussion|evaluation|ablations?|limitations|summary)\b.*)$",
    re.IGNORECASE,
)
Check = Callable[[Paper, Known], Iterator[tuple[int, str, str]]]

_CHECKS: dict[str, Check] = {
    "placeholder": forms.placeholders,
    "html": forms.html,
    "citation": forms.citations,
    "figure": forms.figures,
    "label": forms.labels,
    "reference": forms.references,
    "header": forms.headers,
    "run": claims.missing,
}


def audit(tex: str, known: Known, file: str = "paper.tex") -> tuple[Problem, ...]:
    paper = read(tex)
    found = [(at, kind, what, fix) for kind, check in _CHECKS.items() for at, what, fix in check(paper, known)]
    found += [(fault.at, fault.kind, fault.what, fault.fix) for fault in paper.faults]
    found += [(c.at, "claim", f'"{c.word}", but {c.why}', c.fix) for c in claims.claims(paper, known)]
    found += list(_numbers(paper, known))
    return tuple(Problem(kind, file, paper.line(at), what, fix, at) for at, kind, what, fix in sorted(found))


def _numbers(paper: Paper, known: Known) -> Iterator[tuple[int, str, str, str]]:
    for numeral in numerals.numerals(paper.text):
        at = paper.place(numeral.start)
        section = paper.section(at)
        if numeral.measured and _REPORTING.match(section):
            yield (
                at,
                "number",
                f"{numeral.text} is typed into the {section.lower()}",
                "write a reference to a fact, or \\lit{…}{why}",
            )
        elif not numerals.why(numeral, paper.text, known.settings, known.idea):
            yield (
                at,
                "unexplained",
                f"{numeral.text} is explained by no fact, setting or count",
                "refer to it, or \\lit{…}{why}",
            )
