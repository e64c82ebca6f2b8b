"""What the template's frozen Python files offer, read from their texts: to import them would execute them.

Answers have the form of known.py, so that `harness.report.finish` and `torch.optim.Adam` are judged alike. A module with
a star import or a `__getattr__`, a class with a base class of somewhere else, and a function under an unknown decorator
may be anything.
"""

from __future__ import annotations

import ast
import difflib
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from agent.core.guards import words
from agent.core.known import EITHER, NAMED, POSITIONAL, Answer, Missing, Parameter, Signature, There, Unknown

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
# Decorators that leave the signature what it is.
_HARMLESS = {"cache", "lru_cache", "no_grad", "inference_mode", "contextmanager", "wraps", "staticmethod", "functools"}
_HARMLESS |= {"torch", "contextlib", "abstractmethod", "abc", "maxsize", "None", "override", "typing"}


@dataclass
class _Class:
    node: ast.ClassDef
    names: set[str] = field(default_factory=set)
    is_whole: bool = True  # all of its names are seen


@dataclass
class _Module:
    bound: dict[str, ast.AST | None] = field(default_factory=dict)  # None: bound in another way, or twice
    is_whole: bool = True


def tops(files: Iterable[str]) -> frozenset[str]:
    """Names under which Python files of a folder can be imported from it: `harness`, `experiment`."""
    return frozenset(path.split("/")[0].removesuffix(".py") for path in files if path.endswith(".py"))


def answers(paths: Iterable[str], files: Mapping[str, str]) -> dict[str, Answer]:
    """`files`: path in the template → text, of all frozen Python files, for a missing one is taken not to exist."""
    modules: dict[str, _Module] = {}
    return {path: _answer(path, files, modules) for path in paths}


def _answer(path: str, files: Mapping[str, str], modules: dict[str, _Module]) -> Answer:
    parts = path.split(".")
    here = parts[0]
    if "()" in here or not _is_module(here, files):
        return Unknown()
    while True:
        place = here.replace(".", "/")
        text = next((files[name] for name in (f"{place}.py", f"{place}/__init__.py") if name in files), None)
        module = modules.setdefault(here, _module(text or ""))
        depth = here.count(".") + 1
        if depth == len(parts):
            return There()
        name = parts[depth].replace("()", "")
        inner = f"{here}.{name}"
        if name not in module.bound and _is_module(inner, files):
            if "()" in parts[depth]:
                return Unknown()
            here = inner
        elif name in module.bound:
            return _of_name(f"{here}.{name}", module.bound[name], parts[depth:])
        elif not module.is_whole or name.startswith("__"):
            return Unknown()
        else:
            submodules = {
                p[len(place) + 1 :].split("/")[0].removesuffix(".py") for p in files if p.startswith(f"{place}/")
            }
            return _missing(here, name, {*module.bound, *submodules})


def _is_module(dotted: str, files: Mapping[str, str]) -> bool:
    place = dotted.replace(".", "/")
    return f"{place}.py" in files or any(name.startswith(f"{place}/") for name in files)


def _missing(owner: str, name: str, there: Iterable[str]) -> Missing:
    public = [one for one in there if not one.startswith("_")]
    near = difflib.get_close_matches(name, public, n=3, cutoff=0.6)
    return Missing(owner, name, tuple(near or (sorted(public) if len(public) <= 8 else ())))


def _of_name(done: str, node: ast.AST | None, parts: list[str]) -> Answer:
    """`parts`: the name itself, perhaps called, and what follows."""
    called = parts[0].endswith("()")
    if isinstance(node, _FUNCTIONS):
        return There(_signature(node, 0)) if not called and len(parts) == 1 else Unknown()
    if not isinstance(node, ast.ClassDef) or parts[0].count("()") > 1 or len(parts) > 2:
        return Unknown()
    cls = _class(node)
    if len(parts) == 1:
        return Unknown() if called else There(_made(cls))
    name = parts[1]
    if name.endswith("()") or not called:
        return Unknown()
    if name not in cls.names and cls.is_whole and not name.startswith("__"):
        return _missing(done, name, cls.names)
    method = next((m for m in node.body if isinstance(m, _FUNCTIONS) and m.name == name), None)
    return There(_method(method)) if method is not None else There()


