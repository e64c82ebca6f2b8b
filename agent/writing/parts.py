r"""Parts of a paper that cannot be typeset: which one a line lies in, and the paper without it, visibly.

A part is the outermost environment around the line (a figure, a list, an equation), else the paragraph, else the line, as
in the preamble. It is commented out where it stands, so that all lines keep their numbers, and a box takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.latex_paper import Paper
from agent.core.latex_text import read
from agent.core.text import plural
from agent.writing import marks
from agent.writing.problem import Problem

_WHOLE = ("document", "abstract")  # environments that are no part by themselves
_EDGE = re.compile(
    r"\s*$|\s*\\(?:part|chapter|(?:sub)*section|paragraph|(?:begin|end)\{(?:document|abstract)\}|maketitle|appendix|bibliography)"
)
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "…": r"\ldots{}", "—": "---",
            **{char: f"\\{char}" for char in "{}$&#%_"}, "<": r"\textless{}", ">": r"\textgreater{}", '"': "''"}  # fmt: skip


@dataclass(frozen=True)
class Part:
    first: int  # lines, both of them in it
    last: int
    why: str


def part_at(paper: Paper, line: int) -> tuple[int, int] | None:
    """First and last line of the part around a line; None where nothing can be taken out."""
    lines = paper.source.split("\n")
    begin = next((number for number, text in enumerate(lines, 1) if "\\begin{document}" in text), 0)
    if not 1 <= line <= len(lines) or line == begin or _only(lines[line - 1], r"\\(?:documentclass|end\{document\})"):
        return None
    if line < begin:
        return (line, line) if lines[line - 1].strip() else None
    around = [(paper.line(a), paper.line(max(a, b - 1))) for a, b in _environments(paper)]
    if within := [(first, last) for first, last in around if first <= line <= last]:
        return min(within)
    return _paragraph(lines, line, begin)


def _environments(paper: Paper) -> list[tuple[int, int]]:
    return [
        (a, b)
        for a, b in paper.floats
        if not paper.source.startswith(tuple(f"\\begin{{{name}}}" for name in _WHOLE), a)
    ]


def _paragraph(lines: list[str], line: int, begin: int) -> tuple[int, int] | None:
    while line > begin + 1 and not lines[line - 1].strip():  # a blank line ends what could not be typeset
        line -= 1
    if _EDGE.match(lines[line - 1]):
        edge = re.match(r"\s*\\(?:(?:sub)*section|paragraph|maketitle|bibliography)", lines[line - 1])
        return (line, line) if edge else None
    first = last = line
    while first - 1 > begin and not _EDGE.match(lines[first - 2]):
        first -= 1
    while last < len(lines) and not _EDGE.match(lines[last]):
        last += 1
    return first, last


def _only(text: str, pattern: str) -> bool:
    return re.match(rf"\s*{pattern}", text) is not None


def without(tex: str, problems: Iterable[Problem], file: str = "paper.tex") -> tuple[str, tuple[Part, ...]]:
    """The paper with the parts commented out in which these problems lie. Nothing found: the text as it was."""
    paper = read(tex)
    lines = tex.split("\n")
    taken: dict[tuple[int, int], str] = {}
    for problem in problems:
        place = part_at(paper, problem.line) if problem.file == file else None
        if place and not any(first <= problem.line <= last for first, last in taken):
            taken[place] = problem.what
    begin = next((number for number, text in enumerate(lines, 1) if "\\begin{document}" in text), 0)
    for (first, last), why in taken.items():
        for number in range(first, last + 1):
            lines[number - 1] = f"% {lines[number - 1]}"
        box = _box(f"Left out: {_lines(first, last)} of {file} could not be typeset, because {why}.")
        if first < begin:  # nothing is printed there
            lines[begin - 1] = lines[begin - 1].replace("\\begin{document}", f"\\begin{{document}}{box}")
        else:
            lines[first - 1] = f"{box}{lines[first - 1]}"
    return "\n".join(lines), tuple(Part(first, last, why) for (first, last), why in sorted(taken.items()))


def marked(tex: str, problems: Iterable[Problem]) -> str:
    """The paper with what the audit found, if it found errors: named in a box on its first page, and marked where they are."""
    items = marks.items([problem for problem in problems if problem.error])
    if not items:
        return tex
    count = sum(len(item.problems) for item in items)
    paper = read(tex)
    places = marks.places(paper, items)
    left, said = (
        "was" if count == 1 else "were",
        f" In its text, marks such as {marks.mark([1])} refer to this list." if places else "",
    )
    box = _box(
        f"The audit of this paper found {plural(count, 'problem')} that {left} left in it.{said}", map(marks.row, items)
    )
    titles = (use.end for use in paper.uses if use.name == "maketitle" and use.at >= paper.body)
    at = next(titles, paper.body)
    return marks.put(tex, {**places, at: places.get(at, "") + box}) if paper.body >= 0 else tex


def _box(text: str, rows: Iterable[str] = ()) -> str:
    """On one line, of what every LaTeX has, and the same wherever it stands."""
    below = "".join(f"\\\\\\footnotesize {escaped(row)}" for row in rows)
    inner = f"\\sffamily\\small\\raggedright {escaped(text)}{below}"
    return f"\\par\\noindent\\fbox{{\\parbox{{0.96\\linewidth}}{{{inner}}}}}\\par\\medskip{{}}"


def _lines(first: int, last: int) -> str:
    return f"line {first}" if first == last else f"lines {first} to {last}"


def escaped(text: str) -> str:
    """Any text, as LaTeX prints it."""
    return "".join(_SPECIAL.get(char, char if " " <= char <= "~" else "?") for char in text)
