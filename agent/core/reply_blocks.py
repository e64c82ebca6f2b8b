"""Finds the SEARCH/REPLACE blocks in a coder's reply. Never raises; whatever cannot be read safely is a block with a
`problem`, so that it is refused by `apply` and never half read.

The markers make a block; fences and prose around them mean nothing. Markers have three or more characters, the same
number in one block if its text holds markers of another length. Where the end is written into a line of text, or the
line break after a marker is missing, the text is still found.

A line of `=======` may be the divider or text (a heading's underline, a merge conflict). If a block has several, each
is tried: the SEARCH part must stand in the file. The longest that does is taken, because a shorter one would insert a
second copy of what follows; if the file goes on with such a line after it, the block is refused.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from agent.core.file_names import IN_A_SENTENCE as FILE
from agent.core.file_names import named, resolve
from agent.core.matching import Lines, levels

HEAD = re.compile(r"(<{3,})[ \t]?SEARCH", re.IGNORECASE)
END = re.compile(r"(>{3,})[ \t]?REPLACE", re.IGNORECASE)
DIVIDER = re.compile(r"\s*(={5,9})\s*")
FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)")
LONGEST_LINE = 2_000  # a longer line is no marker
MANY_DIVIDERS = 30
MANY_MARKERS = 4_000
LINES_ABOVE = 5  # how far above a block its file name may stand
USE_NINE = "write this block with 9 marker characters (<<<<<<<<< SEARCH, =========, >>>>>>>>> REPLACE)"


@dataclass(frozen=True)
class Block:
    """One edit as the coder wrote it. All fields are plain: `dataclasses.asdict` is its JSON."""

    file: str | None  # as resolved among the editable files, else as written; None: no name anywhere
    search: str
    replace: str
    line: int = 0  # of the reply, counted from 1
    problem: str = ""  # why it cannot be used
    carried: bool = False  # the name is the previous block's


@dataclass(frozen=True)
class _Marker:
    at: int  # index of the line
    width: int
    before: str
    after: str


@dataclass
class _Markers:
    """The markers of one sort, by width and all together, to be asked for the next one."""

    all: list[_Marker] = field(default_factory=list)
    by_width: dict[int, list[_Marker]] = field(default_factory=dict)

    def add(self, marker: _Marker) -> None:
        self.all.append(marker)
        self.by_width.setdefault(marker.width, []).append(marker)

    def next(self, start: int, stop: int, width: int = 0) -> _Marker | None:
        markers = self.by_width.get(width, []) if width else self.all
        at = bisect_left(markers, start, key=lambda marker: marker.at)
        return markers[at] if at < len(markers) and markers[at].at < stop else None


def parse(reply: str, files: Mapping[str, str]) -> list[Block]:
    """All blocks of the reply in order. `files`: the editable files, to know their names and to tell dividers apart."""
    return list(_Reader(reply, files).blocks())


class _Reader:
    def __init__(self, reply: str, files: Mapping[str, str]) -> None:
        self.lines = [line[:-1] if line.endswith("\r") else line for line in reply.split("\n")]
        self.names = tuple(files)
        self.only = self.names[0] if len(self.names) == 1 else None
        self.files = files
        self.read: dict[str, tuple[str, ...]] = {}
        self.heads, self.ends, self.glued_ends = _Markers(), _Markers(), _Markers()
        marked = (at for at, line in enumerate(self.lines) if "<<<" in line or ">>>" in line)
        for at in islice(marked, MANY_MARKERS):
            if len(self.lines[at]) <= LONGEST_LINE:
                self._sort(at, self.lines[at])
        self.unread = next(marked, None)  # the first line that may hold a marker too many

    def _sort(self, at: int, line: str) -> None:
        head, end = HEAD.search(line), END.search(line)
        if head and self._opens(line[: head.start()]) and not _quoted(line[: head.start()], line[head.end() :]):
            self.heads.add(_Marker(at, len(head[1]), line[: head.start()], line[head.end() :]))
        elif end:
            before = line[: end.start()]
            if not before.strip():
                self.ends.add(_Marker(at, len(end[1]), "", line[end.end() :]))
            elif not before[-1].isspace() and not _quoted(before, line[end.end() :]):
                self.glued_ends.add(_Marker(at, len(end[1]), before, line[end.end() :]))

    def _opens(self, before: str) -> bool:
        """May a block start after this text on the same line? After a fence or a file name, not inside a sentence."""
        if not before.strip() or FENCE.fullmatch(before):
            return True
        name = named(before, self.names)
        return name is not None and name[1]

    def blocks(self) -> Iterator[Block]:
        cursor, previous = 0, None
        while head := self.heads.next(cursor, len(self.lines)):
            yield from self._orphans(cursor, head.at)
            limit = self.heads.next(head.at + 1, len(self.lines), head.width)
            stop = limit.at if limit else len(self.lines)
            end = self._end(head, stop)
            name, carried = self._name(head, cursor, end.at if end else stop), False
            if name is None:
                name, carried = previous or self.only, previous is not None
            blank = Block(name, "", "", head.at + 1, carried=carried)
            yield self._block(blank, head, end)
            previous = name
            cursor = end.at + 1 if end else stop
        yield from self._orphans(cursor, len(self.lines))
        if self.unread is not None:
            yield Block(None, "", "", self.unread + 1, f"the reply has more than {MANY_MARKERS} lines like markers")

    def _orphans(self, start: int, stop: int) -> Iterator[Block]:
        """An end without a beginning: text of a block that was cut short by an end marker inside it."""
        if orphan := self.ends.next(start, stop):
            said = "there is a `>>>>>>> REPLACE` without its `<<<<<<< SEARCH`. If it is text of a block, " + USE_NINE
            yield Block(None, "", "", orphan.at + 1, said)

    def _end(self, head: _Marker, stop: int) -> _Marker | None:
        start = head.at + 1
        own = self.ends.next(start, stop, head.width) or self.glued_ends.next(start, stop, head.width)
        other = own or self.ends.next(start, stop) or self.glued_ends.next(start, stop)
        if other and not own and self.heads.next(start, other.at):
            return None  # that end belongs to a block further down
        return other

    def _block(self, blank: Block, head: _Marker, end: _Marker | None) -> Block:
        if end is None:
            said = "it has no `>>>>>>> REPLACE` line. If there is one inside its text, " + USE_NINE
            return replace(blank, problem=said)
        body = self.lines[head.at + 1 : end.at] + ([end.before] if end.before.strip() else [])
        glued = head.after.removeprefix(">")
        if not glued.strip() or self._is_name(glued):
            return self._split(blank, head.width, body)
        glued = glued[1:] if re.match(r" \S", glued) else glued
        whole = self._split(blank, head.width, [glued, *body])
        bare = self._split(blank, head.width, body)
        # Text behind the marker is the first line, unless only the lines without it stand in the file.
        return bare if not self._stands(whole) and self._stands(bare) and not bare.problem else whole

    def _stands(self, block: Block) -> bool:
        return bool(self._following(block.file, block.search.split("\n")[:-1]))

    def _is_name(self, text: str) -> bool:
        """Is what follows an opening marker a file's name? `model.step()` is code."""
        plain = text.strip(" \t:`*")
        return resolve(plain, self.names) in self.names or bool(re.fullmatch(r"[\w./-]+", plain) and FILE.search(plain))

    # ---- the divider -------------------------------------------------------------------------------------------------

    def _split(self, blank: Block, width: int, body: Sequence[str]) -> Block:
        places = [at for at, line in enumerate(body) if self._divides(line, width)]
        if len(places) == 1:
            return _filled(blank, body[: places[0]], body[places[0] + 1 :])
        return self._split_at_one_of(blank, places, body) if places else self._split_glued(blank, width, body)

    def _divides(self, line: str, width: int) -> bool:
        if "=" not in line or len(line) > LONGEST_LINE:
            return False
        stripped = line.strip()
        return bool(DIVIDER.fullmatch(line)) or stripped == "=" * width

    def _split_at_one_of(self, blank: Block, places: Sequence[int], body: Sequence[str]) -> Block:
        doubt = replace(
            blank,
            search="",
            problem=f"it holds {len(places)} lines of ======= and it is not certain which one divides it: {USE_NINE}, "
            "so that the divider differs from the text, and quote the SEARCH text exactly",
        )
        if places[0] == 0 and blank.file not in self.files:
            return _filled(blank, [], body[1:])  # a new file
        if len(places) > MANY_DIVIDERS:
            return doubt
        fitting = [(at, after) for at in places if (after := self._following(blank.file, body[:at]))]
        if not fitting:
            return doubt
        at, after = fitting[-1]
        search, replacement = body[:at], body[at + 1 :]
        goes_on = at != places[-1] and any(DIVIDER.fullmatch(line) for line in after)
        doubled = at + 1 in places and at + 1 < len(body)
        nothing = list(search) == list(replacement) and len(fitting) > 1
        return doubt if goes_on or doubled or nothing else _filled(blank, search, replacement)

    def _following(self, file: str | None, wanted: Sequence[str]) -> list[str]:
        """The lines that follow the places of the strictest level at which `wanted` stands; "" at the end of a file."""
        for name in (file,) if file is not None and file in self.files else self.names:
            if name not in self.read:
                self.read[name] = Lines.read(self.files[name]).texts
            lines = self.read[name]
            for matches in levels(lines, wanted):
                if matches:
                    return [lines[match.stop] if match.stop < len(lines) else "" for match in matches]
        return []

    def _split_glued(self, blank: Block, width: int, body: Sequence[str]) -> Block:
        """No line of its own divides the block: a line break beside the divider was lost."""
        mark, found = "=" * width, []
        for at, line in enumerate(body):
            if mark not in line or len(line) > LONGEST_LINE:
                continue
            if line.endswith(mark) and line[-width - 1 : -width] != "=":
                found.append(([*body[:at], line[:-width]], list(body[at + 1 :])))
            if line.startswith(mark) and not re.match(r"=| \S", line[width:]):  # `======= text` may be a remark
                found.append((list(body[:at]), [line[width:], *body[at + 1 :]]))
        fitting = [parts for parts in found[:MANY_DIVIDERS] if self._following(blank.file, parts[0])]
        if len(fitting) == 1:
            return _filled(blank, *fitting[0])
        return replace(blank, problem="it has no `=======` line between the SEARCH and the REPLACE text")

    # ---- the file name -----------------------------------------------------------------------------------------------

    def _name(self, head: _Marker, start: int, stop: int) -> str | None:
        before = named(head.before, self.names)
        if before and before[1]:
            return before[0]
        if self._is_name(head.after):
            return resolve(head.after.strip(" \t:`*"), self.names)
        if above := self._name_above(head.at, start):
            return above
        inside = named(self.lines[head.at + 1], self.names) if head.at + 1 < stop else None
        if inside and inside[1] and inside[0] in self.names:
            return inside[0]  # quoted as the first line; `apply` leaves it out if the file has no such line
        return None

    def _name_above(self, at: int, start: int) -> str | None:
        """The nearest line that is nothing but a name; else the nearest sentence if it names exactly one file."""
        mentioned: str | None = None
        nearest_sentence, seen = True, 0
        for number in range(at - 1, max(start, at - 30) - 1, -1):
            line = self.lines[number]
            if not line.strip():
                continue
            fence = FENCE.fullmatch(line)
            name = named(fence[2] if fence else line, self.names)
            if name and (name[1] or fence):
                return name[0]
            if not fence:
                mentioned = name[0] if name and nearest_sentence else mentioned
                nearest_sentence = False
            seen += 1
            if seen == LINES_ABOVE:
                break
        return mentioned


def _quoted(before: str, after: str) -> bool:
    """A marker in quotes is talked about, or is text of a program."""
    return before[-1:] in ("`", '"', "'") and after.lstrip()[:1] == before[-1:]


def _filled(blank: Block, search: Sequence[str], replacement: Sequence[str]) -> Block:
    return replace(blank, search=_joined(search), replace=_joined(replacement))


def _joined(lines: Sequence[str]) -> str:
    return "".join(line + "\n" for line in lines)
