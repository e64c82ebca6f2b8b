r"""The logs of pdfLaTeX (with -file-line-error) and BibTeX, read into short problems with file and line.

One mistake makes LaTeX report several errors: those that only follow are left out where that can be told (a second error
of a line, math closed for want of a $, …). A row of ERRORS turns one message into a sentence; an unknown one is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from agent.core.text import shorten
from agent.writing.log_table import ERRORS, FACTS, FOLLOWS, ON_ONE_LINE
from agent.writing.problem import Problem

TOO_WIDE = 15.0  # points that may stick out before it is told


@dataclass(frozen=True)
class _Error:
    """As the log has it. `context`: what had been read of the line; `runaway`: the argument that found no end."""

    file: str
    line: int
    message: str
    context: str = ""
    runaway: str = ""

    @property
    def last(self) -> str:
        """What stood directly before the place."""
        found = re.search(r"(\\[A-Za-z@]+|\S{1,30})\s*$", self.context)
        return found.group(1) if found else "this"


_HEAD = re.compile(r"^(?:(?:\./)?(?P<file>[^:\s()][^:()]*\.\w+):(?P<line>\d+): |! )(?P<what>.+)$")
_WARNINGS = (
    (
        "citation",
        re.compile(r"Citation [`'](.+?)'.* undefined on input line (\d+)"),
        "citation {} is not in the bibliography",
    ),
    ("reference", re.compile(r"Reference [`'](.+?)'.* undefined on input line (\d+)"), "there is no label {}"),
)


def problems(
    log: str, blg: str = "", sources: Mapping[str, str] | None = None, main: str = "paper.tex"
) -> tuple[Problem, ...]:
    """`sources`: the texts by file name, in which lines are looked up that the logs do not give."""
    texts = sources or {}
    lines = _unwrapped(log)
    found = [
        *_errors(lines, texts, main),
        *_open_groups(lines, main),
        *_warnings(lines, texts, main),
        *_bibtex(blg, texts, main),
    ]
    first: dict[tuple[str, str], Problem] = {}
    for one in found:
        first.setdefault((one.file, one.what), one)
    return tuple(first.values())


def _unwrapped(log: str) -> list[str]:
    """TeX breaks lines at 79 characters, unless it was told not to."""
    lines = log.splitlines()
    if any(len(line) > 80 for line in lines):
        return lines
    joined: list[str] = []
    for line in lines:
        if joined and len(joined[-1]) % 79 == 0 and joined[-1]:
            joined[-1] += line
        else:
            joined.append(line)
    return joined


# ---- errors


def _errors(lines: list[str], texts: Mapping[str, str], main: str) -> Iterator[Problem]:
    seen: set[tuple[str, int]] = set()
    unknown: set[str] = set()
    in_math = ended_early = told = False
    for error in _raw(lines, main):
        echo = in_math and error.message == "Missing $ inserted at a blank line"
        in_math = error.message == "Missing $ inserted" or (in_math and not echo)
        echo |= told and "$ inserted" in error.message and error.last.startswith("\\end")
        echo |= ended_early and error.message.startswith("Misplaced")
        ended_early |= error.message.startswith("Paragraph ended")
        again = (error.file, error.line) in seen and not error.message.removeprefix("LaTeX Error: ").startswith(
            ON_ONE_LINE
        )
        ended = re.search(r"ended by \\end\{(.+?)\}", error.message)
        if echo or again or (told and FOLLOWS.search(error.message)) or (ended and ended.group(1) in unknown):
            continue
        told = True
        seen.add((error.file, error.line))
        if made := re.search(r"Environment (.+) undefined", error.message):
            unknown.add(made.group(1))
        yield _problem(error, texts, main)


def _raw(lines: list[str], main: str) -> Iterator[_Error]:
    runaway = ""
    for number, line in enumerate(lines):
        if line.startswith("Runaway argument?") and number + 1 < len(lines):
            runaway = lines[number + 1]
        if not (head := _HEAD.match(line)):
            continue
        message = head["what"].rstrip(" .")
        after = lines[number + 1 : number + 14]
        stop = next((i for i, text in enumerate(after) if _HEAD.match(text)), len(after))
        place = next((m for text in after[:stop] if (m := re.match(r"l\.(\d+) ?(.*)", text))), None)
        if "Unicode character" in message and after:
            message += after[0]
        if message == "Missing $ inserted" and place and not place[2].strip():
            message += " at a blank line"
        given = int(head["line"] or (place[1] if place else 0))
        yield _Error(head["file"] or main, given, message, place[2] if place else "", runaway)
        runaway = ""


def _problem(error: _Error, texts: Mapping[str, str], main: str) -> Problem:
    message = error.message.removeprefix("LaTeX Error: ")
    if message.startswith(FACTS):
        name = message.removeprefix(FACTS).removeprefix("Unknown fact: ")
        return Problem(
            "fact", error.file, error.line, f"there is no fact {name}", "refer to a run and metric that were measured"
        )
    for pattern, what, fix in ERRORS:
        if found := re.search(pattern, message):
            return _told(error, found, what, fix, texts, main)
    return Problem("latex", error.file, error.line, shorten(message.rstrip("."), 120), "")


def _told(error: _Error, found: re.Match[str], what: str, fix: str, texts: Mapping[str, str], main: str) -> Problem:
    words = ["", *(group or "" for group in found.groups())]
    line, command = error.line, words[1] if len(words) > 1 else ""
    if "{command}" in what:
        line, command = _runaway(error, command, texts.get(main, ""))
    elif "is never closed" in what:
        line = int(words[2])
    elif error.message.startswith("LaTeX Error: File"):
        line = _line_of(re.escape(words[1].rpartition(".")[0]), texts.get(main, "")) or line
    character = chr(int(words[1], 16)) if "{character}" in what else ""
    values = {"last": error.last, "command": command, "character": character}
    return Problem("latex", error.file, line, what.format(*words, **values), fix.format(*words, **values))


def _runaway(error: _Error, command: str, text: str) -> tuple[int, str]:
    """Where the argument begins, and the command that the author wrote: the log may name one of LaTeX's own."""
    words = re.sub(r"\s+", " ", error.runaway).strip()[:24].rpartition(" ")[0] or error.runaway[:12].strip()
    pattern = r"\s+".join(map(re.escape, words.replace("\\par", "").split()))
    found = re.search(rf"(\\[A-Za-z]+\*?)[^\n\\{{}}]*(?:\{{[^{{}}]*\}})*\s*{pattern}", text) if pattern else None
    if error.line and not found:
        return error.line, command
    if found:
        at = text.count("\n", 0, found.start()) + 1
        return (error.line or at), (found.group(1) if "@" in command or not error.line else command)
    return error.line, command


