r"""Where a few words can be put into a LaTeX text without breaking it: `ends(paper)`, places right behind what is printed.

Only where plain text stands: in the document, in none of the groups but those of commands that print what they get
(\emph{…}), in none of the environments but those that hold text, and in a table whose columns take any text (an S column
reads numbers, a D column is math). Behind inline math, a citation, a reference and a fact, too. Not behind the first word
after a command that was given no {…}, which may be its argument, and not in a line with TeX's own words (\vskip 3pt plus …,
\ifnum). When in doubt, nowhere. Limits: those of core.latex_text; what a paper defines itself is an unknown command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent.core.latex_names import CITING, REFERRING, is_fact
from agent.core.latex_paper import Paper, Use

_PRINTING = ("emph", "textbf", "textit", "textsl", "texttt", "textsf", "textcolor", "underline", "footnote", "resizebox",
             "scalebox")  # fmt: skip
_HARMLESS = ("item", "noindent", "par", "centering", "small", "footnotesize", "toprule", "midrule", "bottomrule", "hline")  # fmt: skip
_HOLDING = ("abstract", "itemize", "enumerate", "description", "quote", "quotation", "center", "flushleft", "flushright", "minipage",
            "figure", "figure*", "table", "table*", "theorem", "lemma", "proposition", "corollary", "definition", "remark", "proof",
            "small", "footnotesize", "multicols", "appendix", "acknowledgments")  # fmt: skip
_BEGIN = re.compile(r"\\begin\{([^{}]*)\}")
_COLUMNS = re.compile(
    r"\\begin\{(?:tabular|longtable|tabular[x*]\}\s*\{[^{}]*)\}\s*(?:\[\w\]\s*)?"
    r"\{(?:[lcrX|\s]|[pmb]\{[^{}]*\}|@\{[^{}]*\}|\*\{\d+\}\{[lcr|\s]*\})*\}"
)
_TEX = re.compile(
    r"^[^\n]*\\(?:[hv]box|vtop|advance|multiply|divide|if[A-Za-z]*|else|fi|loop|repeat|catcode|let|expandafter|csname|[hv]skip|"
    r"kern|m?skip|raise|lower|move(?:left|right)|(?:upper|lower)case|char|count|dimen|hsize|vsize|hrule|vrule)(?![A-Za-z])[^\n]*",
    re.MULTILINE,
)
_FIRST_WORD = re.compile(r"[ \t]*\n?[ \t]*(?![{\\])\S+")
_OPTION = re.compile(r"\s*\[(?:[^\[\]{}]|\{[^{}]*\})*\]|\s*\[[^\n]*")
_CLOSING = ".,;:!?)'"
_BEHIND = re.compile(r"[\s~&}%]|\\\\|\Z")


def ends(paper: Paper) -> tuple[int, ...]:
    """In their order. What is put there stands behind the word, its punctuation, or the piece that ends there."""
    source, blocked = paper.source, bytearray(len(paper.source) + 1)
    for begin, end in _unsafe(paper):
        blocked[begin:end] = b"\1" * (end - begin)
    found = {end for begin, end in paper.maths if not blocked[begin] and _inline(source, begin, end)}
    found |= {use.end for use in paper.uses if not blocked[use.at] and _pointing(use)}
    for begin, end in paper.maths:
        blocked[begin:end] = b"\1" * (end - begin)
    for char, at in zip(paper.text, paper.places, strict=True):
        length = _printed(source, char, at)
        if length and not blocked[at]:
            found.add(at + length)
    return tuple(sorted(end for end in found if _BEHIND.match(source, end)))


def _printed(source: str, char: str, at: int) -> int:
    """How long in the source a character is behind which a word can end; 0: it is no such character."""
    if source[at] == char:
        return int(char.isalnum() or char in _CLOSING)
    return 2 * (char == "%" and source.startswith("\\%", at))


def _pointing(use: Use) -> bool:
    named = CITING.fullmatch(use.name) or use.name in REFERRING or is_fact(use.name)
    return bool(named and use.arguments) and use.name != "facttable"


def _inline(source: str, begin: int, end: int) -> bool:
    opened, closed = source[begin : begin + 2], source[begin:end]
    return (opened == "\\(" and closed.endswith("\\)")) or (
        opened[:1] == "$" and opened != "$$" and closed.endswith("$")
    )


def _unsafe(paper: Paper) -> Iterator[tuple[int, int]]:
    source, opening = paper.source, {use.end: use.name for use in paper.uses}
    for begin, end in paper.groups:
        if opening.get(len(source[:begin].rstrip())) not in _PRINTING:
            yield begin, end
    for begin, end in paper.floats:
        name = _BEGIN.match(source, begin)
        if not (name and name[1] in _HOLDING) and not _COLUMNS.match(source, begin):
            yield begin, end
    for use in paper.uses:
        word = _FIRST_WORD if use.name not in _HARMLESS and not use.arguments else _OPTION
        if found := word.match(source, use.end):
            yield found.span()
    yield from (found.span() for found in _TEX.finditer(source))
