"""The cases of tests/writing/papers: short texts that are put into a whole paper, with the problems that belong to them.

%%% name [place]        begins a case; `place` is where its text goes: a section, `abstract`, or `whole`: after the
                        preamble. `negative` behind it: in a study in which nothing is better than the baseline
text   %! kind kind     a line with the problems that must be reported for it; the mark itself is taken away
"""

import re
from dataclasses import dataclass
from pathlib import Path

PAPERS = Path(__file__).parent / "papers"
SECTIONS = {
    "introduction": "Introduction", "related": "Related work", "background": "Background", "method": "Method",
    "setup": "Experimental setup", "results": "Results", "discussion": "Discussion", "conclusion": "Conclusions",
}  # fmt: skip
PREAMBLE = (
    "\\documentclass[11pt]{article}\n\\usepackage[margin=1.5in]{geometry}\n"
    "\\graphicspath{{../figures/}{figures/}}\n\\setlength{\\belowcaptionskip}{6.5pt}\n\\begin{document}\n"
)
ENDING = "\\section{Data}\\label{sec:here}\nText.\n\\bibliographystyle{plainnat}\n\\bibliography{references}\n\\end{document}\n"


@dataclass(frozen=True)
class Case:
    name: str
    tex: str
    negative: bool
    expected: tuple[tuple[int, str], ...]  # line and kind, sorted


def cases(file: str) -> list[Case]:
    parts = re.split(r"^%%% ", (PAPERS / file).read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [_case(part) for part in parts]


def _case(part: str) -> Case:
    head, _, body = part.partition("\n")
    name, place, negative = re.fullmatch(r"(.*) \[(\w+)( negative)?\]", head).groups()
    before, after = _around(place)
    first = before.count("\n") + 1
    lines, expected = [], []
    for number, line in enumerate(body.strip("\n").split("\n"), first):
        text, _, kinds = line.partition(" %! ")
        lines.append(text)
        expected += [(number, kind) for kind in kinds.split()]
    return Case(name, before + "\n".join(lines) + "\n" + after, bool(negative), tuple(sorted(expected)))


def _around(place: str) -> tuple[str, str]:
    if place == "whole":
        return PREAMBLE, ENDING
    if place == "abstract":
        return PREAMBLE + "\\begin{abstract}\n", "\\end{abstract}\n" + ENDING
    return PREAMBLE + f"\\section{{{SECTIONS[place]}}}\n", ENDING
