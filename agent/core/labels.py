"""Which runs plot.py draws: the keys of `labels` at its top, read without running it."""

from __future__ import annotations

import ast

_NAME = "labels"


def labelled(text: str) -> tuple[str, ...] | None:
    """The runs in the order given; None where there is no such dictionary written out, and so nothing is known."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    values = [node.value for node in body if isinstance(node, (ast.Assign, ast.AnnAssign)) and _names(node)]
    if len(values) != 1 or not isinstance(values[0], ast.Dict):
        return None
    keys = [key.value for key in values[0].keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(dict.fromkeys(keys)) if len(keys) == len(values[0].keys) else None


def _names(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(isinstance(target, ast.Name) and target.id == _NAME for target in targets)
