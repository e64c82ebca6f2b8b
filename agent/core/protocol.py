"""Were two results measured alike? The protocols that they carry, compared key by key. Pure.

Everything in a family's `protocol` but `train` is its evaluation, and must be equal. `train` must be equal too, except for
keys that the frozen plan declares as varied: `core.tokens`, or `tokens` for that key in any family. Limit: a protocol is
what the harness says of itself; a harness that states nothing is taken at its word, and its frozen files are the guard.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

_MISSING = object()


def differences(
    run: Mapping[str, Any], reference: Mapping[str, Any], varied: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What makes the two not comparable, and what differs as declared; each `FAMILY.protocol.eval.KEY: from → to`."""
    allowed = frozenset(varied)
    ours, theirs = _leaves(run), _leaves(reference)
    against: list[str] = []
    declared: list[str] = []
    for path in sorted({*ours, *theirs}):
        new, old = ours.get(path, _MISSING), theirs.get(path, _MISSING)
        if _same(new, old):
            continue
        family, part, *key = path
        text = f"{'.'.join((family, 'protocol', part, *key))}: {_shown(old)} → {_shown(new)}"
        names = {".".join(key), ".".join((family, *key))}
        (declared if part == "train" and names & allowed else against).append(text)
    return tuple(against), tuple(declared)


def _leaves(protocol: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}
    stack: list[tuple[tuple[str, ...], Any]] = [((family,), content) for family, content in protocol.items()]
    while stack:
        path, content = stack.pop()
        if isinstance(content, Mapping) and (content or len(path) == 1):
            stack += [((*path, str(key)), value) for key, value in content.items()]
        else:
            found[path] = content
    return found


def _same(new: Any, old: Any) -> bool:
    """Equal as JSON values: 1 and 1.0 are, 1 and true are not."""
    if isinstance(new, bool) or isinstance(old, bool):
        return new is old
    if isinstance(new, list) and isinstance(old, list):
        return len(new) == len(old) and all(map(_same, new, old))
    if isinstance(new, dict) and isinstance(old, dict):
        return new.keys() == old.keys() and all(_same(new[key], old[key]) for key in new)
    return bool(new == old)


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "missing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
