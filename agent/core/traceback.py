"""A log → the exceptions that it tells of, and the lines that mean something.

`read` finds every traceback: chained ones, those of exception groups, of DataLoader workers, pools, threads and child
processes, of ranks that prefix their lines, and those whose beginning was cut off. What ended the program is `final`; the
rest is `earlier`. Of a large log only the end is read, and the surroundings of the last traceback if that stands before it.
Limit: a log is text that anybody may write. An experiment that prints a traceback can say what it likes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

HEADER = "Traceback (most recent call last):"
LONGEST = 300_000  # characters that are read of the end, and again around the last traceback
_LONGEST_LINE = 5000  # characters of it that are read
_MESSAGE_LINES = 12  # of an exception, at most
_CHAINED = 10  # exceptions of a chain at each end, and
_MEMBERS = 30  # members of a group that are kept
_AFTER = 3  # so many lines may stand between the frames of a traceback, from another thread

_ANSI = re.compile(r"\x1b\[[0-9;?]{0,12}[A-Za-z]")
_BEFORE = re.compile(r"^\[(?:rank|Rank |default)\d{1,5}\]:\s?")
_GROUP = re.compile(r"^ {2,40}[|+] ?")
_MEMBER = re.compile(r"^[-+ ]{0,60}-{5,} (?:\d{1,4}|\.\.\.) -{5,}$")
_RULE = re.compile(r"^-{20,}$")
_FRAME = re.compile(r'^\s{0,40}File "(?P<path>[^"]{1,1000})", line (?P<line>\d{1,9})(?:, in (?P<function>.{0,300}))?$')
_RAISED = re.compile(r"^(?P<type>[A-Za-z_][\w.<>]{0,200})(?:: (?P<message>.*)|:)?$")
_ERROR = re.compile(
    r"^(?:[A-Za-z_][\w.<>]{0,200}\.)?[A-Z]\w{0,80}(?:Error|Exception|Timeout|Interrupt|Exit)\b(?:: .*)?$"
)
_PROGRESS = re.compile(
    r"\d{1,3}%\|| \[\d+:\d\d[<,]|^\s*\d{1,3}%\s|[#=█━▉-▏>.]{8,}|\d(?:it|s|ex|examples|batch(?:es)?|[kMG]?B)/(?:s|it)\b"
)
_HINTS = ("%", "/s", "/it", "[0", "[1", "====", "####", "....", ">>>>", "█", "━")  # so that most lines cost little
_CARETS = re.compile(r"^[\s~^]+$")
CAUSE = "The above exception was the direct cause of the following exception:"
CONTEXT = "During handling of the above exception, another exception occurred:"
_LINKS = {CAUSE: "cause", CONTEXT: "context"}
_ASIDE = ("Exception in thread ", "Process ")  # a thread's or a child's; the main program may go on
_IGNORED = ("Exception ignored in", "Error in atexit", "Exception ignored on")


@dataclass(frozen=True)
class Frame:
    path: str
    line: int
    function: str
    source: str = ""  # as the traceback shows it


@dataclass(frozen=True)
class Raised:
    type: str
    message: str = ""  # with the lines that follow it
    frames: tuple[Frame, ...] = ()
    link: str = ""  # how it follows the one before it in its chain: "cause", "context" or nothing
    lines: tuple[str, ...] = ()  # as they stood

    @property
    def text(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type

    @property
    def first_line(self) -> str:
        return self.text.split("\n", 1)[0]

    @property
    def translates(self) -> bool:
        """Whether it was raised by a `raise`, and so says in other words what went wrong before."""
        return self.link == "cause" or (bool(self.frames) and self.frames[-1].source.startswith("raise"))


Chain = tuple[Raised, ...]  # the first failure first


@dataclass(frozen=True)
class Reading:
    final: tuple[Chain, ...] = ()  # one, or one for each member of an exception group
    earlier: tuple[Chain, ...] = ()
    aside: tuple[Chain, ...] = ()  # of threads and child processes
    lines: tuple[str, ...] = ()  # without progress, colours and prefixes
    broken: bool = False  # the last traceback ends before its exception


def read(text: str) -> Reading:
    lines = tuple(useful(window(text)))
    blocks = list(_blocks(lines))
    broken = bool(blocks) and not blocks[-1].raised
    groups: list[tuple[str, list[Chain]]] = []  # (how it was introduced, chains)
    for block in (b for b in blocks if b.raised):
        _append(groups, block)
    told = [(kind, tuple(map(_ends, chains[:_MEMBERS]))) for kind, chains in groups if kind != "ignored"]
    main = [chains for kind, chains in told if kind == "main"]
    aside = [chains for kind, chains in told if kind == "aside"]
    last = main[-1] if main else aside[-1] if aside else ()
    rest = [chains for chains in main if chains is not last]
    return Reading(last, tuple(sum(rest, ())), tuple(sum((a for a in aside if a is not last), ())), lines, broken)


def _ends(chain: Chain) -> Chain:
    return chain if len(chain) <= 2 * _CHAINED else (*chain[:_CHAINED], *chain[-_CHAINED:])


def window(text: str) -> str:
    """What is worth reading of a text of any length."""
    if len(text) <= LONGEST:
        return text
    start, last = len(text) - LONGEST, text.rfind(HEADER)
    if last >= start or last < 0:
        return text[start:]
    return f"{text[max(0, last - LONGEST // 2) : last + LONGEST // 2]}\n{text[max(start, last + LONGEST // 2) :]}"


def useful(text: str) -> Iterator[str]:
    hints = [hint for hint in _HINTS if hint in text]
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        plain = (_ANSI.sub("", line) if "\x1b" in line else line)[:_LONGEST_LINE].rstrip()
        plain = _BEFORE.sub("", plain) if plain.startswith("[") else plain
        plain = _GROUP.sub("", plain) if plain.startswith("  ") else plain
        if not is_progress(plain, hints):
            yield plain


def is_progress(line: str, hints: Sequence[str] = _HINTS) -> bool:
    likely = len(line) < 400 and any(hint in line for hint in hints)
    return likely and bool(_PROGRESS.search(line)) and not line.startswith((" ", "\t")) and "Error" not in line


@dataclass
class _Block:
    """One traceback while it is read."""

    kind: str  # main, aside, ignored
    link: str = ""
    member: bool = False  # of an exception group
    inner: bool = False  # an original traceback inside the message of the one before
    frames: list[Frame] = field(default_factory=list)
    raised: str = ""
    more: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    left: int = _AFTER

    def take(self, line: str) -> bool:
        """Whether the line belongs to it."""
        frame = _FRAME.match(line)
        if self.raised:
            return self._more(line, frame)
        if frame:
            self.frames.append(Frame(frame["path"], int(frame["line"]), frame["function"] or ""))
        elif line.startswith((" ", "\t")):
            self._source(line)
        elif _RAISED.match(line) and (self.frames or _ERROR.match(line)):
            self.raised = line
        elif line:
            self.left -= 1
        self.lines.append(line)
        return self.left >= 0

    def _source(self, line: str) -> None:
        if self.frames and not self.frames[-1].source and not _CARETS.match(line):
            self.frames[-1] = replace(self.frames[-1], source=line.strip())

    def _more(self, line: str, frame: re.Match[str] | None) -> bool:
        if frame and len(self.more) < _AFTER and "Error" not in self.raised:  # a line of somebody else stood in between
            self.raised, self.more = "", []
            return self.take(line)
        if len(self.more) >= _MESSAGE_LINES or line == '"""' or _RULE.match(line):
            return False
        self.more.append(line)
        return True

    def finished(self) -> Raised:
        match = _RAISED.match(self.raised)
        assert match is not None
        message = "\n".join([match["message"] or "", *self.more]).strip()
        return Raised(match["type"], message, tuple(self.frames), self.link, (*self.lines, *self.more))


