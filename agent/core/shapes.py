"""One use of a name of an imported module, and the shape of a call: how many arguments, and which names."""

from __future__ import annotations

import ast
from dataclasses import dataclass


@dataclass(frozen=True)
class Shape:
    """The arguments of a call."""

    positional: int = 0
    keywords: tuple[str, ...] = ()
    starred: bool = False  # there may be more of the ones without names
    doubled: bool = False  # or of the ones with names
    partial: bool = False  # functools.partial: more come later


@dataclass(frozen=True)
class Use:
    kind: str  # "import", "attribute" or "call"
    path: str
    line: int
    shape: Shape = Shape()


def shape_of(arguments: list[ast.expr], keywords: list[ast.keyword], partial: bool = False) -> Shape:
    plain = [argument for argument in arguments if not isinstance(argument, ast.Starred)]
    named = tuple(keyword.arg for keyword in keywords if keyword.arg)
    return Shape(len(plain), named, len(plain) < len(arguments), len(named) < len(keywords), partial)
