"""A paper in LaTeX as core.latex_text reads it: what is printed, with the place of each character in the source."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from agent.core import latex_names as names

FACT = "◦"  # stands in the text for a number that the tool fills in, or that its author has given a source
BREAK = "\f"  # where a sentence cannot go on: headings, captions, items, cells


@dataclass(frozen=True)
class Use:
    """A command with those of its arguments that are not printed."""

    name: str
    at: int
    arguments: tuple[tuple[int, str], ...] = ()
    end: int = 0

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(text for _, text in self.arguments)


@dataclass(frozen=True)
class Heading:
    name: str  # section, subsection …
    at: int
    title: str


@dataclass(frozen=True)
class Fault:
    kind: str  # "environment", "math", "brace" or "symbol"
    at: int
    what: str
    fix: str


@dataclass(frozen=True)
class Paper:
    source: str
    text: str
    places: tuple[int, ...]  # of each character of `text` in `source`
    uses: tuple[Use, ...]
    headings: tuple[Heading, ...]
    abstracts: tuple[tuple[int, int], ...]
    floats: tuple[tuple[int, int], ...]  # all environments, from \begin to behind \end
    faults: tuple[Fault, ...]
    title: tuple[int, int] = (0, 0)
    lines: tuple[int, ...] = ()
    groups: tuple[tuple[int, int], ...] = ()  # from { to behind }, of those that are read and not an argument left out
    maths: tuple[tuple[int, int], ...] = ()  # from what opens it to behind what closes it
    body: int = -1  # behind \\begin{document}

    def line(self, at: int) -> int:
        return bisect_right(self.lines, at)

    def place(self, index: int) -> int:
        return self.places[min(index, len(self.places) - 1)] if self.places else 0

    def section(self, at: int) -> str:
        """The heading of the section in which a place of the source lies: "Abstract", "Title" or as it is written."""
        if self.title[0] <= at < self.title[1]:
            return "Title"
        if any(start <= at < end for start, end in self.abstracts):
            return "Abstract"
        before = [h.title for h in self.headings if h.name in names.SECTIONS and h.at <= at]
        return before[-1] if before else ""
