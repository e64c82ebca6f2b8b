"""Where quoted lines stand in a file, and how lines of the quoting text become lines of that file.

`levels(lines, wanted)` yields, from strict to tolerant, all places where the wanted lines stand:

    exact            every line is the same (line endings never count: a reader does not see them)
    trailing blanks  the same but for blanks at the ends of lines
    indentation      the same but for one shift, the same for all lines
    tabs             the same once tabs are read as 4, 8 or 2 columns; in doubt about the width there are several fits

Nothing here is fuzzy: a place is found only if every line has the same text in the same order. A `Fit` says how a new
line is to be written at such a place; it answers None rather than guess. Time is linear in file and quote for all but
contrived input, and bounded by `MANY` places for that.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BLANKS = " \t\r\f\v"
MANY = 50  # places listed at a level; a quote with that many is ambiguous whatever else it has
ALIGN_LINES = 300  # blocks up to this size are aligned line by line, larger ones only at both ends


@dataclass(frozen=True)
class Lines:
    """A file as lines, each with its own ending. The byte-order mark, if any, is kept apart."""

    texts: tuple[str, ...]
    endings: tuple[str, ...]
    mark: str = ""

    @staticmethod
    def read(text: str) -> Lines:
        mark = "\ufeff" if text.startswith("\ufeff") else ""
        parts = text[len(mark) :].split("\n")
        last = parts.pop()
        texts = [part[:-1] if part.endswith("\r") else part for part in parts]
        endings = ["\r\n" if part.endswith("\r") else "\n" for part in parts]
        if last:
            texts.append(last)
            endings.append("")
        return Lines(tuple(texts), tuple(endings), mark)

    def text(self) -> str:
        return self.mark + "".join(line + end for line, end in zip(self.texts, self.endings, strict=True))

    def common_ending(self) -> str:
        counted = Counter(end for end in self.endings if end)
        return counted.most_common(1)[0][0] if counted else "\n"

    def with_lines(self, start: int, stop: int, new: Sequence[str], kept: Sequence[int | None]) -> Lines:
        """`new` in place of the lines from `start` to `stop`; `kept` says which old line a new one is or stands for.

        A line keeps the ending of the line it stands for; an added one ends like the line before it.
        """
        here = next((end for end in self.endings[start:stop] if end), self.common_ending())
        endings: list[str] = []
        for old in kept:
            here = (self.endings[old] if old is not None else "") or here
            endings.append(here)
        if stop > start and not self.endings[stop - 1] and endings:
            endings[-1] = ""  # the file did not end with a line break, and still does not
        return Lines(
            (*self.texts[:start], *new, *self.texts[stop:]),
            (*self.endings[:start], *endings, *self.endings[stop:]),
            self.mark,
        )


def split_quote(text: str) -> tuple[str, ...]:
    """The lines of a SEARCH or REPLACE text; a last line without a line break counts as a line."""
    return Lines.read(text).texts


@dataclass(frozen=True)
class Fit:
    """How a line of the quoting text is written in the file."""

    trim: bool = False  # the quote has trailing blanks that the file has not
    add: str = ""  # indentation the quote lacks
    drop: str = ""  # indentation the quote has too much
    width: int = 0  # columns of a tab, where tabs and blanks differ; then `columns` is the shift
    columns: int = 0
    tabs: bool = False  # the file indents with tabs here

    @property
    def shifts(self) -> bool:
        return bool(self.add or self.drop or self.columns)

    def line(self, text: str) -> str | None:
        if self == Fit():
            return text
        if self.trim:
            text = text.rstrip(BLANKS)
        if not text.strip(BLANKS):
            return "" if self.shifts or self.width else text
        if self.width:
            return self._in_columns(text)
        return self.add + text[len(self.drop) :] if text.startswith(self.drop) else None

    def _in_columns(self, text: str) -> str | None:
        at = indent_columns(text, self.width) + self.columns
        if at < 0:
            return None
        blanks = "\t" * (at // self.width) + " " * (at % self.width) if self.tabs else " " * at
        return blanks + text.lstrip(BLANKS)


@dataclass(frozen=True)
class Match:
    start: int
    stop: int
    fit: Fit


def indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip(BLANKS))]


def indent_columns(text: str, width: int) -> int:
    return len(indent(text).expandtabs(width))


def occurrences(lines: Sequence[str], wanted: Sequence[str], limit: int) -> list[int]:
    """Line indices at which all of `wanted` stands, overlapping ones too. Searching one string is linear."""
    if not wanted or len(wanted) > len(lines):
        return []
    whole = "\n" + "\n".join(lines) + "\n"
    part = "\n" + "\n".join(wanted) + "\n"
    found: list[int] = []
    at, counted, number = whole.find(part), 0, 0
    while at >= 0 and len(found) < limit:
        number += whole.count("\n", counted, at)
        counted = at
        found.append(number)
        at = whole.find(part, at + 1)
    return found


LEVELS = ("exact", "trailing blanks", "indentation", "tabs")


def levels(lines: Sequence[str], wanted: Sequence[str]) -> Iterator[list[Match]]:
    """All places at each level of `LEVELS`, in that order."""
    if not any(line.strip(BLANKS) for line in wanted):
        yield from ([] for _ in LEVELS)
        return
    size = len(wanted)
    yield [Match(i, i + size, Fit()) for i in occurrences(lines, wanted, MANY)]
    trimmed = [line.rstrip(BLANKS) for line in wanted]
    file_trimmed = [line.rstrip(BLANKS) for line in lines]
    yield [Match(i, i + size, Fit(trim=_trims(lines, wanted, i))) for i in occurrences(file_trimmed, trimmed, MANY)]
    # All of them: of many places with these words perhaps only the last has the indentation.
    bare_file, bare_wanted = ([line.lstrip(BLANKS) for line in some] for some in (file_trimmed, trimmed))
    bare = occurrences(bare_file, bare_wanted, len(lines))
    yield _shifted(lines, wanted, bare)
    yield _in_columns(lines, wanted, bare)


def _pairs(lines: Sequence[str], wanted: Sequence[str], start: int) -> list[tuple[str, str]]:
    """Indentations in the file and in the quote of all lines that are not blank."""
    here = lines[start : start + len(wanted)]
    return [(indent(f), indent(w)) for f, w in zip(here, wanted, strict=True) if w.strip(BLANKS)]


def _trims(lines: Sequence[str], wanted: Sequence[str], start: int) -> bool:
    """Does the quote have trailing blanks where the file has none? Then its other lines have too many as well."""
    here = lines[start : start + len(wanted)]
    return any(f == f.rstrip(BLANKS) and w != w.rstrip(BLANKS) for f, w in zip(here, wanted, strict=True))


def _shifted(lines: Sequence[str], wanted: Sequence[str], starts: Sequence[int]) -> list[Match]:
    matches = []
    for start in starts:
        shift = _one_shift(_pairs(lines, wanted, start))
        if shift is not None:
            fit = Fit(_trims(lines, wanted, start), *shift)
            matches.append(Match(start, start + len(wanted), fit))
        if len(matches) == MANY:
            break
    return matches


def _one_shift(pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """(what to add, what to drop) if it is the same for all lines."""
    in_file, in_quote = pairs[0]
    if in_file.endswith(in_quote):
        add, drop = in_file[: len(in_file) - len(in_quote)], ""
    elif in_quote.endswith(in_file):
        add, drop = "", in_quote[: len(in_quote) - len(in_file)]
    else:
        return None
    same = all(add + quote == drop + file for file, quote in pairs)
    return (add, drop) if same else None


def _in_columns(lines: Sequence[str], wanted: Sequence[str], starts: Sequence[int]) -> list[Match]:
    """Places where tabs on one side are blanks on the other: without a shift, else with any width that is possible."""
    matches = []
    for start in starts:
        pairs = _pairs(lines, wanted, start)
        if not any("\t" in a + b for a, b in pairs):
            continue
        tabs = any("\t" in in_file for in_file, _ in pairs)
        trim = _trims(lines, wanted, start)
        for width in (4, 8, 2):
            shifts = {len(f.expandtabs(width)) - len(q.expandtabs(width)) for f, q in pairs}
            if len(shifts) == 1:
                fit = Fit(trim, width=width, columns=shifts.pop(), tabs=tabs)
                matches.append(Match(start, start + len(wanted), fit))
    unshifted = [match for match in matches if not match.fit.columns]
    return unshifted or matches


def aligned(search: Sequence[str], replace: Sequence[str], exactly: bool) -> list[tuple[int | None, bool]]:
    """For each line of `replace`: the line of `search` that it is (True) or stands in for (False), or None.

    Lines that both have are the same line of the file, so that the file's own bytes can be kept for them.
    """
    old = list(search) if exactly else [line.rstrip(BLANKS) for line in search]
    new = list(replace) if exactly else [line.rstrip(BLANKS) for line in replace]
    result: list[tuple[int | None, bool]] = []
    for tag, i, i_end, j, j_end in _opcodes(old, new):
        if tag == "equal":
            result += [(i + k, True) for k in range(j_end - j)]
        else:
            result += [(i + k if i + k < i_end else None, False) for k in range(j_end - j)]
    return result


def _opcodes(old: list[str], new: list[str]) -> list[tuple[str, int, int, int, int]]:
    if len(old) <= ALIGN_LINES and len(new) <= ALIGN_LINES:
        return list(difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
    most = min(len(old), len(new))
    head = next((k for k in range(most) if old[k] != new[k]), most)
    rest = most - head
    tail = next((k for k in range(rest) if old[-1 - k] != new[-1 - k]), rest)
    return [
        ("equal", 0, head, 0, head),
        ("replace", head, len(old) - tail, head, len(new) - tail),
        ("equal", len(old) - tail, len(old), len(new) - tail, len(new)),
    ]


# ---- nearest lines: for messages only ------------------------------------------------------------------------------

WORD = re.compile(r"\w+")


def nearest(lines: Sequence[str], wanted: Sequence[str]) -> int | None:
    """Where the file looks most like the quote: every quoted line votes for the place it would have there."""
    votes: Counter[int] = Counter()
    where: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        where.setdefault(line.strip(BLANKS), []).append(number)
    for offset, line in enumerate(wanted[:200]):
        there = where.get(line.strip(BLANKS), [])
        if line.strip(BLANKS) and len(there) <= 20:
            votes.update({number - offset: 10.0 / len(there) for number in there})
    for offset, line in _telling(wanted):
        for number, share in _most_alike(lines, line):
            votes.update({number - offset: 10.0 * share})
    if not votes:
        return None
    best = max(votes.values())
    return max(0, min(start for start, count in votes.items() if count == best))


def _telling(wanted: Sequence[str]) -> list[tuple[int, str]]:
    """The few lines that say most about the place: the longest of the first two hundred."""
    return sorted(enumerate(wanted[:200]), key=lambda pair: -len(pair[1]))[:3]


def _most_alike(lines: Sequence[str], line: str) -> list[tuple[int, float]]:
    words = set(WORD.findall(line[:400]))
    if not words:
        return []
    shares = []
    for number, other in enumerate(lines[:20_000]):
        there = set(WORD.findall(other[:400]))
        common = len(words & there)
        if common:
            shares.append((common / len(words | there), number))
    return [(number, share) for share, number in sorted(shares, reverse=True)[:5] if share >= 0.3]
