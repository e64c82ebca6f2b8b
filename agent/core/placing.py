"""One block in one file: finds its place, writes the replacement there, or says why not.

The readings go from strict to loose and the first that finds the quote at all decides; it must find one place.
A place that is found is refused all the same when the replacement cannot be written there without guessing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.core.matching import BLANKS, LEVELS, MANY, Fit, Lines, Match, aligned, indent, levels, occurrences
from agent.core.readings import (
    DOTS,
    LAZY,
    breaks_at_marking,
    chains,
    common_step,
    is_marking,
    is_no_ellipsis_body,
    is_python,
    misindented,
    segments,
    shifts_alike,
    unwrapped,
)

SHIFTING = ("indentation", "tabs")
PLACES_SHOWN = 8
LINES_SHOWN = 12
COLUMNS_SHOWN = 160


@dataclass(frozen=True)
class New:
    """A block's effect."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Refusal:
    message: str
    already: bool = False  # refused because the file has it


NOT_FOUND = Refusal("")  # its message is written by `_not_found`, which looks further


@dataclass(frozen=True)
class Place:
    """A block and the file it is for."""

    name: str
    file: Lines
    search: tuple[str, ...]
    replace: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return self.file.texts

    def edited(self) -> New | Refusal:
        elided = self.elision_left()
        if elided:
            return Refusal(elided)
        readings = unwrapped(self.search, self.replace, self.name)
        for number, (search, replacement) in enumerate(readings):
            result = replace(self, search=search, replace=replacement).whole(around=number > 0)
            if result is not NOT_FOUND:
                return result
        return self.with_dots() or self.broken_off()

    def whole(self, around: bool) -> New | Refusal:
        """The quote as consecutive lines, from the strictest level on."""
        for level, matches in zip(LEVELS, levels(self.lines, self.search), strict=True):
            if not matches:
                continue
            starts = sorted({match.start for match in matches})
            if len(starts) > 1:
                return Refusal(self.several(starts, len(self.search), level))
            tolerant = around or level != "exact"
            if self.search == self.replace:
                return New(self.file.text(), "changes nothing: SEARCH and REPLACE are the same")
            if level in SHIFTING and (there := self.standing(self.replace, outside=matches[0])) is not None:
                return Refusal(self.already(there), already=True)  # else an edit that is done would be done elsewhere
            note = f"was matched by tolerating differences in {level if level != 'exact' else 'the lines around it'}"
            return self.agreed(matches, note if tolerant else "")
        return NOT_FOUND

    def agreed(self, matches: Sequence[Match], note: str) -> New | Refusal:
        """All fits of the one place must come to the same text."""
        results = [self.put((match,), (self.search,), (self.replace,)) for match in matches]
        for result in results:
            if isinstance(result, Refusal):
                return result
        texts = {result.text() for result in results if isinstance(result, Lines)}
        if len(texts) > 1:
            return Refusal(
                f"the SEARCH text stands in `{self.name}` at {at_lines(matches[0])}, but with tabs for blanks or the "
                "reverse, and the indentation of REPLACE can be read in several ways. Copy it from the file."
            )
        return New(texts.pop(), note)

    def put(
        self, matches: Sequence[Match], searches: Sequence[Sequence[str]], replacements: Sequence[Sequence[str]]
    ) -> Lines | Refusal:
        """The file with each match replaced; the last first, so that line numbers stay true."""
        file, fresh = self.file, False
        for match, search, new in reversed(list(zip(matches, searches, replacements, strict=True))):
            written = self.written(match, search, new)
            if isinstance(written, Refusal):
                return written
            texts, kept = written
            if self.covered(match, texts):
                return Refusal(self.already(self.covering(match, texts)), already=True)
            file = file.with_lines(match.start, match.stop, texts, kept)
            fresh = fresh or any(is_marking(line) for line in new)
        return self.checked(file, matches, replacements, fresh)

    def written(
        self, match: Match, search: Sequence[str], new: Sequence[str]
    ) -> tuple[list[str], list[int | None]] | Refusal:
        """The replacement as the file has it or would have it, and which old line each line stands for."""
        if match.fit.shifts and new and not shifts_alike(search, new):
            return Refusal(self.shifted_otherwise(match))
        texts: list[str] = []
        kept: list[int | None] = []
        for line, (old, same) in zip(new, aligned(search, new, match.fit == Fit()), strict=True):
            fitted = self.lines[match.start + old] if same and old is not None else match.fit.line(line)
            if fitted is None:
                return Refusal(self.shifted_otherwise(match))
            texts.append(fitted)
            kept.append(match.start + old if old is not None else None)
        return texts, kept

    def checked(
        self, file: Lines, matches: Sequence[Match], replacements: Sequence[Sequence[str]], fresh: bool
    ) -> Lines | Refusal:
        """Python only: a shift or a marker-like line must not break a file that the REPLACE as written would not."""
        if not self.name.endswith(".py"):
            return file
        if fresh and breaks_at_marking(file) and is_python(self.file.text()):
            return Refusal(
                "a line of ======= or a fence in REPLACE would become part of the code. Write one divider "
                "in each block, and fences only around it."
            )
        pairs = list(zip(matches, replacements, strict=True))
        if any(self.may_be_unshifted(*pair) for pair in pairs) and misindented(file.text()):
            literal = self.file
            for match, new in reversed(pairs):
                first = [match.fit.line(line) or "" for line in new[:1]]
                literal = literal.with_lines(match.start, match.stop, [*first, *new[1:]], [None] * len(new))
            if not misindented(literal.text()):
                return Refusal(self.shifted_otherwise(matches[0]))
        return self.in_own_blanks(file)

    def may_be_unshifted(self, match: Match, new: Sequence[str]) -> bool:
        """Only the first line lost its indentation, the others may have the file's."""
        quoted = {line.rstrip(BLANKS) for line in self.search[1:]}
        if quoted & {line.rstrip(BLANKS) for line in new[1:] if line.strip(BLANKS)}:
            return False  # a line of SEARCH is there again, with the indentation that it has in SEARCH
        rest = [len(indent(line)) for line in new[1:] if line.strip(BLANKS)]
        here = [len(indent(line)) for line in self.lines[match.start : match.stop] if line.strip(BLANKS)]
        return match.fit.shifts and bool(rest) and min(rest) == min(here)

    def in_own_blanks(self, file: Lines) -> Lines:
        """What a REPLACE indents with tabs in a file of blanks, or the reverse, is indented as the file is."""
        before, after = ({line[:1] for line in lines if line[:1] in (" ", "\t")} for lines in (self.lines, file.texts))
        if len(before) != 1 or before == after or not is_python(self.file.text()):
            return file
        if before == {" "}:
            unit = common_step(self.lines)
            texts = [indent(line).expandtabs(unit) + line.lstrip(BLANKS) for line in file.texts]
        else:
            texts = [re.sub(r"^(?: {4})+", lambda blanks: "\t" * (len(blanks[0]) // 4), line) for line in file.texts]
        return replace(file, texts=tuple(texts))

    # ---- readings other than consecutive lines -----------------------------------------------------------------------

    def with_dots(self) -> New | Refusal | None:
        """`...` lines stand for text that stays: the parts between them are found in order."""
        searches, replacements = segments(self.search), segments(self.replace)
        if len(searches) < 2 or not any(searches):
            return None
        if len(searches) != len(replacements):
            return Refusal(
                f"SEARCH elides text with `...` {len(searches) - 1} times, REPLACE {len(replacements) - 1} times, and "
                f"SEARCH does not stand in `{self.name}` as it is. Use as many in both, or quote the lines in full."
            )
        if any(new and not old for old, new in zip(searches, replacements, strict=True)):
            return Refusal("REPLACE has text beside a `...` where SEARCH has none: it is not certain where it goes.")
        parts = [(old, new) for old, new in zip(searches, replacements, strict=True) if old]
        return self.chained([old for old, _ in parts], [new for _, new in parts])

    def chained(self, searches: list[tuple[str, ...]], replacements: list[tuple[str, ...]]) -> New | Refusal | None:
        found = [list(levels(self.lines, part)) for part in searches]
        for level, name in enumerate(LEVELS):
            if any(len(matches[level]) >= MANY for matches in found):
                return Refusal(f"a part beside a `...` stands in `{self.name}` too often. Quote more of its lines.")
            ways = chains([matches[level] for matches in found])
            if not ways:
                continue
            if len(ways) > 1:
                first, other = ways[0], ways[1]
                return Refusal(
                    f"the parts between the `...` stand in `{self.name}` more than once, e.g. at "
                    f"{'; '.join(map(at_lines, first))} and at {'; '.join(map(at_lines, other))}. Quote more lines."
                )
            result = self.put(ways[0], searches, replacements)
            note = "elides text with `...`" + (f", tolerating differences in {name}" if level else "")
            return result if isinstance(result, Refusal) else New(result.text(), note)
        return None

    def broken_off(self) -> New | Refusal:
        """The last quoted line is only the beginning of the file's. Kept is the rest, if nothing else can be meant."""
        if not self.search[-1].strip() or not self.replace or self.standing(self.replace):
            return NOT_FOUND
        last, size = self.search[-1], len(self.search)
        starts = [
            at
            for at, line in enumerate(self.lines)
            if line.startswith(last) and at + 1 >= size and self.lines[at + 1 - size : at] == self.search[:-1]
        ]
        if not starts:
            return NOT_FOUND
        firsts = [at + 1 - size for at in starts]
        if len(starts) > 1:
            return Refusal(self.several(firsts, size, "the end of the last line"))
        tail = self.lines[starts[0]][len(last) :]
        going_on = [*self.replace[:-1], self.replace[-1] + tail]
        kept, dropped = (
            self.file.with_lines(firsts[0], starts[0] + 1, new, [None] * len(new)).text()
            for new in (going_on, self.replace)
        )
        python = self.name.endswith(".py") and is_python(self.file.text())
        if python and is_python(kept) and not is_python(dropped):
            return New(kept, f"quotes line {starts[0] + 1} in part; the rest of that line was kept")
        return Refusal(
            f"the last line of SEARCH breaks off. Line {starts[0] + 1} of `{self.name}` goes on:\n"
            f"{numbered(self.lines, starts[0], starts[0] + 1)}\nQuote it in full, and give it in full in REPLACE."
        )

    # ---- what speaks against it --------------------------------------------------------------------------------------

    def standing(self, wanted: Sequence[str], outside: Match | None = None) -> Match | None:
        """Where these lines stand already, tolerantly, and not only inside a place that is about to lose some."""
        found = (match for matches in levels(self.lines, wanted) for match in matches)
        return next((m for m in found if not outside or m.start < outside.start or m.stop > outside.stop), None)

    def covering(self, match: Match, texts: Sequence[str]) -> Match:
        size = len(texts)
        window = self.lines[max(0, match.stop - size) : match.start + size]
        at = max(0, match.stop - size) + next(iter(occurrences(window, texts, 1)), 0)
        return Match(at, at + size, Fit())

    def covered(self, match: Match, texts: Sequence[str]) -> bool:
        """Is the place already part of the replacement? Applying it again would insert its other lines twice."""
        size = len(texts)
        if size <= match.stop - match.start:
            return False
        window = self.lines[max(0, match.stop - size) : match.start + size]
        return bool(occurrences(window, texts, 1))

    def elision_left(self) -> str:
        """REPLACE must not say "rest unchanged" where SEARCH does not: that would delete the rest."""
        quoted = {line.strip() for line in self.search}
        left_out = any(DOTS.fullmatch(line) for line in self.search)
        for number, line in enumerate(self.replace):
            if line.strip() in quoted or left_out:
                continue
            if LAZY.match(line) or (self.name.endswith(".py") and is_no_ellipsis_body(self.replace, number)):
                return (
                    f"REPLACE leaves code out with `{line.strip()[:80]}` where SEARCH does not, so that code would be "
                    "lost. Write REPLACE in full, or elide the same lines with `...` in both."
                )
        return ""

    # ---- messages ----------------------------------------------------------------------------------------------------

    def several(self, starts: Sequence[int], size: int, level: str) -> str:
        shown = ", ".join(span(start, start + size) for start in starts[:PLACES_SHOWN])
        more = f" and {len(starts) - PLACES_SHOWN} more" if len(starts) > PLACES_SHOWN else ""
        count = f"{MANY} or more" if len(starts) >= MANY else str(len(starts))
        how = "" if level == "exact" else f" (apart from {level})"
        return (
            f"the SEARCH text stands in `{self.name}` {count} times{how}: at {shown}{more}. Quote more lines "
            "around the place you mean, so that it is found once."
        )

    def already(self, match: Match) -> str:
        return (
            f"the REPLACE text is already in `{self.name}` at {at_lines(match)}. If that is this change, leave the "
            "block out; if not, quote the lines to change exactly and with more lines around them."
        )

    def shifted_otherwise(self, match: Match) -> str:
        return (
            f"the SEARCH text stands in `{self.name}` at {at_lines(match)} with another indentation, and REPLACE "
            f"cannot be shifted by the same amount. Copy the indentation of these lines, in SEARCH and in REPLACE:\n"
            f"{numbered(self.lines, match.start, match.stop)}"
        )


def numbered(lines: Sequence[str], start: int, stop: int, columns: int = COLUMNS_SHOWN) -> str:
    shown = [f"{n + 1:5}| {lines[n][:columns]}" for n in range(start, min(stop, start + LINES_SHOWN))]
    return "\n".join([*shown, "     | (and so on)"] if stop - start > LINES_SHOWN else shown)


def at_lines(match: Match) -> str:
    return span(match.start, match.stop)


def span(start: int, stop: int) -> str:
    return f"line {stop}" if stop - start == 1 else f"lines {start + 1}–{stop}"
