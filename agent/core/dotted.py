"""What the names in a Python text stand for, as far as that is plain: `F.relu` is `torch.nn.functional.relu`.

A path is a dotted name that begins with an imported module; `()` in it stands for the result of a call, so that
`opt.step` is `torch.optim.Adam().step` where `opt = torch.optim.Adam(…)`. A name that is bound in more than one way, by a
loop, a parameter or a star import, stands for nothing here: doubt is silence.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Literal

# Methods that give back what they were called on, so that `model = model.to(device)` leaves the name what it was.
FLUENT = (
    *("to", "eval", "train", "cuda", "cpu", "half", "float", "double", "bfloat16", "requires_grad_"),
    *("map", "filter", "shuffle", "select", "with_format"),
)
_ITSELF = "<itself>"
_LONGEST = 12  # parts of a path

Kind = Literal["module", "function", "class", "comprehension"]


@dataclass
class Binding:
    """One way in which a name gets its value: by an import (a path), from an expression, or in a way that says nothing."""

    path: str = ""
    value: ast.expr | None = None
    scope: Scope | None = None
    line: int = 0


@dataclass
class Scope:
    kind: Kind
    around: Scope | None = None
    bound: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, Scope] = field(default_factory=dict)  # by `global` and `nonlocal`
    last_star: int = 0  # line of the last `from … import *`

    def bind(self, name: str, binding: Binding) -> None:
        home = self.elsewhere.get(name, self)
        home.bound.setdefault(name, []).append(binding)

    def function(self) -> Scope:
        """Where `:=` binds: a comprehension has no names of its own but its targets."""
        scope = self
        while scope.kind == "comprehension" and scope.around is not None:
            scope = scope.around
        return scope

    def module(self) -> Scope:
        return self if self.around is None else self.around.module()

    def enclosing(self, name: str) -> Scope:
        """The function around this one that binds `name`, for `nonlocal`."""
        scope = self.around
        while scope is not None and not (scope.kind == "function" and name in scope.bound):
            scope = scope.around
        return scope or self.module()

    def find(self, name: str) -> Scope | None:
        """The scope that gives `name` its value where this scope's code runs."""
        if name in self.elsewhere:
            return self.elsewhere[name]
        if name in self.bound:
            return self
        scope = self.around
        while scope is not None:
            if name in scope.bound and scope.kind != "class":
                return scope
            if name in scope.elsewhere:
                return scope.elsewhere[name]
            scope = scope.around
        return None


@dataclass
class Names:
    """Attributes of `self` count for the whole file: `own` holds what each is set to, `stored` what is set on others."""

    own: dict[str, list[Binding]] = field(default_factory=dict)
    stored: set[str] = field(default_factory=set)

    def path(self, node: ast.expr, scope: Scope) -> str:
        """The path that an expression stands for, or nothing."""
        found = self._path(node, scope, frozenset())
        return "" if found.startswith(_ITSELF) or found.count(".") >= _LONGEST else found

    def _path(self, node: ast.expr, scope: Scope, under_way: frozenset[tuple[int, str]]) -> str:
        if isinstance(node, ast.Name):
            return self._named(node, scope, under_way)
        if isinstance(node, ast.NamedExpr):
            return self._path(node.value, scope, under_way)
        if isinstance(node, ast.Call):
            called = self._path(node.func, scope, under_way)
            return f"{called}()" if called and not _runs_code_from_the_hub(node) else ""
        if isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                return self._of_self(node.attr, under_way)
            owner = self._path(node.value, scope, under_way)
            return owner and f"{owner}.{node.attr}"
        return ""

    def _of_self(self, name: str, under_way: frozenset[tuple[int, str]]) -> str:
        key = (0, name)
        if key in under_way:
            return _ITSELF
        return "" if name in self.stored else self._agreed(self.own.get(name, []), under_way | {key})

    def _named(self, node: ast.Name, scope: Scope, under_way: frozenset[tuple[int, str]]) -> str:
        home = scope.find(node.id)
        if home is None:
            return ""
        key = (id(home), node.id)
        if key in under_way:
            return _ITSELF
        bindings = home.bound.get(node.id, [])
        star = home.module().last_star
        if star and any(binding.line <= star for binding in bindings):
            return ""  # the star may have brought another one of this name
        return self._agreed(bindings, under_way | {key})

    def _agreed(self, bindings: list[Binding], under_way: frozenset[tuple[int, str]]) -> str:
        paths = {self._bound(binding, under_way) for binding in bindings}
        paths = {path for path in paths if not _changes_nothing(path)}
        return paths.pop() if len(paths) == 1 else ""

    def _bound(self, binding: Binding, under_way: frozenset[tuple[int, str]]) -> str:
        if binding.value is None or binding.scope is None:
            return binding.path
        return self._path(binding.value, binding.scope, under_way)


def _runs_code_from_the_hub(call: ast.Call) -> bool:
    """What it gives has methods of its own then."""
    asked = [keyword.value for keyword in call.keywords if keyword.arg == "trust_remote_code"]
    return any(not (isinstance(value, ast.Constant) and value.value is False) for value in asked)


def _changes_nothing(path: str) -> bool:
    """`model = model.to(device).eval()` and the like."""
    if not path.startswith(f"{_ITSELF}."):
        return False
    return all(part.endswith("()") and part[:-2] in FLUENT for part in path[len(_ITSELF) + 1 :].split("."))