def _open_groups(lines: list[str], main: str) -> Iterator[Problem]:
    for line in lines:
        if found := re.match(r"### (?:simple|semi simple) group \(level \d+\) entered at line (\d+)", line):
            yield Problem("latex", main, int(found[1]), "a { is never closed", "close it with }")


# ---- warnings


def _warnings(lines: list[str], texts: Mapping[str, str], main: str) -> Iterator[Problem]:
    for line, file in _in_files(lines, main):
        for kind, pattern, what in _WARNINGS:
            if found := pattern.search(line):
                yield Problem(kind, file, int(found[2]), what.format(found[1]))
        if found := re.search(r"Label [`'](.+?)' multiply defined", line):
            at = _line_of(rf"\\label\{{{re.escape(found[1])}\}}", texts.get(main, ""), last=True)
            yield Problem("label", main, at, f"label {found[1]} is defined twice", "give each its own name")
        found = re.match(r"Overfull \\hbox \(([\d.]+)pt too wide\).* (?:at lines?|lines) (\d+)(?:--(\d+))?", line)
        if found and float(found[1]) > TOO_WIDE:
            told = f"{float(found[1]):.0f} pt stick out into the margin"
            began = main if found[3] and int(found[3]) < int(found[2]) else file  # it went on in the next file
            yield Problem("layout", began, int(found[2]), told, "break the line, or make it smaller")
        if found := re.match(r"Missing character: There is no (\S+)", line):
            yield Problem("layout", main, 0, f"the character {found[1]} is not printed: the font lacks it", "")


