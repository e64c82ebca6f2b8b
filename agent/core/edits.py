"""Applies a coder's SEARCH/REPLACE blocks to the texts of the editable files: text in, text out.

    parse(reply, files)             -> [Block, ...]            (see core.reply_blocks)
    apply(blocks, files, creatable) -> Applied | Rejected      all blocks or none

Blocks apply in order, each to the result of those before it. A block changes exactly one place:

    found exactly once      it applies; found more often: refused, with the places
    not found exactly       tolerant readings, from strict to loose; the first that finds anything decides, and it must
                            find one place only:
                              1 blanks at ends of lines   2 one indentation shift for the block   3 tabs for blanks
                              4 blank lines, a fence or the file's name around the quote, then 1 to 3 again
                              5 `...` lines, as many in REPLACE as in SEARCH, for text that stays
                              6 a last line that breaks off, if only going on with the rest of it is valid Python
    not found               refused, with the nearest lines

Similarity never applies an edit: it only picks the lines that a refusal quotes. Line endings are the file's own and
never count. Lines that SEARCH and REPLACE share keep the file's bytes. Where a reading would have to guess, the block
is refused: a REPLACE that does not shift like its SEARCH, an edit that is in the file already, a REPLACE with "rest
unchanged" in place of code, a file that is not editable.

A block whose SEARCH equals its REPLACE, or that repeats an earlier block of the same list, changes nothing: that is a
note, not a problem (`Applied.files` holds changed files only, so a reply of nothing else gives no files).
An empty SEARCH creates a file (names matching `creatable`) or fills an empty one; an empty REPLACE deletes.

`Rejected.good` holds the blocks that would have applied: `apply([*rejected.good, *new_blocks], files)` is the union.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.core import file_names
from agent.core.matching import BLANKS, LEVELS, Fit, Lines, Match, aligned, indent, levels, nearest, occurrences
from agent.core.matching import split_quote as quote
from agent.core.reply_blocks import FENCE, Block, parse

__all__ = ["Applied", "Block", "Problem", "Rejected", "apply", "parse"]

DOTS = re.compile(r"\s*(?:(?:#|//|%)\s*)?(?:\.\.\.|…)\s*")
LAZY = re.compile(
    r"\s*(?:#|//|%|<!--)\s*(?:\.\.\.|…)\s*\(?\s*(?:\w+\s+)?"
    r"(?:rest|existing|unchanged|same|remain\w*|previous|other|keep|omitted|as before)\b",
    re.IGNORECASE,
)
UNDERLINE = re.compile(r"={5,9}")
PLACES_SHOWN = 8
LINES_SHOWN = 12
COLUMNS_SHOWN = 160


@dataclass(frozen=True)
class Applied:
    files: dict[str, str]  # only those that changed: name -> new text
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Problem:
    block: Block
    message: str  # for the coder: what, where, the nearest lines, what would pass


@dataclass(frozen=True)
class Rejected:
    problems: tuple[Problem, ...]
    good: tuple[Block, ...] = ()


@dataclass(frozen=True)
class _New:
    """A block's effect."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class _Refusal:
    message: str
    already: bool = False  # refused because the file has it


@dataclass
class _Progress:
    """What the blocks so far have come to."""

    texts: dict[str, str]
    creatable: tuple[str, ...]
    good: list[Block] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def apply(blocks: Sequence[Block], files: Mapping[str, str], creatable: Sequence[str] = ()) -> Applied | Rejected:
    """The changed files if every block fits, else what is wrong with those that do not; `files` is never changed."""
    progress = _Progress(dict(files), tuple(creatable))
    for block in blocks:
        _take(block, progress)
    if progress.problems:
        return Rejected(tuple(progress.problems), tuple(progress.good))
    changed = {name: text for name, text in progress.texts.items() if files.get(name) != text}
    return Applied(changed, tuple(progress.notes))


