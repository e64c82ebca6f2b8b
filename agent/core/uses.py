"""What a Python text uses of the modules that it imports: names, and how they are called.

Left out is what is never evaluated (annotations), and marked is what is doubtful (guards.py). A text that makes names out
of strings (`exec`, `globals()[…]`) uses nothing that could be told.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agent.core import guards
from agent.core.dotted import Binding, Names, Scope
from agent.core.guards import EVERYTHING, NOTHING, Doubt
from agent.core.shapes import Use, shape_of

_NAMING = ("register_buffer", "register_parameter", "add_module", "register_module")  # (name, …) becomes an attribute
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_TRIES = (ast.Try, getattr(ast, "TryStar", ast.Try))


@dataclass
class _Place:
    node: ast.expr
    scope: Scope
    kind: str
    arguments: ast.Call | None = None  # of a partial: the call of it


@dataclass
class _Reader:
    """Reads a whole file before it answers, for a name may be bound further down."""

    names: Names = field(default_factory=Names)
    places: list[_Place] = field(default_factory=list)
    imports: list[Use] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)  # "x" of hasattr(module, "x")
    changed: list[tuple[ast.expr, Scope]] = field(default_factory=list)  # what gets attributes that are not named
    again: set[str] = field(default_factory=set)  # what the handlers around call, too
    unreadable: bool = False

    # --- statements ---

    def block(self, statements: Iterable[ast.stmt], scope: Scope, doubt: Doubt) -> None:
        for statement in statements:
            self.visit(statement, scope, doubt)
            if guards.leaves_when_asked(statement):
                doubt = EVERYTHING

    def visit(self, node: ast.AST, scope: Scope, doubt: Doubt) -> None:
        if isinstance(node, (*_FUNCTIONS, ast.Lambda)):
            self._function(node, scope, doubt)
        elif isinstance(node, ast.ClassDef):
            self._class(node, scope, doubt)
        elif isinstance(node, _COMPREHENSIONS):
            self._comprehension(node, scope, doubt)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            self._import(node, scope, doubt)
        elif isinstance(node, (ast.Global, ast.Nonlocal)):
            for name in node.names:
                home = scope.module() if isinstance(node, ast.Global) else scope.enclosing(name)
                scope.elsewhere[name] = home
        elif isinstance(node, _TRIES):
            self._try(node, scope, doubt)
        elif isinstance(node, (ast.If, ast.IfExp, ast.While, ast.Assert)):
            self.visit(node.test, scope, doubt | guards.within(node.test))
            self._children(node, scope, EVERYTHING if guards.asks(node.test) else doubt, but="test")
        elif isinstance(node, (ast.With, ast.AsyncWith)):
            self._children(node, scope, doubt | guards.expected_in(node))
        elif isinstance(node, ast.expr):
            self._expression(node, scope, doubt)
        else:
            self._binding_statement(node, scope)
            self._children(node, scope, doubt)

    def _children(self, node: ast.AST, scope: Scope, doubt: Doubt, but: str = "ctx") -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", but):
                continue
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                self.block(value, scope, doubt)
            elif isinstance(value, list):
                for item in value:
                    if isinstance(item, ast.AST):
                        self.visit(item, scope, doubt)
            elif isinstance(value, ast.AST):
                self.visit(value, scope, doubt)

    def _binding_statement(self, node: ast.AST, scope: Scope) -> None:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            self._assign(node.targets[0], node.value, scope)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign(node.target, node.value, scope)
        elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
            scope.bind(node.name, Binding(line=node.lineno))
        elif isinstance(node, ast.MatchMapping) and node.rest:
            scope.bind(node.rest, Binding(line=node.lineno))

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        """Only a plain name, or an attribute of self, keeps what it is set to; `_expression` sees to the others."""
        binding = Binding(value=value, scope=scope, line=target.lineno)
        if isinstance(target, ast.Name):
            scope.bind(target.id, binding)
            target._bound = True  # type: ignore[attr-defined]
        elif isinstance(target, ast.Attribute) and _is_self(target.value):
            self.names.own.setdefault(target.attr, []).append(binding)
            target._bound = True  # type: ignore[attr-defined]

    def _try(self, node: ast.Try, scope: Scope, doubt: Doubt) -> None:
        inside = doubt | guards.expected(node.handlers)
        before, self.again = self.again, self.again | guards.called(node.handlers)
        self.block(node.body, scope, inside)
        self.again = before
        other = EVERYTHING if guards.is_fallback(node.handlers) and inside != doubt else doubt
        for handler in node.handlers:
            if handler.type is not None:
                self.visit(handler.type, scope, doubt)
            self._binding_statement(handler, scope)
            self.block(handler.body, scope, other)
        self.block(node.orelse, scope, inside)
        self.block(node.finalbody, scope, doubt)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope, doubt: Doubt) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                path = alias.name
                bound = alias.asname or path.split(".")[0]
                target = path if alias.asname else bound
            elif alias.name == "*":
                scope.module().last_star = node.lineno
                path, bound, target = (node.module or "") if not node.level else "", "", ""
            else:
                path = f"{node.module}.{alias.name}" if not node.level else ""
                bound, target = alias.asname or alias.name, path
            if bound:
                scope.bind(bound, Binding(path=target, line=node.lineno))
            if path and "import" not in doubt and not path.startswith("__future__"):
                self.imports.append(Use("import", path, alias.lineno))

    # --- what has names of its own ---

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda, scope: Scope, doubt: Doubt) -> None:
        taken = node.args
        for outer in (*taken.defaults, *taken.kw_defaults, *getattr(node, "decorator_list", ())):
            if outer is not None:
                self.visit(outer, scope, doubt)
        inner = Scope("function", scope)
        stars = [star for star in (taken.vararg, taken.kwarg) if star is not None]
        for argument in (*taken.posonlyargs, *taken.args, *taken.kwonlyargs, *stars):
            inner.bind(argument.arg, Binding())
        if isinstance(node, ast.Lambda):
            self.visit(node.body, inner, doubt)
        else:
            scope.bind(node.name, Binding(line=node.lineno))
            self.block(node.body, inner, doubt)

    def _class(self, node: ast.ClassDef, scope: Scope, doubt: Doubt) -> None:
        for outer in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(outer, scope, doubt)
        scope.bind(node.name, Binding(line=node.lineno))
        self.block(node.body, Scope("class", scope), doubt)

    def _comprehension(self, node: ast.expr, scope: Scope, doubt: Doubt) -> None:
        inner = Scope("comprehension", scope)
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        self.visit(generators[0].iter, scope, doubt)
        for number, generator in enumerate(generators):
            if number:
                self.visit(generator.iter, inner, doubt)
            self.visit(generator.target, inner, doubt)
            asks = any(guards.asks(test) for test in generator.ifs)
            doubt = EVERYTHING if asks else doubt
            for test in generator.ifs:
                self.visit(test, inner, doubt)
        for part in ("elt", "key", "value"):
            if (element := getattr(node, part, None)) is not None:
                self.visit(element, inner, doubt)

    # --- expressions ---

    def _expression(self, node: ast.expr, scope: Scope, doubt: Doubt) -> None:
        if isinstance(node, ast.Name):
            if not isinstance(node.ctx, ast.Load) and not getattr(node, "_bound", False):
                scope.bind(node.id, Binding(line=node.lineno))
        elif isinstance(node, ast.Attribute):
            self._attribute(node, scope, doubt)
        elif isinstance(node, ast.NamedExpr):
            scope.function().bind(node.target.id, Binding(value=node.value, scope=scope, line=node.lineno))
            self.visit(node.value, scope, doubt)
        else:
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                self._namespace(node.value, scope)
            if isinstance(node, ast.Call):
                self._call(node, scope, doubt)
            self._children(node, scope, doubt)

    def _attribute(self, node: ast.Attribute, scope: Scope, doubt: Doubt) -> None:
        if isinstance(node.ctx, ast.Load):
            if "attribute" not in doubt:
                self.places.append(_Place(node, scope, "attribute"))
        elif not getattr(node, "_bound", False):
            if _is_self(node.value):
                self.names.own.setdefault(node.attr, []).append(Binding())
            else:
                self.names.stored.add(node.attr)
        inner: ast.expr = node.value
        while isinstance(inner, ast.Attribute) and isinstance(node.ctx, ast.Load):
            inner = inner.value  # the whole chain stands for its parts
        self.visit(inner, scope, doubt)

    def _call(self, node: ast.Call, scope: Scope, doubt: Doubt) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        said = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
        if name in ("hasattr", "getattr"):
            self.asked |= set(said)
        elif name in ("setattr", "delattr"):
            self.names.stored |= set(said)
            if not said and node.args:
                self.changed.append((node.args[0], scope))
        elif name in _NAMING:
            self.names.stored |= set(said[:1])
        elif name in ("update", "setdefault") and isinstance(node.func, ast.Attribute):
            self._namespace(node.func.value, scope)
        self.unreadable |= name == "exec"
        if "call" not in doubt and not (self.again and ast.dump(node.func) in self.again):
            self.places.append(_Place(node.func, scope, "call", node))

    def _namespace(self, node: ast.expr, scope: Scope) -> None:
        """What is set by a name in a text: `globals()[name] = …`, `vars(module).update(…)`, `sys.modules[name] = …`"""
        if isinstance(node, ast.Call):
            maker = getattr(node.func, "id", "")
            self.unreadable |= maker in ("globals", "locals") or (maker == "vars" and not node.args)
            if maker == "vars":
                self.changed += [(argument, scope) for argument in node.args]
        elif isinstance(node, ast.Attribute) and node.attr in ("__dict__", "modules"):
            self.changed.append((node.value, scope))

    # --- the answer ---

    def uses(self) -> Iterator[Use]:
        yield from self.imports
        for place in self.places:
            path = self.names.path(place.node, place.scope)
            if not path or set(path.replace("()", "").split(".")[1:]) & self.names.stored:
                continue
            if place.arguments is None:
                yield Use("attribute", path, _line(place.node))
            else:
                yield from self._called(path, place)

    def _called(self, path: str, place: _Place) -> Iterator[Use]:
        call = place.arguments
        assert call is not None
        if path == "functools.partial" and call.args:
            made = self.names.path(call.args[0], place.scope)
            if made:
                yield Use("call", made, call.lineno, shape_of(call.args[1:], call.keywords, partial=True))
        yield Use("call", path, call.lineno, shape_of(call.args, call.keywords))


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _line(node: ast.expr) -> int:
    return getattr(node, "end_lineno", None) or node.lineno


def uses(tree: ast.Module) -> list[Use]:
    """In the order of their lines."""
    reader = _Reader()
    reader.block(tree.body, Scope("module"), NOTHING)
    if reader.unreadable or any(reader.names.path(*changed) for changed in reader.changed):
        return []
    told = [use for use in reader.uses() if not _was_asked(use, reader.asked)]
    return sorted(told, key=lambda use: use.line)


def _was_asked(use: Use, asked: set[str]) -> bool:
    return bool(set(use.path.replace("()", "").split(".")[1:]) & asked) or bool(set(use.shape.keywords) & asked)
