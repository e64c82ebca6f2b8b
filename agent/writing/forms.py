"""What is wrong in a paper whatever its data: names that point nowhere or twice, and what was left to be written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from agent.core.latex_names import CITING, REFERRING
from agent.core.latex_paper import Paper
from agent.core.text import did_you_mean, listed, shorten
from agent.writing.known import Known

Found = Iterator[tuple[int, str, str]]  # where in the source, what, what would pass

_PLACEHOLDERS = (
    r"(?-i:\b(?:TODO|FIXME|TBD|TBA)\b)",
    r"(?-i:\bX{2,}(?:\.X+)?\b|\bX\.X+\b)",
    r"\?\?+",
    r"\blorem\s+ipsum\b",
    r"(?-i:\b[A-Z]{3,}(?:\s+[A-Z]{3,})*\s+HERE\b)",
    r"\[(?:insert|your|to\s+be|citation|placeholder|fill|add)\b[^\]]*\]",
    r"\((?:to\s+be\s+(?:filled|written|added|done|completed)|placeholder)\b[^)]*\)",
    r"<(?:insert|your|method|model|name|title|number|value|dataset|author)\b[^<>]*>",
    r"\[(?:figure|table|section|equation|ref\w*)\s*(?:X+|N|\?+)\]",
    r"\byour\s+\w+\s+here\b",
    r"\bplaceholder\s+(?:text|figure|value)\b",
)
_PLACEHOLDER = re.compile("|".join(f"(?:{pattern})" for pattern in _PLACEHOLDERS), re.IGNORECASE)
_HTML = re.compile(r"</?(?:[a-z]+\d?)\s*/?>", re.IGNORECASE)
_MARKDOWN = re.compile(r"\*\*[^*\n]+\*\*|```\w*|^\#{1,4} ", re.MULTILINE)
_IMAGES = ("", ".pdf", ".png", ".jpg", ".jpeg")


def placeholders(paper: Paper, known: Known) -> Found:
    fix = "write it, or take it out"
    for use in paper.uses:
        if use.name == "placeholder":
            yield use.at, f"a placeholder is left: [{shorten(' '.join(use.words), 60)}]", fix
    for found in _PLACEHOLDER.finditer(paper.text):
        yield paper.place(found.start()), f"a placeholder is left: {shorten(found.group(), 60)}", fix


def html(paper: Paper, known: Known) -> Found:
    left = [one for one in _HTML.finditer(paper.text) if not _PLACEHOLDER.fullmatch(one.group())]
    for found in left:
        yield paper.place(found.start()), f"{found.group()} is HTML, not LaTeX", "take it out"
    for found in _MARKDOWN.finditer(paper.text):
        yield (
            paper.place(found.start()),
            f"{shorten(found.group(), 40)} is Markdown, not LaTeX",
            "write \\textbf{…} or take it out",
        )


def citations(paper: Paper, known: Known) -> Found:
    for at, key in _keys(paper, lambda name: bool(CITING.fullmatch(name))):
        if known.citations is not None and key not in known.citations and key != "*":
            yield at, f"references.bib has no {key}{_guess(key, known.citations)}", "cite only what references.bib has"


def figures(paper: Paper, known: Known) -> Found:
    for use in paper.uses:
        if use.name == "includegraphics" and use.words:
            name = PurePosixPath(use.words[0].strip()).name
            if not any(f"{name}{suffix}" in known.figures for suffix in _IMAGES):
                there = listed(sorted(known.figures), 8) or "none"
                yield use.at, f"there is no figure {name}", f"figures that exist: {there}"


def labels(paper: Paper, known: Known) -> Found:
    seen: dict[str, int] = {}
    for at, label in _keys(paper, lambda name: name == "label", split=False):
        if label in seen:
            yield (
                at,
                f"label {label} is defined twice (first in line {paper.line(seen[label])})",
                "give each its own name",
            )
        seen.setdefault(label, at)


def references(paper: Paper, known: Known) -> Found:
    defined = {label for _, label in _keys(paper, lambda name: name == "label", split=False)}
    for at, label in _keys(paper, lambda name: name in REFERRING):
        if label not in defined:
            yield at, f"there is no label {label}{_guess(label, defined)}", "refer to a label that exists"


def headers(paper: Paper, known: Known) -> Found:
    seen: dict[tuple[str, str], int] = {}
    above = ""
    for heading in paper.headings:
        above = "" if heading.name == "section" else above
        name = " ".join(heading.title.lower().split())
        key = (above, name)
        if key in seen:
            yield (
                heading.at,
                f'heading "{heading.title}" stands twice (first in line {paper.line(seen[key])})',
                "merge the two",
            )
        seen.setdefault(key, heading.at)
        above = name if heading.name == "section" else above


def _keys(paper: Paper, wanted, split: bool = True) -> Iterator[tuple[int, str]]:  # type: ignore[no-untyped-def]
    for use in paper.uses:
        if wanted(use.name) and use.arguments:
            at, text = use.arguments[0]
            for key in re.finditer(r"[^,]+" if split else r".+", text, re.DOTALL):
                start = len(key.group()) - len(key.group().lstrip())
                yield at + key.start() + start, key.group().strip()


def _guess(word: str, known: frozenset[str] | set[str]) -> str:
    return did_you_mean(word, known) if len(known) > 8 or not known else did_you_mean(word, known).split(" (known")[0]