def _blocks(lines: tuple[str, ...]) -> Iterator[_Block]:
    block: _Block | None = None
    link, member, before = "", False, ""
    cut: str | None = None  # an exception whose traceback was cut off, at the beginning of a log
    whole = False  # whether a traceback was met
    for line in lines:
        if line.endswith(HEADER):
            if block:
                yield block
            kind = "ignored" if before.startswith(_IGNORED) else "aside" if before.startswith(_ASIDE) else "main"
            inner = bool(block and block.raised and line.startswith("Original "))
            block, link, member, whole = _Block(kind, link, member, inner, lines=[line]), "", False, True
        elif line in _LINKS or _MEMBER.match(line):
            if block:
                yield block
            elif cut and not whole:
                yield _Block("main", raised=cut, lines=[cut])
            block, link, member, whole = None, _LINKS.get(line, ""), line not in _LINKS, True
        elif block is None and _FRAME.match(line):  # its beginning was cut off, or the script itself cannot be read
            block, link, whole = _Block("main", link, member), "", True
            block.take(line)
        elif member and block is None and _RAISED.match(line):  # one that was made and never raised
            block, member = _Block("main", member=True, raised=line, lines=[line]), False
        elif block and not block.take(line):
            yield block
            block = None
        before = line or before
        cut = line if _ERROR.match(line) else cut
    if block:
        yield block


def _append(groups: list[tuple[str, list[Chain]]], block: _Block) -> None:
    raised, chains = block.finished(), groups[-1][1] if groups else []
    if block.inner and chains:  # the outer one repeats it
        chains[-1] = (
            *chains[-1][:-1],
            replace(raised, link=chains[-1][-1].link),
            replace(chains[-1][-1], link="cause"),
        )
    elif block.member and chains:
        chains.append((raised,))
    elif block.link and chains:
        chains[-1] = _ends((*chains[-1], raised))
    else:
        groups.append((block.kind, [(raised,)]))
