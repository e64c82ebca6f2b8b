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
    not found               refused, with the nearest lines, or those of which the quote is a part (core.part_of_line)

Similarity never applies an edit: it only picks the lines that a refusal quotes. Line endings are the file's own and
never count. Lines that SEARCH and REPLACE share keep the file's bytes. Where a reading would have to guess, the block
is refused: a REPLACE that does not shift like its SEARCH, an edit that is in the file already, a REPLACE with "rest
unchanged" in place of code, a file that is not editable.

A block whose SEARCH equals its REPLACE, or that repeats an earlier block of the same list, changes nothing: that is a
note, not a problem (`Applied.files` holds changed files only, so a reply of nothing else gives no files).
An empty SEARCH creates a file (names matching `creatable`) or fills an empty one; an empty REPLACE deletes.

`Rejected.good` holds the blocks that would have applied: `join(rejected.good, new_blocks, files)` is the union.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.core import file_names
from agent.core.matching import Lines, levels, nearest
from agent.core.matching import split_quote as quote
from agent.core.part_of_line import holding, nearly_holding
from agent.core.placing import New, Place, Refusal, at_lines, numbered, span
from agent.core.readings import segments, unwrapped
from agent.core.reply_blocks import Block, parse

_LONGEST = 2000  # characters of a line that is to be quoted in full

__all__ = ["Applied", "Block", "Problem", "Rejected", "apply", "join", "parse"]


@dataclass(frozen=True)
class Applied:
    files: dict[str, str]  # only those that changed: name -> new text
    notes: tuple[str, ...] = ()
    blocks: tuple[Block, ...] = ()  # those that made the change, with their files named


@dataclass(frozen=True)
class Problem:
    block: Block
    message: str  # for the coder: what, where, the nearest lines, what would pass


@dataclass(frozen=True)
class Rejected:
    problems: tuple[Problem, ...]
    good: tuple[Block, ...] = ()


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
    return Applied(changed, tuple(progress.notes), tuple(progress.good))


def join(
    kept: Sequence[Block], new: Sequence[Block], files: Mapping[str, str], creatable: Sequence[str] = ()
) -> Applied | Rejected:
    """New blocks on top of the kept ones; where that does not fit, in place of those kept ones that quote the same lines."""
    union = apply([*kept, *new], files, creatable)
    rest = [old for old in kept if not any(_same_quote(old, block) for block in new)]
    if isinstance(union, Applied) or len(rest) == len(kept):
        return union
    replaced = apply([*rest, *new], files, creatable)
    return replaced if isinstance(replaced, Applied) else union


def _same_quote(one: Block, other: Block) -> bool:
    a, b = one.search.strip(), other.search.strip()
    return other.file in (one.file, None) and (a == b or bool(a and b and (a in b or b in a)))


def _take(block: Block, progress: _Progress) -> None:
    name = _file_of(block, progress)
    result = name if isinstance(name, Refusal) else _edited(block, name, progress)
    if isinstance(result, Refusal):
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


def _file_of(block: Block, progress: _Progress) -> str | Refusal:
    texts = progress.texts
    if block.problem:
        return Refusal(f"{block.problem}.")
    if not block.search.strip() and not block.replace.strip():
        return Refusal("both SEARCH and REPLACE are empty. Quote the lines to change, or leave the block out.")
    if block.file is None or (block.carried and block.file in texts):
        return _guessed_file(block, texts)
    unsafe = file_names.unsafe(block.file)
    if unsafe:
        return Refusal(f"`{block.file}` cannot be edited: {unsafe}. {_editable(progress)}")
    if block.file in texts:
        return block.file
    if not file_names.globbed(block.file, progress.creatable):
        similar = file_names.similar(block.file, texts)
        meant = f" Did you mean `{similar}`?" if similar else ""
        return Refusal(f"`{block.file}` is not an editable file.{meant} {_editable(progress)}")
    if any(block.file.startswith(f"{name}/") for name in texts):
        return Refusal(f"`{block.file}` cannot be made: a part of that path is a file.")
    if block.search.strip():
        return Refusal(f"`{block.file}` does not exist yet. Leave SEARCH empty to create it.")
    return block.file


