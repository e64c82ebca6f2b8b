"""What only the sources of packages tell: the stubs of what is written in C, and the names that open functions take."""

import ast
import glob
import importlib
import os
import re
import sys
from typing import Any, Iterator

TORCH_RENAMES = {"dim": ("axis",), "keepdim": ("keepdims",), "input": ("x", "a", "x1"), "other": ("x2",)}  # as in NumPy

TEXTS: Any = {}


def read(path: str) -> str:
    if path not in TEXTS:
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                TEXTS[path] = stream.read()
        except OSError:
            TEXTS[path] = ""
    return str(TEXTS[path])


def definitions(text: str, name: str) -> Iterator[Any]:
    """The parameters' names of each `def name(…)` in a text; of each function, if the name is "*"."""
    for found in re.finditer(r"\bdef %s\(" % (r"\w+" if name == "*" else re.escape(name)), text):
        end, depth = found.end(), 1
        while depth and end < len(text):
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(text[end], 0)
            end += 1
        try:
            taken = ast.parse("def f(" + text[found.end() : end] + ": pass").body[0].args  # type: ignore[attr-defined]
        except (SyntaxError, ValueError):
            continue
        yield [a.arg for a in getattr(taken, "posonlyargs", []) + taken.args + taken.kwonlyargs]
        if taken.vararg:
            yield [taken.vararg.arg]


def pool_of(recipe: Any) -> Any:
    names: Any = set()
    for step in recipe:
        more = gathered(step)
        if not more:
            return None
        names |= more
    return sorted(names - {"self", "cls"})


def gathered(step: Any) -> Any:
    how, where = step[0], step[1]
    if how == "names":
        return set(step[1:])
    if how == "at least":
        version = getattr(importlib.import_module(where), "__version__", "0")
        return {""} if int(version.split(".")[0]) >= int(step[2]) else set()
    names: Any = set()
    for path in sources(where):
        text = read(path)
        if how == "parameters":
            for arguments in definitions(text, step[2]):
                names |= set(arguments)
        elif how == "strings":
            names |= set(re.findall(r"""["']([A-Za-z_]\w*)["']""", text))
        elif how == "fields":
            names |= set(fields(text))
        elif how == "initial":
            for chunk in re.split(r"(?m)^class ", text)[1:]:
                if re.match("(?:" + step[2] + r")\b", chunk):
                    names |= set(next(definitions(chunk, "__init__"), []))
    return names


def fields(text: str) -> Iterator[str]:
    for one, other in re.findall(r"(?m)^    (\w+)\s*(?::|=[^=])|^ +self\.(\w+)(?: =|:) ", text):
        yield one or other


def sources(where: str) -> Any:
    """Files of a package, or of the standard library."""
    top, _, rest = where.partition("/")
    module = importlib.import_module(top[:-3] if top.endswith(".py") else top)
    if not rest:
        return [module.__file__]
    return sorted(glob.glob(os.path.join(os.path.dirname(str(module.__file__)), rest)))


def of_torch(name: str, stub: str) -> Any:
    """Functions of C say nothing; torch's stubs name the arguments of all their overloads."""
    text = read(os.path.join(os.path.dirname(str(sys.modules["torch"].__file__)), stub))
    names: Any = set()
    for arguments in definitions(text, name):
        names |= set(arguments)
    if not names:
        return None
    for here, others in TORCH_RENAMES.items():
        names |= set(others) if here in names else set()
    names -= {"self"}
    return {"params": [[n, "ko", False] for n in sorted(names)], "args": True, "kwargs": False, "names_only": True}
