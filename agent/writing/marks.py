r"""Marks of what the audit found, at its place in the text: a small [!3] that refers to the third item of a box.

A mark stands behind the word at which a problem was found, or behind the next one of its line where that is safe
(core.latex_plain), else behind the last one of its line. It adds no line and needs no package. Where a line has no such
place (a caption, a heading, an equation), there is no mark: the item says the line.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agent.core.latex_paper import Paper
from agent.core.latex_plain import ends
from agent.core.text import listed, plural, shorten
from agent.writing.problem import Problem

_LISTED = 12


@dataclass(frozen=True)
class Item:
    number: int
    text: str
    problems: tuple[Problem, ...]


def items(errors: Sequence[Problem]) -> list[Item]:
    """One for each; placeholders, which show themselves, are one, and so are those that are too many to be listed."""
    left = [one for one in errors if one.kind == "placeholder"]
    others = [one for one in errors if one.kind != "placeholder"]
    found: list[tuple[str, tuple[Problem, ...]]] = [
        (f"line {one.line}: {shorten(one.what, 110)}", (one,)) for one in others[:_LISTED]
    ]
    if more := others[_LISTED:]:
        found.append((f"and {len(more)} more: {_lines(more)}", tuple(more)))
    if left:
        found.append((f"{plural(len(left), 'placeholder')}: {_lines(left)}", tuple(left)))
    return [Item(number, *one) for number, one in enumerate(found, 1)]


def _lines(problems: Iterable[Problem]) -> str:
    lines = [str(line) for line in sorted({one.line for one in problems})]
    return f"line{'s' * (len(lines) > 1)} {listed(lines, _LISTED)}"


def row(item: Item) -> str:
    return f"{mark([item.number])} {item.text}"


def mark(numbers: Iterable[int]) -> str:
    return f"[!{', '.join(map(str, sorted(numbers)))}]"


def places(paper: Paper, found: Iterable[Item]) -> dict[int, str]:
    """Where which mark is to be put; one for all problems of a place."""
    possible, numbers = ends(paper), defaultdict[int, set[int]](set)
    for item in found:
        for problem in item.problems:
            at = _place(paper, possible, problem)
            if at is not None:
                numbers[at].add(item.number)
    return {at: f"\\textsuperscript{{\\textbf{{{mark(them)}}}}}" for at, them in numbers.items()}


def _place(paper: Paper, possible: Sequence[int], problem: Problem) -> int | None:
    if not 1 <= problem.line <= len(paper.lines):
        return None
    start = paper.lines[problem.line - 1]
    end = paper.lines[problem.line] - 1 if problem.line < len(paper.lines) else len(paper.source)
    within = possible[bisect_right(possible, start) : bisect_right(possible, end)]
    behind = [at for at in within if at > problem.at >= start] if problem.at >= 0 else []
    return next(iter(behind or within[-1:]), None)


def put(tex: str, texts: Mapping[int, str]) -> str:
    for at in sorted(texts, reverse=True):
        tex = tex[:at] + texts[at] + tex[at:]
    return tex