def _in_files(lines: list[str], main: str) -> Iterator[tuple[str, str]]:
    """Each line with the file that was being read: TeX opens a parenthesis with a file's name and closes it after the file.

    The text of a box that is quoted may hold parentheses of its own, and is passed over; so are those of sentences.
    """
    opened: list[str] = []
    quoted = False
    for line in lines:
        quoted = line.startswith(("Overfull ", "Underfull ")) or (quoted and bool(line.strip()))
        files = [name for name in opened if name]
        yield line, files[-1] if files else main
        for found in _PARENTHESIS.finditer("" if quoted else line):
            if found[0] != ")":
                opened.append(found[1] or "")
            elif opened:
                opened.pop()


_PARENTHESIS = re.compile(r"\((?:\./)?([^\s():]+\.(?:tex|bbl|toc|lof|lot))(?=[\s)]|$)|\(|\)")


# ---- chktex


_STYLE = {
    "2": ("an ordinary space before a reference", "write ~"),
    "11": ("three dots", "write \\ldots"),
    "18": ('a straight quotation mark (")', "write ``…''"),
    "26": ("a space before punctuation", "take it out"),
    "35": ("a function's name in italics", "write it as a command, such as \\sin"),
    "36": ("no space before an opening parenthesis, or one behind it", "put it in order"),
    "37": ("a space inside of a parenthesis", "take it out"),
}


def style(said: str, main: str = "paper.tex") -> tuple[Problem, ...]:
    """What chktex says that is worth a writer's time, each once a line."""
    rows = dict.fromkeys(tuple(line.split("\t")[:2]) for line in said.splitlines() if line.count("\t") >= 2)
    return tuple(
        Problem("style", main, int(row[0]), *_STYLE[row[1]]) for row in rows if row[1] in _STYLE and row[0].isdecimal()
    )


# ---- BibTeX


_BIBTEX: tuple[tuple[str, str], ...] = (
    (r"I was expecting a `,' or a `}'", "a comma or a }} is missing here or in the line before"),
    (r"Repeated entry", "{entry} stands twice in the bibliography"),
    (r"I was expecting an? (.+)$", "{1} is missing here"),
    (r"Illegal end of database file|end of file", "an entry is not closed"),
)


def _bibtex(blg: str, texts: Mapping[str, str], main: str) -> Iterator[Problem]:
    lines = blg.splitlines()
    for number, line in enumerate(lines):
        if found := re.match(r'Warning--I didn\'t find a database entry for "(.+)"', line):
            at = _line_of(rf"cite\w*(?:\[[^]]*\])*\{{[^}}]*{re.escape(found[1])}", texts.get(main, ""))
            yield Problem("citation", main, at, f"citation {found[1]} is not in the bibliography")
        elif found := re.match(r"I couldn't open (database|style) file (\S+)", line):
            command = "bibliographystyle" if found[1] == "style" else "bibliography"
            at = _line_of(rf"\\{command}\{{", texts.get(main, ""))
            yield Problem("latex", main, at, f"there is no file {found[2]}", "name one that exists")
        elif found := re.match(r"(.+)---line (\d+) of file (\S+\.bib)", line):
            yield Problem(
                "latex", found[3], int(found[2]), _of_entry(found[1], " ".join(lines[number + 1 : number + 2]))
            )


def _of_entry(message: str, after: str) -> str:
    entry = re.search(r"@\w+\s*[{(]\s*([^,\s}]+)", after)
    for pattern, what in _BIBTEX:
        if found := re.search(pattern, message):
            return what.format("", *found.groups(), entry=entry[1] if entry else "an entry")
    return shorten(message, 120)


def _line_of(pattern: str, text: str, last: bool = False) -> int:
    found = list(re.finditer(pattern, text))
    return text.count("\n", 0, found[-1 if last else 0].start()) + 1 if found else 0
