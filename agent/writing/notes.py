r"""notes.md: notes with their references filled in, for people. notes.txt and notes/*.txt keep the references themselves.

    rendered(text, facts, known)   what the coder wrote: references filled in, and decimals and percentages that are none marked
    filled(text, facts)            references only

A reference to nothing becomes `??[its id, did you mean …?]`. Nothing is refused here: a number that somebody typed is marked
*unsourced*, unless it is `known` (a number of the idea) or a setting of a run, or stands in code or in a name such as v1.5.
Limit: whole numbers are not looked at; most of them are counts, names and dates.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from agent.core.fact import Problem
from agent.core.facts import Facts
from agent.core.references import Reference, references

MARK = " *unsourced*"
# A decimal, a number with an exponent, or a percentage; not a part of a name, a version or a date.
_NUMERAL = re.compile(
    r"(?<![\w.\\/:])(?<![A-Za-z]-)(?P<number>\d[\d,]*\.\d+(?:[eE][-+−]?\d+)?|\d+[eE][-+−]?\d+|\d+(?=\s?(?:%|percent\b)))"
    r"(?!\.?\d|\.\w|[-_]\w)(?P<percent>\s?(?:%|percent\b))?"
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`", re.DOTALL)
_PLAIN = re.compile(r"\d[\d,]*(?:\.\d+)?(?:[eE][-+−]?\d+)?")


def filled(text: str, facts: Facts) -> str:
    return "".join(part if isinstance(part, str) else _said(part, facts) for part in _parts(text))


def rendered(text: str, facts: Facts, known: Iterable[str] = ()) -> str:
    """`known`: texts whose numbers need no source, such as the idea's."""
    explained = {value for one in known for value in numbers(one)} | _settings(facts)
    return "".join(_marked(part, explained) if isinstance(part, str) else _said(part, facts) for part in _parts(text))


def numbers(text: str) -> set[float]:
    return {value for found in _PLAIN.findall(text) if (value := _value(found)) is not None}


def _parts(text: str) -> list[str | Reference]:
    parts: list[str | Reference] = []
    at = 0
    for reference in references(text):
        parts += [text[at : reference.start], reference]
        at = reference.end
    return [*parts, text[at:]]


def _said(reference: Reference, facts: Facts) -> str:
    found = facts.resolve(reference)
    if not isinstance(found, Problem):
        return found.text
    name = ", ".join(reference.arguments) or reference.macro
    why = f"did you mean {found.suggestion}?" if found.suggestion else found.text
    return f"??[{name}, {why}]"


def _settings(facts: Facts) -> set[float]:
    values = [value for run in facts.book.names.values() for value in facts.book.settings(run).values()]
    flat = [one for value in values for one in (value if isinstance(value, list) else [value])]
    return {float(one) for one in flat if isinstance(one, (int, float)) and not isinstance(one, bool)}


def _marked(text: str, explained: Collection[float]) -> str:
    """Marks in what is not code."""
    made, at = [], 0
    for code in _CODE.finditer(text):
        made += [_mark(text[at : code.start()], explained), code[0]]
        at = code.end()
    return "".join([*made, _mark(text[at:], explained)])


def _mark(text: str, explained: Collection[float]) -> str:
    def one(found: re.Match[str]) -> str:
        value = _value(found["number"])
        return found[0] if value is None or value in explained else found[0] + MARK

    return _NUMERAL.sub(one, text)


def _value(text: str) -> float | None:
    try:
        return float(text.replace(",", "").replace("−", "-"))
    except ValueError:
        return None