def _editable(progress: _Progress) -> str:
    said = "Editable: " + (", ".join(f"`{name}`" for name in progress.texts) or "nothing") + "."
    patterns = ", ".join(f"`{pattern}`" for pattern in progress.creatable)
    return f"{said} New files may match {patterns}." if patterns else said


def _guessed_file(block: Block, texts: Mapping[str, str]) -> str | Refusal:
    """The previous block's file if the quote stands there, else the only file in which it does."""
    if not block.search.strip():
        return Refusal("no file name. Put the file's name on the line before the fence.")
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
        return Refusal(f"no file name, and the SEARCH text stands in {listed}. Name the file before the fence.")
    if previous in texts:
        return previous  # refused there, with its nearest lines
    if len(texts) == 1:
        return next(iter(texts))
    listed = ", ".join(f"`{name}`" for name in texts) or "none"
    return Refusal(f"no file name, and the SEARCH text stands in none of the editable files ({listed}).")


def _strictness(text: str, search: str) -> int | None:
    """The number of the first reading that finds the quote at all."""
    lines = Lines.read(text).texts
    number = 0
    for wanted, _ in unwrapped(quote(search), (), ""):
        for matches in levels(lines, wanted):
            if matches:
                return number
            number += 1
    parts = [part for part in segments(quote(search)) if part]
    found = all(any(levels(lines, part)) for part in parts)
    return number if len(parts) > 1 and found else None


# ---- one block in one file -------------------------------------------------------------------------------------------


def _edited(block: Block, name: str, progress: _Progress) -> New | Refusal:
    text = progress.texts.get(name, "")
    if not block.search.strip():
        if text.strip():
            return Refusal(f"SEARCH is empty but `{name}` is not. Quote the lines to replace.")
        return New(block.replace, "creates the file" if name not in progress.texts else "fills the empty file")
    place = Place(name, Lines.read(text), quote(block.search), quote(block.replace))
    result = place.edited()
    if isinstance(result, New):
        return result
    if not result.message:
        result = _not_found(place, progress)
    return result


def _not_found(place: Place, progress: _Progress) -> Refusal:
    """What would help: that it is done already, that it stands in another file, or what the file has instead."""
    there = place.standing(place.replace)
    said = f"the SEARCH text does not stand in `{place.name}`."
    if there is not None:
        return Refusal(f"{said[:-1]}; {place.already(there)}\n{_look_alike(place)}".rstrip(), already=True)
    elsewhere = [
        f"`{name}` at {at_lines(matches[0])}"
        for name, text in progress.texts.items()
        if name != place.name and (matches := next(levels(Lines.read(text).texts, place.search)))
    ]
    if elsewhere:
        said += f" It stands in {', '.join(elsewhere)}: if that is meant, name that file before the fence."
    return Refusal(f"{said}\n{_look_alike(place)}".rstrip())


def _look_alike(place: Place) -> str:
    if held := holding(place.lines, place.search):
        return _partly(place, *held, "It is a part of")
    start = nearest(place.lines, place.search)
    if start is None and (held := nearly_holding(place.lines, place.search)):
        return _partly(place, *held, "Something like it is a part of")
    if start is None:
        return "Nothing in the file looks like it. Copy the lines to change from the file as it is now."
    stop = min(len(place.lines), start + len(place.search))
    return (
        f"The nearest lines are:\n{numbered(place.lines, start, stop)}\n"
        "Copy the lines to change from the file as it is now, with their indentation."
    )


def _partly(place: Place, start: int, stop: int, said: str) -> str:
    whole = "that line" if stop - start == 1 else "these lines"
    return (
        f"{said} {span(start, stop)}:\n{numbered(place.lines, start, stop, _LONGEST)}\n"
        f"SEARCH has to be whole lines: quote {whole} from beginning to end, and give {whole} in full in REPLACE."
    )
