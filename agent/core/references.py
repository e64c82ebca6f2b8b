r"""Where a text refers to facts: `\fact{run_3.core.mse}` and its siblings, with their arguments and positions. Pure, and never fails.

    references(text)               of notes: every one
    references(text, latex=True)   of LaTeX: not in comments, \verb or verbatim environments, nor where a macro is only named: {\fact}

A reference that lacks an argument is there all the same, with `problem`. Braces in arguments may be nested; an escaped one
(`\{`) is a character. Limit: a macro that a document defines around these (`\newcommand{\kl}[1]{\fact{#1.core.kl}}`) is not expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

ARITY = {
    "fact": 1,
    "factpm": 1,
    "factci": 1,
    "factsd": 1,
    "factn": 1,
    "factverdict": 2,
    "factdiff": 3,
    "factpct": 3,
    "factp": 3,
    "factconf": 1,
    "factstudy": 1,
    "facttable": 2,
    "lit": 2,
}
_TOKEN = re.compile(r"\\([A-Za-z]+|.)|(%)", re.DOTALL)
_LITERALLY = ("verbatim", "verbatim*", "lstlisting", "comment", "filecontents", "filecontents*")


@dataclass(frozen=True)
class Reference:
    macro: str
    arguments: tuple[str, ...]
    start: int  # text[start:end] is the reference as it is written
    end: int
    line: int  # both from 1
    column: int
    problem: str = ""

    @property
    def written(self) -> str:
        return f"\\{self.macro}" + "".join(f"{{{argument}}}" for argument in self.arguments)


def references(text: str, latex: bool = False) -> list[Reference]:
    return list(_found(text, latex))


def _found(text: str, latex: bool) -> Iterator[Reference]:
    at, line, line_start = 0, 1, 0
    while token := _TOKEN.search(text, at):
        at = token.end()
        name = token[1]
        if token[2]:
            at = _line_end(text, at) if latex else at
        elif name in ARITY and not (latex and _only_named(text, token)):
            arguments, at = _arguments(text, at, ARITY[name], latex)
            line += text.count("\n", line_start, token.start())
            line_start = token.start()
            column = token.start() - text.rfind("\n", 0, token.start())
            yield Reference(name, arguments, token.start(), at, line, column, _problem(name, arguments))
        elif latex and name in ("verb", "begin"):
            at = _after_literal(text, at, name)


def _problem(name: str, arguments: tuple[str, ...]) -> str:
    wanted = ARITY[name]
    if len(arguments) == wanted:
        return ""
    return f"\\{name} needs {wanted} argument{'s' if wanted > 1 else ''} in braces, and has {len(arguments)}"


def _arguments(text: str, at: int, wanted: int, latex: bool) -> tuple[tuple[str, ...], int]:
    """As many as are whole, and where the last one ends."""
    found: list[str] = []
    while len(found) < wanted:
        start = _after_space(text, at)
        end = _closing(text, start, latex) if text[start : start + 1] == "{" else -1
        if end < 0:
            break
        inside = text[start + 1 : end]
        found.append(re.sub(r"\s+", " ", _without_comments(inside) if latex else inside))
        at = end + 1
    return tuple(found), at


def _after_space(text: str, at: int) -> int:
    """Past spaces and at most one end of line, as TeX does it."""
    space = re.compile(r"[ \t]*(\n[ \t]*)?").match(text, at)
    return space.end() if space else at


def _closing(text: str, opening: int, latex: bool) -> int:
    """Where the brace that is opened here is closed; -1 if it is not."""
    depth = 0
    at = opening
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif character == "%" and latex:
            at = _line_end(text, at) - 1
        elif character in "{}":
            depth += 1 if character == "{" else -1
            if not depth:
                return at
        at += 1
    return -1


def _without_comments(argument: str) -> str:
    return re.sub(r"(\\.)|%[^\n]*\n?[ \t]*", lambda found: found[1] or "", argument, flags=re.DOTALL)


def _only_named(text: str, token: re.Match[str]) -> bool:
    r"""`{\fact}`: a macro that is defined or spoken of."""
    return text[: token.start()].endswith("{") and text[token.end() : token.end() + 1] == "}"


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _after_literal(text: str, at: int, name: str) -> int:
    r"""Past what stands as it is: to the second delimiter of \verb, to the end of a verbatim environment."""
    if name == "verb":
        start = at + (text[at : at + 1] == "*")
        end = text.find(text[start], start + 1, _line_end(text, start)) if start < len(text) else -1
        return end + 1 if end >= 0 else at
    opened = re.compile(r"\s*\{([A-Za-z]+\*?)\}").match(text, at)
    if not opened or opened[1] not in _LITERALLY:
        return at
    end = text.find(f"\\end{{{opened[1]}}}", opened.end())
    return end if end >= 0 else len(text)