def _take(block: Block, progress: _Progress) -> None:
    name = _file_of(block, progress)
    result = name if isinstance(name, _Refusal) else _edited(block, name, progress)
    if isinstance(result, _Refusal):
        if result.already and _repeats(block, progress.good):
            progress.notes.append(f"The block at line {block.line} repeats an earlier one and was left out.")
        else:
            progress.problems.append(Problem(block, f"Block at line {block.line}: {result.message}"))
        return
    assert isinstance(name, str)
    progress.texts[name] = result.text
    progress.good.append(replace(block, file=name, carried=False))
    if result.note:
        progress.notes.append(f"The block at line {block.line} ({name}) {result.note}.")


def _repeats(block: Block, good: Sequence[Block]) -> bool:
    return any((block.search, block.replace) == (other.search, other.replace) for other in good)


# ---- which file ------------------------------------------------------------------------------------------------------


def _file_of(block: Block, progress: _Progress) -> str | _Refusal:
    texts = progress.texts
    if block.problem:
        return _Refusal(f"{block.problem}.")
    if not block.search.strip() and not block.replace.strip():
        return _Refusal("both SEARCH and REPLACE are empty. Quote the lines to change, or leave the block out.")
    if block.file is None or block.carried:
        return _guessed_file(block, texts)
    unsafe = file_names.unsafe(block.file)
    if unsafe:
        return _Refusal(f"`{block.file}` cannot be edited: {unsafe}. {_editable(progress)}")
    if block.file in texts:
        return block.file
    if not file_names.globbed(block.file, progress.creatable):
        similar = file_names.similar(block.file, texts)
        meant = f" Did you mean `{similar}`?" if similar else ""
        return _Refusal(f"`{block.file}` is not an editable file.{meant} {_editable(progress)}")
    if block.search.strip():
        return _Refusal(f"`{block.file}` does not exist yet. Leave SEARCH empty to create it.")
    return block.file


def _editable(progress: _Progress) -> str:
    said = "Editable: " + (", ".join(f"`{name}`" for name in progress.texts) or "nothing") + "."
    patterns = ", ".join(f"`{pattern}`" for pattern in progress.creatable)
    return f"{said} New files may match {patterns}." if patterns else said


def _guessed_file(block: Block, texts: Mapping[str, str]) -> str | _Refusal:
    """The previous block's file if the quote stands there, else the only file in which it does."""
    if not block.search.strip():
        return _Refusal("no file name. Put the file's name on the line before the fence.")
    fitting = {name: _strictness(text, block.search) for name, text in texts.items()}
    previous = block.file or ""
    if fitting.get(previous) is not None:
        return previous
    best = min((level for level in fitting.values() if level is not None), default=None)
    names = [name for name, level in fitting.items() if best is not None and level == best]
    if len(names) == 1:
        return names[0]
    if len(names) > 1:
        listed = ", ".join(f"`{name}`" for name in names)
        return _Refusal(f"no file name, and the SEARCH text stands in {listed}. Name the file before the fence.")
    if previous in texts:
        return previous  # refused there, with its nearest lines
    if len(texts) == 1:
        return next(iter(texts))
    listed = ", ".join(f"`{name}`" for name in texts) or "none"
    return _Refusal(f"no file name, and the SEARCH text stands in none of the editable files ({listed}).")


def _strictness(text: str, search: str) -> int | None:
    """The number of the first reading that finds the quote at all."""
    lines = Lines.read(text).texts
    number = 0
    for wanted, _ in _unwrapped(quote(search), (), ""):
        for matches in levels(lines, wanted):
            if matches:
                return number
            number += 1
    segments = [part for part in _segments(quote(search)) if part]
    found = all(any(levels(lines, part)) for part in segments)
    return number if len(segments) > 1 and found else None


# ---- one block in one file -------------------------------------------------------------------------------------------


def _edited(block: Block, name: str, progress: _Progress) -> _New | _Refusal:
    text = progress.texts.get(name, "")
    if not block.search.strip():
        if text.strip():
            return _Refusal(f"SEARCH is empty but `{name}` is not. Quote the lines to replace.")
        return _New(block.replace, "creates the file" if name not in progress.texts else "fills the empty file")
    place = _Place(name, Lines.read(text), quote(block.search), quote(block.replace))
    result = place.edited()
    if isinstance(result, _New):
        return result
    if not result.message:
        result = _not_found(place, progress)
    return result