def _module(text: str) -> _Module:
    module = _Module()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return _Module(is_whole=False)
    for node in tree.body:
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            module.bound[node.name] = None if node.name in module.bound else node
    for inner in ast.walk(tree):  # whatever else binds a name, be it in a function: rather too many than too few
        for name in _bound(inner):
            module.bound[name] = None
        if isinstance(inner, ast.ImportFrom) and any(alias.name == "*" for alias in inner.names):
            module.is_whole = False
    if "__getattr__" in module.bound or words(tree) & {"globals", "exec", "setattr"}:
        module.is_whole = False
    return module


def _bound(node: ast.AST) -> list[str]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [alias.asname or alias.name.split(".")[0] for alias in node.names]
    if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
        return [node.id]
    return []


def _class(node: ast.ClassDef) -> _Class:
    cls = _Class(node, is_whole=not node.bases and not node.keywords)
    for inner in ast.walk(node):
        if isinstance(inner, _FUNCTIONS):
            cls.names.add(inner.name)
        elif isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            cls.names.add(inner.id)
        elif isinstance(inner, ast.Attribute) and not isinstance(inner.ctx, ast.Load):
            cls.names.add(inner.attr)
    opened = cls.names & {"__getattr__", "__getattribute__"} or words(node) & {"setattr", "__dict__", "vars"}
    harmless = all(words(decorator) <= {"dataclass", "dataclasses"} for decorator in node.decorator_list)
    cls.is_whole = cls.is_whole and not opened and harmless
    return cls


def _made(cls: _Class) -> Signature | None:
    init = [m for m in cls.node.body if isinstance(m, _FUNCTIONS) and m.name == "__init__"]
    if cls.node.keywords or "__new__" in cls.names:
        return None
    if init:
        return _signature(init[0], 1)
    if not cls.is_whole:
        return None
    return _fields(cls.node) if cls.node.decorator_list else Signature()


def _fields(node: ast.ClassDef) -> Signature | None:
    """Of a dataclass without a base class."""
    if any(isinstance(decorator, ast.Call) and _changes_init(decorator) for decorator in node.decorator_list):
        return None
    parameters = []
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            if words(statement.annotation) & {"ClassVar", "KW_ONLY", "InitVar"} or "field" in words(statement):
                return None
            parameters.append(Parameter(statement.target.id, EITHER, statement.value is None))
    return Signature(tuple(parameters))


def _changes_init(decorator: ast.Call) -> bool:
    return any(keyword.arg in ("init", "kw_only") for keyword in decorator.keywords)


def _method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signature | None:
    names = {word for decorator in node.decorator_list for word in words(decorator)}
    if names & {"property", "cached_property", "setter"}:
        return None
    return _signature(node, 0 if "staticmethod" in names else 1, frozenset({"classmethod"}))


def _signature(
    node: ast.FunctionDef | ast.AsyncFunctionDef, skipped: int, allowed: frozenset[str] = frozenset()
) -> Signature | None:
    if any(words(decorator) - _HARMLESS - allowed for decorator in node.decorator_list):
        return None
    taken = node.args
    plain = [Parameter(a.arg, POSITIONAL) for a in taken.posonlyargs] + [Parameter(a.arg) for a in taken.args]
    needed = len(plain) - len(taken.defaults)
    plain = [Parameter(p.name, p.kind, place < needed) for place, p in enumerate(plain)]
    if skipped > len(plain):
        return None
    named = [
        Parameter(a.arg, NAMED, default is None) for a, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
    ]
    return Signature((*plain[skipped:], *named), taken.vararg is not None, taken.kwarg is not None)
