"""What a results file looks like, for who writes a program that reads it: every kind of key, few values, bounded length.

A dictionary whose keys are those of the one before it is named and not shown again; of long ones and of lists the first
entries stand for all. It is to be read, not parsed.
"""

from __future__ import annotations

import json
from typing import Any

LONGEST = 2_400
_MOST_KEYS, _MOST_ITEMS, _LONGEST_VALUE, _DEEPEST = 5, 2, 40, 5


def excerpt(data: bytes, longest: int = LONGEST) -> str:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return "(no JSON)"
    text = "\n".join(_lines(value, 0))
    return text if len(text) <= longest else text[:longest].rsplit("\n", 1)[0] + "\n…"


def keys(data: bytes, most: int = 20) -> str:
    """The keys of a curve file and how long the lists are that they lead to."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return "(no JSON)"
    if not isinstance(value, dict):
        return _inline(value)
    told = [f"{name} ({len(of)} values)" if isinstance(of, list) else str(name) for name, of in value.items()]
    return ", ".join(told[:most]) + (f" and {len(told) - most} more" if len(told) > most else "")


def _lines(value: Any, depth: int) -> list[str]:
    if not isinstance(value, dict) or depth >= _DEEPEST:
        return [_inline(value)]
    pad, lines, seen = "  " * (depth + 1), ["{"], dict[frozenset[str], str]()
    plain = 0
    for name, of in value.items():
        if isinstance(of, dict) and of:
            same = seen.setdefault(frozenset(of), name)
            first, *rest = [_again(of, same)] if same != name else _lines(of, depth + 1)
            lines += [f"{pad}{json.dumps(name)}: {first}", *rest]
        elif (plain := plain + 1) <= _MOST_KEYS:
            lines.append(f"{pad}{json.dumps(name, ensure_ascii=False)}: {_inline(of)}")
    if plain > _MOST_KEYS:
        lines.append(f"{pad}… and {plain - _MOST_KEYS} more keys")
    return [*lines, "  " * depth + "}"]


def _again(value: dict[str, Any], same: str) -> str:
    """The first entry is shown: under the same keys, one may hold lists and the other numbers."""
    name, of = next(iter(value.items()))
    return f"{{{json.dumps(name, ensure_ascii=False)}: {_inline(of)}, … the same keys as {json.dumps(same)}}}"


def _inline(value: Any, depth: int = 0) -> str:
    if isinstance(value, list):
        first = "…" if depth > 1 else ", ".join(_inline(item, depth + 1) for item in value[:_MOST_ITEMS])
        return f"[{first}, … {len(value)} values]" if len(value) > _MOST_ITEMS else f"[{first}]"
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 2] + '…"'
