"""Which runs plot.py draws: the keys of `labels` at its top, read without running it."""

from __future__ import annotations

import ast

_NAME = "labels"
_CHANGING = ("update", "setdefault", "pop", "popitem", "clear")


def labelled(text: str) -> tuple[str, ...] | None:
    """The runs in the order given; None where there is no such dictionary written out, and so nothing is known."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if any(_changes(node) for top in body for node in ast.walk(top)):
        return None
    values = [node.value for node in body if isinstance(node, (ast.Assign, ast.AnnAssign)) and _names(node)]
    if len(values) != 1 or not isinstance(values[0], ast.Dict):
        return None
    keys = [key.value for key in values[0].keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    return tuple(dict.fromkeys(keys)) if len(keys) == len(values[0].keys) else None


def _changes(node: ast.AST) -> bool:
    """labels["run_1"] = …, labels.update(…), labels |= …: what it holds in the end is known to the program alone."""
    if isinstance(node, ast.AugAssign):
        return _is_it(node.target)
    if isinstance(node, ast.Subscript):
        return _is_it(node.value) and not isinstance(node.ctx, ast.Load)
    return isinstance(node, ast.Attribute) and node.attr in _CHANGING and _is_it(node.value)


def _is_it(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == _NAME


def _names(node: ast.Assign | ast.AnnAssign) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return any(_is_it(target) for target in targets)
