"""The paper's parts and the order in which they are written; where each stands in a LaTeX text, and how it is replaced.

Drafts first, each followed by a refinement; then everything once more, with the whole draft in view. Pure: text in, text out.
A part is what stands between its heading and the next one: comments that announce the next heading stay where they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

WORDS = {
    # part → how its heading may begin
    "introduction": ("introduction",),
    "background": ("background", "preliminaries"),
    "method": ("method", "approach"),
    "setup": ("experimental setup", "experimental set-up", "experiments", "setup"),
    "results": ("results",),
    "related": ("related work",),
    "conclusion": ("conclusion", "discussion"),
}
ABSTRACT = "abstract"  # with the title
DRAFTED = (ABSTRACT, "introduction", "background", "method", "setup", "results", "conclusion")
REVISED = (ABSTRACT, "related", "introduction", "background", "method", "setup", "results", "conclusion")
TURNS = 3  # replies to one step; then what was there before stays
MEND = "mend"  # what LaTeX found in a part, when the paper was built
MENDINGS = 2  # replies for it, a part; then what cannot be typeset is left out


@dataclass(frozen=True)
class Step:
    action: str  # draft, refine, sketch, revise
    part: str


STEPS: tuple[Step, ...] = (
    *(Step(action, part) for part in DRAFTED for action in ("draft", "refine")),
    Step("sketch", "related"),
    Step("draft", "related"),
    Step("revise", "title"),
    *(Step("revise", part) for part in REVISED),
)
ACTIONS = (*dict.fromkeys(step.action for step in STEPS), MEND)

_HEADING = re.compile(r"^[ \t]*\\section\*?\{([^{}]*)\}[^\n]*\n?", re.MULTILINE)
_LABEL = re.compile(r"[ \t]*\\label\{[^{}]*\}[ \t]*(?:%[^\n]*)?\n")
_END = re.compile(
    r"^[ \t]*(\\bibliographystyle|\\bibliography\{|\\printbibliography|\\appendix|\\end\{document\})", re.MULTILINE
)
_ABSTRACT = re.compile(r"(\\begin\{abstract\})(.*?)(\\end\{abstract\})", re.DOTALL)
_ANNOUNCES = re.compile(r"(?:^[ \t]*%[^\n]*\n|^[ \t]*\n)+\Z", re.MULTILINE)
_FENCED = re.compile(r"^```(?:latex|tex)?[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Span:
    start: int
    end: int


def title_span(tex: str) -> Span | None:
    """What stands in \\title{…}, braces counted."""
    at = tex.find("\\title{")
    if at < 0:
        return None
    depth, start = 0, at + len("\\title{")
    for position in range(start - 1, len(tex)):
        if tex[position] in "{}" and tex[position - 1] != "\\":
            depth += 1 if tex[position] == "{" else -1
            if depth == 0:
                return Span(start, position)
    return None


def part_span(tex: str, part: str) -> Span | None:
    """Where the text of a part stands, without its heading; None: this paper has no such part."""
    if part == "title":
        return title_span(tex)
    if part == ABSTRACT:
        found = _ABSTRACT.search(tex)
        return Span(found.start(2), found.end(2)) if found else None
    headings = list(_HEADING.finditer(tex))
    for number, heading in enumerate(headings):
        if not heading[1].strip().lower().startswith(WORDS[part]):
            continue
        start = heading.end()
        if label := _LABEL.match(tex, start):
            start = label.end()
        ends = [match.start() for match in (*headings[number + 1 : number + 2], _END.search(tex, start)) if match]
        end = min(ends, default=len(tex))
        announced = _ANNOUNCES.search(tex, start, end)
        return Span(start, announced.start() if announced else end)
    return None


def parts(tex: str) -> dict[str, str]:
    """The text of each part that this paper has."""
    spans = {part: part_span(tex, part) for part in ("title", ABSTRACT, *WORDS)}
    return {part: tex[span.start : span.end].strip() for part, span in spans.items() if span}


def with_part(tex: str, part: str, text: str) -> str:
    """The paper with another text of one part; ValueError if it has no such part."""
    span = part_span(tex, part)
    if span is None:
        raise ValueError(f"the paper has no {part}")
    new = text.strip() if part == "title" else f"\n{text.strip()}\n" if part == ABSTRACT else f"{text.strip()}\n"
    return tex[: span.start] + new + tex[span.end :]


def place_of(tex: str, line: int) -> tuple[str, int] | None:
    """The part on whose text this line lies, and its number there, from 1."""
    for part in ("title", ABSTRACT, *WORDS):
        span = part_span(tex, part)
        if span and (first := first_line(tex, part)) <= line <= tex.count("\n", 0, span.end) + 1:
            return part, line - first + 1
    return None


def first_line(tex: str, part: str) -> int:
    """The number of the line on which the text of a part begins."""
    span = part_span(tex, part)
    return tex.count("\n", 0, span.start) + 1 if span else 1


def told(reply: str, part: str) -> Mapping[str, str] | str:
    """The parts that a reply gives; or a sentence that says why it gives none.

    One fenced block of LaTeX, without the heading. A title comes as \\title{…}, alone or before the abstract.
    """
    blocks = _FENCED.findall(reply)
    if len(blocks) != 1:
        found = "no block" if not blocks else f"{len(blocks)} blocks"
        return f"the reply holds {found} of LaTeX between ``` fences; give exactly one, with the whole text"
    text: str = blocks[0]
    if not text.strip():
        return "the block is empty"
    found_parts: dict[str, str] = {}
    span = title_span(text)
    if span and part in ("title", ABSTRACT):
        found_parts["title"] = text[span.start : span.end]
        text = text[: span.start - len("\\title{")] + text[span.end + 1 :]
    if part == "title":
        return found_parts or r"the title has to come as \title{…}"
    inner = _ABSTRACT.search(text)
    text = inner[2] if inner and part == ABSTRACT else text
    heading = _HEADING.search(text)
    if heading and heading[1].strip().lower().startswith(WORDS.get(part, ())):
        text = _LABEL.sub("", text[heading.end() :], count=1)
    if stray := _HEADING.search(text) or re.search(
        r"\\(documentclass|begin\{document\}|end\{document\}|maketitle)", text
    ):
        return f"`{stray[0].strip()}` does not belong into the text of this part; use \\subsection where it has to be divided"
    return {**found_parts, part: text} if text.strip() else "the block holds no text of this part"
