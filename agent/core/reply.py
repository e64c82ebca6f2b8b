"""What a reply says besides its blocks: the control words on lines of their own, and its first sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent.core.text import shorten

_OPENS = re.compile(r"^\s*<{5,9}\s*SEARCH")
_CLOSES = re.compile(r"^\s*>{5,9}\s*REPLACE")
_FENCE = re.compile(r"^\s*(```|~~~)")
_BASE = re.compile(r"^[^\w\n]*BASE:[^\w\n]*(?:run[_ ]?)?([A-Za-z0-9_]+)[^\w\n]*$", re.MULTILINE | re.IGNORECASE)
_DONE = re.compile(r"^[^\w\n]*ALL_COMPLETED[^\w\n]*$", re.MULTILINE)


_REQUEST = re.compile(r"^[^\w\n]*REQUEST:[ \t]*(\S.*)$", re.MULTILINE)
_REPLICATE = re.compile(
    r"^[^\w\n]*REPLICATE:[^\w\n]*(?:run[_ ]?)?(\d{1,4})(?:[^\w\n]+seeds[^\w\n]*(\d{1,4}))?[^\w\n]*$",
    re.MULTILINE | re.IGNORECASE,
)
_MOST_REQUESTS, _LONGEST_REQUEST = 5, 500


_THOUGHTS = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>\s*", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Words:
    completed: bool
    base: str
    summary: str
    requests: tuple[str, ...] = ()  # what only a person can do
    replicate: tuple[str, int] | None = None  # a run, and how many more seeds of it (0: not said)


def words(reply: str) -> Words:
    prose = outside_blocks(reply)
    base = _BASE.findall(prose)
    more = _REPLICATE.findall(prose)
    asked = [shorten(text.strip(" *_`"), _LONGEST_REQUEST) for text in _REQUEST.findall(prose)[:_MOST_REQUESTS]]
    return Words(
        completed=bool(_DONE.search(prose)),
        base=f"run_{base[-1].lower()}" if base else "",
        summary=_summary(prose),
        requests=tuple(filter(None, asked)),
        replicate=(f"run_{more[-1][0]}", int(more[-1][1] or 0)) if more else None,
    )


def without_thoughts(reply: str) -> str:
    """The reply without the thoughts that some models put before it; blocks in there are drafts."""
    return _THOUGHTS.sub("", reply, count=1)


def outside_blocks(reply: str) -> str:
    """The reply without what stands between SEARCH and REPLACE markers."""
    kept: list[str] = []
    inside = False
    for line in reply.splitlines():
        if _OPENS.match(line):
            inside = True
        elif _CLOSES.match(line):
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def prose(reply: str) -> str:
    """What is said in words: without blocks, their fences and the names of their files."""
    lines = outside_blocks(reply).splitlines()
    fences = [number for number, line in enumerate(lines) if _FENCE.match(line)]
    names = {number - 1 for number in fences if number and len(lines[number - 1].split()) == 1}
    return "\n".join(line for number, line in enumerate(lines) if number not in names and number not in fences)


def _summary(prose: str) -> str:
    """The first line that is a sentence: no heading, code, control word or file name."""
    fenced = False
    for line in prose.splitlines():
        fenced ^= bool(_FENCE.match(line))
        text = line.strip().strip("*_").strip()
        sentence = len(text.split()) >= 3 or text.endswith((".", "!", "?"))
        if (
            sentence
            and not fenced
            and not text.startswith(("#", "`", "BASE:", "ALL_COMPLETED", "REQUEST:", "REPLICATE:", "<", "|"))
        ):
            return shorten(text, 72)
    return ""
