"""A quote that does not begin or end where lines of the file do, as of half a paragraph that is one line: which lines hold it.

It only picks the lines that a refusal quotes, as core.matching.nearest does; no edit applies because of it. Runs of blanks and
ends of lines count as one blank. Where several places hold it, or none does, or it is all of its lines, there is no answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

_SHORTEST = 8  # characters; what is shorter stands in too many places to mean one
_HALF = 25  # half of a quote that must stand there, where the whole does not


def holding(lines: Sequence[str], wanted: Sequence[str]) -> tuple[int, int] | None:
    """The first of the lines that hold the quote, and the one behind the last."""
    return _place(lines, _flat(wanted), _SHORTEST)


def nearly_holding(lines: Sequence[str], wanted: Sequence[str]) -> tuple[int, int] | None:
    """The same for its first or its second half, where the other half is spelt otherwise."""
    quote = _flat(wanted)
    halves = quote[: len(quote) // 2], quote[len(quote) // 2 :]
    found = (_place(lines, half.strip(), _HALF) for half in halves)
    return next((place for place in found if place), None)


def _place(lines: Sequence[str], quote: str, shortest: int) -> tuple[int, int] | None:
    if len(quote) < shortest:
        return None
    flat = [_flat([line]) for line in lines]
    starts = list(accumulate((len(line) + 1 for line in flat if line), initial=0))
    numbers = [number for number, line in enumerate(flat) if line]
    text = " ".join(flat[number] for number in numbers)
    at = text.find(quote)
    if at < 0 or text.find(quote, at + 1) >= 0:
        return None
    first, last = bisect_right(starts, at) - 1, bisect_right(starts, at + len(quote) - 1) - 1
    if at == starts[first] and at + len(quote) == starts[last] + len(flat[numbers[last]]):
        return None  # whole lines: it is something else that differs
    return numbers[first], numbers[last] + 1


def _flat(lines: Sequence[str]) -> str:
    return " ".join(" ".join(lines).split())