NOT_FOUND = _Refusal("")  # its message is written by `_not_found`, which looks further


@dataclass(frozen=True)
class _Place:
    """A block and the file it is for."""

    name: str
    file: Lines
    search: tuple[str, ...]
    replace: tuple[str, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        return self.file.texts

    def edited(self) -> _New | _Refusal:
        elided = self.elision_left()
        if elided:
            return _Refusal(elided)
        readings = _unwrapped(self.search, self.replace, self.name)
        for number, (search, replacement) in enumerate(readings):
            result = replace(self, search=search, replace=replacement).whole(around=number > 0)
            if result is not NOT_FOUND:
                return result
        return self.with_dots() or self.broken_off()

    def whole(self, around: bool) -> _New | _Refusal:
        """The quote as consecutive lines, from the strictest level on."""
        for level, matches in zip(LEVELS, levels(self.lines, self.search), strict=True):
            if not matches:
                continue
            starts = sorted({match.start for match in matches})
            if len(starts) > 1:
                return _Refusal(self.several(starts, len(self.search), level))
            tolerant = around or level != "exact"
            if self.search == self.replace:
                return _New(self.file.text(), "changes nothing: SEARCH and REPLACE are the same")
            if tolerant and (there := self.standing(self.replace)) is not None:
                return _Refusal(self.already(there), already=True)
            note = f"was matched by tolerating differences in {level if level != 'exact' else 'the lines around it'}"
            return self.agreed(matches, note if tolerant else "")
        return NOT_FOUND

    def agreed(self, matches: Sequence[Match], note: str) -> _New | _Refusal:
        """All fits of the one place must come to the same text."""
        results = [self.put((match,), (self.search,), (self.replace,)) for match in matches]
        for result in results:
            if isinstance(result, _Refusal):
                return result
        texts = {result.text() for result in results if isinstance(result, Lines)}
        if len(texts) > 1:
            return _Refusal(
                f"the SEARCH text stands in `{self.name}` at {_at(matches[0])}, but with tabs for blanks or the "
                "reverse, and the indentation of REPLACE can be read in several ways. Copy it from the file."
            )
        return _New(texts.pop(), note)

    def put(
        self, matches: Sequence[Match], searches: Sequence[Sequence[str]], replacements: Sequence[Sequence[str]]
    ) -> Lines | _Refusal:
        """The file with each match replaced; the last first, so that line numbers stay true."""
        file, fresh = self.file, False
        for match, search, new in reversed(list(zip(matches, searches, replacements, strict=True))):
            written = self.written(match, search, new)
            if isinstance(written, _Refusal):
                return written
            texts, kept = written
            if self.covered(match, texts):
                return _Refusal(self.already(self.covering(match, texts)), already=True)
            file = file.with_lines(match.start, match.stop, texts, kept)
            fresh = fresh or any(UNDERLINE.fullmatch(line.strip()) for line in new)
        return self.checked(file, matches, replacements, fresh)

    def written(
        self, match: Match, search: Sequence[str], new: Sequence[str]
    ) -> tuple[list[str], list[int | None]] | _Refusal:
        """The replacement as the file has it or would have it, and which old line each line stands for."""
        if match.fit.shifts and new and not _shifts_alike(search, new):
            return _Refusal(self.shifted_otherwise(match))
        texts: list[str] = []
        kept: list[int | None] = []
        for line, (old, same) in zip(new, aligned(search, new, match.fit == Fit()), strict=True):
            fitted = self.lines[match.start + old] if same and old is not None else match.fit.line(line)
            if fitted is None:
                return _Refusal(self.shifted_otherwise(match))
            texts.append(fitted)
            kept.append(match.start + old if old is not None else None)
        return texts, kept

    def checked(
        self, file: Lines, matches: Sequence[Match], replacements: Sequence[Sequence[str]], fresh: bool
    ) -> Lines | _Refusal:
        """Python only: a shift or a marker-like line must not break a file that the REPLACE as written would not."""
        if not self.name.endswith(".py"):
            return file
        if fresh and _is_python(self.file.text()) and not _is_python(file.text()):
            return _Refusal("a line of ======= would become part of the code. Write one divider in each block.")
        pairs = list(zip(matches, replacements, strict=True))
        if any(self.may_be_unshifted(*pair) for pair in pairs) and _misindented(file.text()):
            literal = self.file
            for match, new in reversed(pairs):
                literal = literal.with_lines(match.start, match.stop, new, [None] * len(new))
            if not _misindented(literal.text()):
                return _Refusal(self.shifted_otherwise(matches[0]))
        return self.in_own_blanks(file)

    def may_be_unshifted(self, match: Match, new: Sequence[str]) -> bool:
        """Only the first line lost its indentation, the others may have the file's."""
        rest = [len(indent(line)) for line in new[1:] if line.strip(BLANKS)]
        here = [len(indent(line)) for line in self.lines[match.start : match.stop] if line.strip(BLANKS)]
        return match.fit.shifts and bool(rest) and min(rest) == min(here)

    def in_own_blanks(self, file: Lines) -> Lines:
        """Tabs that a REPLACE brings into a file indented with blanks become that file's blanks."""
        if not any(line.startswith("\t") for line in file.texts) or any("\t" in indent(line) for line in self.lines):
            return file
        steps = [len(indent(line)) for line in self.lines if line.startswith(" ") and line.strip()]
        if not steps or not _is_python(self.file.text()):
            return file
        unit = min(steps)
        texts = tuple(
            indent(line).expandtabs(unit) + line.lstrip(BLANKS) if "\t" in indent(line) else line for line in file.texts
        )
        return replace(file, texts=texts)

    # ---- readings other than consecutive lines -----------------------------------------------------------------------

    def with_dots(self) -> _New | _Refusal | None:
        """`...` lines stand for text that stays: the parts between them are found in order."""
        searches, replacements = _segments(self.search), _segments(self.replace)
        if len(searches) < 2 or not any(searches):
            return None
        if len(searches) != len(replacements):
            return _Refusal(
                f"SEARCH elides text with `...` {len(searches) - 1} times, REPLACE {len(replacements) - 1} times, and "
                f"SEARCH does not stand in `{self.name}` as it is. Use as many in both, or quote the lines in full."
            )
        if any(new and not old for old, new in zip(searches, replacements, strict=True)):
            return _Refusal("REPLACE has text beside a `...` where SEARCH has none: it is not certain where it goes.")
        parts = [(old, new) for old, new in zip(searches, replacements, strict=True) if old]
        return self.chained([old for old, _ in parts], [new for _, new in parts])

    def chained(self, searches: list[tuple[str, ...]], replacements: list[tuple[str, ...]]) -> _New | _Refusal | None:
        found = [list(levels(self.lines, part)) for part in searches]
        for level, name in enumerate(LEVELS):
            chains = _chains([matches[level] for matches in found])
            if not chains:
                continue
            if len(chains) > 1:
                first, other = chains[0], chains[1]
                return _Refusal(
                    f"the parts between the `...` stand in `{self.name}` more than once, e.g. at "
                    f"{'; '.join(map(_at, first))} and at {'; '.join(map(_at, other))}. Quote more lines."
                )
            result = self.put(chains[0], searches, replacements)
            note = "elides text with `...`" + (f", tolerating differences in {name}" if level else "")
            return result if isinstance(result, _Refusal) else _New(result.text(), note)
        return None

    def broken_off(self) -> _New | _Refusal:
        """The last quoted line is only the beginning of the file's. Kept is the rest, if nothing else can be meant."""
        if not self.replace or not self.search[-1].strip():
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
            return _Refusal(self.several(firsts, size, "the end of the last line"))
        tail = self.lines[starts[0]][len(last) :]
        going_on = [*self.replace[:-1], self.replace[-1] + tail]
        kept, dropped = (
            self.file.with_lines(firsts[0], starts[0] + 1, new, [None] * len(new)).text()
            for new in (going_on, self.replace)
        )
        python = self.name.endswith(".py") and _is_python(self.file.text())
        if python and _is_python(kept) and not _is_python(dropped):
            return _New(kept, f"quotes line {starts[0] + 1} in part; the rest of that line was kept")
        return _Refusal(
            f"the last line of SEARCH breaks off. Line {starts[0] + 1} of `{self.name}` goes on:\n"
            f"{_numbered(self.lines, starts[0], starts[0] + 1)}\nQuote it in full, and give it in full in REPLACE."
        )

    # ---- what speaks against it --------------------------------------------------------------------------------------

    def standing(self, wanted: Sequence[str]) -> Match | None:
        """Where these lines stand already, tolerantly."""
        return next((matches[0] for matches in levels(self.lines, wanted) if matches), None)

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
            if LAZY.match(line) or (self.name.endswith(".py") and _is_no_ellipsis_body(self.replace, number)):
                return (
                    f"REPLACE leaves code out with `{line.strip()[:80]}` where SEARCH does not, so that code would be "
                    "lost. Write REPLACE in full, or elide the same lines with `...` in both."
                )
        return ""

    # ---- messages ----------------------------------------------------------------------------------------------------

    def several(self, starts: Sequence[int], size: int, level: str) -> str:
        shown = ", ".join(_span(start, start + size) for start in starts[:PLACES_SHOWN])
        more = f" and {len(starts) - PLACES_SHOWN} more" if len(starts) > PLACES_SHOWN else ""
        how = "" if level == "exact" else f" (apart from {level})"
        return (
            f"the SEARCH text stands in `{self.name}` {len(starts)} times{how}: at {shown}{more}. Quote more lines "
            "around the place you mean, so that it is found once."
        )

    def already(self, match: Match) -> str:
        return (
            f"the REPLACE text is already in `{self.name}` at {_at(match)}. If that is this change, leave the block "
            "out; if not, quote the lines to change exactly and with more lines around them."
        )

    def shifted_otherwise(self, match: Match) -> str:
        return (
            f"the SEARCH text stands in `{self.name}` at {_at(match)} with another indentation, and REPLACE cannot be "
            f"shifted by the same amount. Copy the indentation of these lines, in SEARCH and in REPLACE:\n"
            f"{_numbered(self.lines, match.start, match.stop)}"
        )


def _unwrapped(
    search: tuple[str, ...], replacement: tuple[str, ...], name: str
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The quote as it is; then without what may stand around it: blank lines, a fence, the file's own name."""
    yield search, replacement
    head, tail = _blank_ends(search)
    if head or tail:
        yield search[head : len(search) - tail], _without_blank_ends(replacement, head, tail)
    search, replacement = search[head : len(search) - tail], _without_blank_ends(replacement, head, tail)
    if len(search) > 2 and FENCE.fullmatch(search[0]) and _closes(search[-1]):
        search, replacement = search[1:-1], _without_fence(replacement)
        yield search, replacement
    if len(search) > 1 and name and file_names.named(search[0], (name,)) == (name, True):
        replacement = replacement[1:] if replacement and replacement[0] == search[0] else replacement
        yield search[1:], replacement


def _closes(line: str) -> bool:
    fence = FENCE.fullmatch(line)
    return fence is not None and not fence[2].strip()


def _without_fence(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines[1:-1] if len(lines) > 1 and FENCE.fullmatch(lines[0]) and _closes(lines[-1]) else lines


def _blank_ends(lines: Sequence[str]) -> tuple[int, int]:
    solid = [number for number, line in enumerate(lines) if line.strip(BLANKS)]
    return (solid[0], len(lines) - 1 - solid[-1]) if solid else (0, 0)


def _without_blank_ends(lines: tuple[str, ...], head: int, tail: int) -> tuple[str, ...]:
    """As many blank lines off each end as were off SEARCH, if there are so many."""
    own_head, own_tail = _blank_ends(lines)
    return lines[min(head, own_head) : len(lines) - min(tail, own_tail)]


def _segments(lines: Sequence[str]) -> list[tuple[str, ...]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if DOTS.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return [tuple(part) if any(line.strip(BLANKS) for line in part) else () for part in parts]


def _chains(found: Sequence[Sequence[Match]]) -> list[list[Match]]:
    """The ways to find all parts in order with one fit: none, the only one, or the first and the last of several."""
    result: list[list[Match]] = []
    for fit in {(match.fit.add, match.fit.drop, match.fit.width, match.fit.columns) for match in found[0]}:
        same = [[m for m in part if (m.fit.add, m.fit.drop, m.fit.width, m.fit.columns) == fit] for part in found]
        first = _chain(same, lambda match, limit: match.start >= limit)
        if first is not None:
            backwards = [list(reversed(part)) for part in reversed(same)]
            last = _chain(backwards, lambda match, limit: -match.stop >= limit, backwards=True)
            result += [first] if last is None or last[::-1] == first else [first, last[::-1]]
    return result


def _chain(
    parts: Sequence[Sequence[Match]], fits: Callable[[Match, int], bool], backwards: bool = False
) -> list[Match] | None:
    """Each part at the first place that is free after the one before."""
    chain: list[Match] = []
    limit = -(10**12)
    for part in parts:
        match = next((match for match in part if fits(match, limit)), None)
        if match is None:
            return None
        chain.append(match)
        limit = -match.start if backwards else match.stop
    return chain


def _shifts_alike(search: Sequence[str], new: Sequence[str]) -> bool:
    """Was REPLACE written with the indentation of SEARCH? Its first or its leftmost line must say so."""
    old_indents = [len(indent(line).expandtabs(4)) for line in search if line.strip(BLANKS)]
    new_indents = [len(indent(line).expandtabs(4)) for line in new if line.strip(BLANKS)]
    if not new_indents:
        return True
    return old_indents[0] == new_indents[0] or min(old_indents) == min(new_indents)


def _is_no_ellipsis_body(lines: Sequence[str], number: int) -> bool:
    """Is this `...` beside other statements? As the body of a definition it stands alone."""
    if not DOTS.fullmatch(lines[number]) or len(lines) == 1 or lines[number].strip() == "# ...":
        return False
    depth = len(indent(lines[number]))
    before = next((line for line in reversed(lines[:number]) if line.strip()), "")
    after = next((line for line in lines[number + 1 :] if line.strip()), "")
    beside_before = bool(before) and len(indent(before)) >= depth and not before.rstrip().endswith(('"""', "'''", ":"))
    return beside_before or (bool(after) and len(indent(after)) == depth > 0)


def _is_python(text: str) -> bool:
    return _syntax_error(text) is None


def _misindented(text: str) -> bool:
    return isinstance(_syntax_error(text), IndentationError)


def _syntax_error(text: str) -> Exception | None:
    try:
        compile(text, "<edited>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def _not_found(place: _Place, progress: _Progress) -> _Refusal:
    """What would help: that it is done already, that it stands in another file, or what the file has instead."""
    there = place.standing(place.replace)
    said = f"the SEARCH text does not stand in `{place.name}`."
    if there is not None:
        return _Refusal(f"{said[:-1]}; {place.already(there)}\n{_look_alike(place)}".rstrip(), already=True)
    elsewhere = [
        f"`{name}` at {_at(matches[0])}"
        for name, text in progress.texts.items()
        if name != place.name and (matches := next(levels(Lines.read(text).texts, place.search)))
    ]
    if elsewhere:
        said += f" It stands in {', '.join(elsewhere)}: if that is meant, name that file before the fence."
    return _Refusal(f"{said}\n{_look_alike(place)}".rstrip())


def _look_alike(place: _Place) -> str:
    start = nearest(place.lines, place.search)
    if start is None:
        return "Nothing in the file looks like it. Copy the lines to change from the file as it is now."
    stop = min(len(place.lines), start + len(place.search))
    return (
        f"The nearest lines are:\n{_numbered(place.lines, start, stop)}\n"
        "Copy the lines to change from the file as it is now, with their indentation."
    )


def _numbered(lines: Sequence[str], start: int, stop: int) -> str:
    shown = [f"{n + 1:5}| {lines[n][:COLUMNS_SHOWN]}" for n in range(start, min(stop, start + LINES_SHOWN))]
    return "\n".join([*shown, "     | (and so on)"] if stop - start > LINES_SHOWN else shown)


def _at(match: Match) -> str:
    return _span(match.start, match.stop)


def _span(start: int, stop: int) -> str:
    return f"line {stop}" if stop - start == 1 else f"lines {start + 1}–{stop}"
