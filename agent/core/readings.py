"""How a quote may differ from the file beyond its blanks, and what a shifted replacement must not do to Python.

`unwrapped` takes off what may stand around a quote, `segments` and `chains` find quotes with `...` in them, the rest
answers questions about a REPLACE text: was it written with the indentation of SEARCH, does it leave code out in words,
does the file still parse?
"""

from __future__ import annotations

import ast
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from agent.core import file_names
from agent.core.matching import BLANKS, Lines, Match, indent
from agent.core.reply_blocks import FENCE

DOTS = re.compile(r"\s*(?:(?:#|//|%)\s*)?(?:\.\.\.|…)\s*")
LAZY = re.compile(
    r"\s*(?:#|//|%|<!--)\s*(?:\.\.\.|…)\s*\(?\s*(?:\w+\s+)?"
    r"(?:rest|existing|unchanged|same|remain\w*|previous|other|keep|omitted|as before)\b",
    re.IGNORECASE,
)
UNDERLINE = re.compile(r"={5,9}")


def unwrapped(
    search: tuple[str, ...], replacement: tuple[str, ...], name: str
) -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The quote as it is; then without what may stand around it: blank lines, a fence, the file's own name."""
    yield search, replacement
    head, tail = blank_ends(search)
    if head or tail:
        yield search[head : len(search) - tail], without_blank_ends(replacement, head, tail)
    search, replacement = search[head : len(search) - tail], without_blank_ends(replacement, head, tail)
    if len(search) > 2 and FENCE.fullmatch(search[0]) and closes(search[-1]):
        search, replacement = search[1:-1], without_fence(replacement)
        yield search, replacement
    if len(search) > 1 and name and file_names.named(search[0], (name,)) == (name, True):
        replacement = replacement[1:] if replacement and replacement[0] == search[0] else replacement
        yield search[1:], replacement


def closes(line: str) -> bool:
    fence = FENCE.fullmatch(line)
    return fence is not None and not fence[2].strip()


def without_fence(lines: tuple[str, ...]) -> tuple[str, ...]:
    return lines[1:-1] if len(lines) > 1 and FENCE.fullmatch(lines[0]) and closes(lines[-1]) else lines


def blank_ends(lines: Sequence[str]) -> tuple[int, int]:
    solid = [number for number, line in enumerate(lines) if line.strip(BLANKS)]
    return (solid[0], len(lines) - 1 - solid[-1]) if solid else (0, 0)


def without_blank_ends(lines: tuple[str, ...], head: int, tail: int) -> tuple[str, ...]:
    """As many blank lines off each end as were off SEARCH, if there are so many."""
    own_head, own_tail = blank_ends(lines)
    return lines[min(head, own_head) : len(lines) - min(tail, own_tail)]


def segments(lines: Sequence[str]) -> list[tuple[str, ...]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if DOTS.fullmatch(line):
            parts.append([])
        else:
            parts[-1].append(line)
    return [tuple(part) if any(line.strip(BLANKS) for line in part) else () for part in parts]


def chains(found: Sequence[Sequence[Match]]) -> list[list[Match]]:
    """The ways to find all parts in order with one fit: none, the only one, or the first and the last of several."""
    result: list[list[Match]] = []
    for fit in {(match.fit.add, match.fit.drop, match.fit.width, match.fit.columns) for match in found[0]}:
        same = [[m for m in part if (m.fit.add, m.fit.drop, m.fit.width, m.fit.columns) == fit] for part in found]
        first = chain(same, lambda match, limit: match.start >= limit)
        if first is not None:
            backwards = [list(reversed(part)) for part in reversed(same)]
            last = chain(backwards, lambda match, limit: -match.stop >= limit, backwards=True)
            result += [first] if last is None or last[::-1] == first else [first, last[::-1]]
    return result


def chain(
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


def shifts_alike(search: Sequence[str], new: Sequence[str]) -> bool:
    """Was REPLACE written with the indentation of SEARCH? Its first or its leftmost line must say so."""
    old_indents = [len(indent(line).expandtabs(4)) for line in search if line.strip(BLANKS)]
    new_indents = [len(indent(line).expandtabs(4)) for line in new if line.strip(BLANKS)]
    if not new_indents:
        return True
    return old_indents[0] == new_indents[0] or min(old_indents) == min(new_indents)


def is_no_ellipsis_body(lines: Sequence[str], number: int) -> bool:
    """Is this `...` beside other statements? As the body of a definition it stands alone."""
    if not DOTS.fullmatch(lines[number]) or len(lines) == 1 or lines[number].strip() == "# ...":
        return False
    depth = len(indent(lines[number]))
    before = next((line for line in reversed(lines[:number]) if line.strip()), "")
    after = next((line for line in lines[number + 1 :] if line.strip()), "")
    beside_before = bool(before) and len(indent(before)) >= depth and not before.rstrip().endswith(('"""', "'''", ":"))
    return beside_before or (bool(after) and len(indent(after)) == depth > 0)


def common_step(lines: Sequence[str]) -> int:
    """The indentation that one more level has in this file."""
    depths = [len(indent(line)) for line in lines if line.strip(BLANKS)]
    steps = Counter(deeper - depth for depth, deeper in pairwise(depths) if deeper > depth)
    return steps.most_common(1)[0][0] if steps else 4


def is_python(text: str) -> bool:
    return syntax_error(text) is None


def misindented(text: str) -> bool:
    return isinstance(syntax_error(text), IndentationError)


def is_marking(line: str) -> bool:
    """Does it look like a divider or a fence?"""
    return bool(UNDERLINE.fullmatch(line.strip())) or bool(FENCE.match(line))


def breaks_at_marking(file: Lines) -> bool:
    error = syntax_error(file.text())
    number = error.lineno if isinstance(error, SyntaxError) and error.lineno else 0
    return 0 < number <= len(file.texts) and is_marking(file.texts[number - 1])


def syntax_error(text: str) -> Exception | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "<edited>", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None
