"""Which names of a Python text are surely not there when its line is run: pyflakes, asked twice.

pyflakes reads from top to bottom. So a name that a loop brings round, that was deleted on another way, or that `exec`,
`globals()` or a notebook defines, is undefined to it; here all that is doubt, and doubt means that the name may be there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from pyflakes import checker, messages

from agent.core.text import did_you_mean

# Defined by notebooks, type checkers, profilers, gettext, or by a newer Python than the one that reads.
_FROM_OUTSIDE = frozenset({
    "display", "get_ipython", "In", "Out", "exit", "quit", "reveal_type", "reveal_locals", "profile", "_", "aiter",
    "anext", "ExceptionGroup", "BaseExceptionGroup", "EncodingWarning", "PythonFinalizationError",
})  # fmt: skip
# What is usually imported under this very name: then the import is missing, and no other name was meant.
_IMPORTED = frozenset({
    "np", "pd", "plt", "sns", "nn", "F", "torch", "optim", "tf", "jax", "jnp", "scipy", "sklearn", "transformers",
    "datasets", "einops", "tqdm", "wandb", "matplotlib", "os", "sys", "re", "math", "json", "time", "random",
    "copy", "argparse", "pathlib", "itertools", "functools", "collections", "logging", "pickle", "csv", "glob",
    "shutil", "subprocess", "warnings", "tempfile", "datetime", "traceback", "dataclasses", "typing", "contextlib",
    "inspect", "hashlib", "gc", "Path", "defaultdict", "Counter", "OrderedDict", "deque", "partial", "deepcopy",
    "dataclass", "field", "Any", "Optional", "Union", "List", "Dict", "Tuple", "Callable", "DataLoader", "Dataset",
    "TensorDataset", "Tensor", "AutoTokenizer", "AutoModel", "AutoModelForCausalLM", "load_dataset",
})  # fmt: skip
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_TRIES = (ast.Try, getattr(ast, "TryStar", ast.Try))
_MAY_SKIP = (ast.If, ast.IfExp, ast.BoolOp, ast.Match, *_TRIES)
# Words in a test, a handler or a `with` under which a name need not be there.
_GUARDS = {"NameError", "UnboundLocalError", "suppress", "TYPE_CHECKING", "version_info", "PY2", "PY3"}
_ASKING = {"globals", "locals", "vars", "dir"}
_READING = {"items", "keys", "values", "get", "copy"}


class Reader(checker.Checker):  # type: ignore[misc]
    """Checks when it is made. Leaves out what Python never evaluates; remembers where names are bound and deleted."""

    def __init__(self, tree: ast.AST, name: str) -> None:
        self.bound: dict[tuple[int, str], list[Any]] = {}  # (scope, name): the nodes
        self.deleted: set[tuple[int, str]] = set()
        super().__init__(tree, filename=name, builtins=_FROM_OUTSIDE, withDoctest=False)

    def is_unbound(self, message: Any) -> bool:
        """Whether an undefined name, or an undefined local, surely is one."""
        name, unseen = message.name, self._unseen
        if name.startswith("__") or unseen is None or name in unseen or _is_guarded(message.node):
            return False
        if self.filename.endswith("__init__.py") or any(s.importStarred for s in message.scopes):
            return False  # submodules are names there; `del` of what a star brought
        running = _running(message.scopes)
        around = [s for s in message.scopes[: -len(running)] if not isinstance(s, checker.ClassScope)]
        if isinstance(message, messages.UndefinedName) and any((id(s), name) in self.bound for s in around):
            return False  # bound and deleted again: who knows when this function is called
        places = self._places(running, name)
        if places and any((id(s), name) in self.deleted for s in running):
            return False
        return not any(_may_come_first(message.node, place) for place in places)

    def hint(self, message: Any) -> str:
        """What is wrong with an undefined name, and what may have been meant."""
        name = message.name
        if later := self._places(_running(message.scopes), name):
            if any(isinstance(place, ast.ExceptHandler) for place in later):
                return f"`{name}` exists only inside its `except` block"
            line = min(place.lineno for place in later)
            return f"`{name}` is used before it gets a value" + (f" (line {line})" if line > message.lineno else "")
        places = [place for (_, bound), nodes in self.bound.items() if bound == name for place in nodes]
        if inside := sorted({getattr(self.getScopeNode(place), "name", "") for place in places} - {""}):
            return f"`{name}` is not defined here; it exists only inside `{'`, `'.join(inside[:3])}`"
        if name in _IMPORTED:
            return f"`{name}` is not imported in this file"
        visible = {n for s in message.scopes if not isinstance(s, checker.ClassScope) for n in s if n[:2] != "__"}
        return f"`{name}` is not defined in this file{did_you_mean(name, visible - _FROM_OUTSIDE)}"

    def _places(self, scopes: tuple[Any, ...], name: str) -> list[Any]:
        return [place for scope in scopes for place in self.bound.get((id(scope), name), ())]

    @cached_property
    def _unseen(self) -> set[str] | None:
        """Names that may come unseen: those that are asked for in quotes, or (None) any, if the file makes some."""
        nodes = list(ast.walk(self.root))
        if any(_makes_names(node) for node in nodes):
            return None
        if not any(isinstance(n, ast.Name) and n.id in _ASKING for n in nodes):
            return set()
        return {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}

    # --- what pyflakes calls while it reads ---

    def report(self, kind: Any, node: Any, *arguments: Any) -> None:
        super().report(kind, node, *arguments)
        message = self.messages[-1]
        message.node, message.scopes = node, tuple(self.scopeStack)
        message.name = arguments[0] if kind in (messages.UndefinedName, messages.UndefinedLocal) else ""

    def addBinding(self, node: Any, value: Any) -> None:
        if node is not None and not isinstance(value, checker.Annotation):
            inner = checker.GeneratorScope if isinstance(value, checker.NamedExprAssignment) else ()
            scope = next(s for s in reversed(self.scopeStack) if not isinstance(s, inner))
            if isinstance(value, checker.Definition) and isinstance(scope, checker.FunctionScope):
                self._check_earlier_use(scope, value)
            self.bound.setdefault((id(scope), value.name), []).append(node)
        super().addBinding(node, value)

    def _check_earlier_use(self, scope: Any, value: Any) -> None:
        """For `import` and `def` in a function; pyflakes does it for assignments."""
        for around in self.scopeStack[:-1] if value.name not in scope else ():
            used = value.name in around and not isinstance(around, checker.ClassScope) and around[value.name].used
            if used and used[0] is scope:
                self.report(messages.UndefinedLocal, used[1], value.name, around[value.name].source)

    def GLOBAL(self, node: Any) -> None:
        for name in node.names:
            self.bound.setdefault((id(self.scopeStack[0]), name), []).append(node)
        super().GLOBAL(node)

    def handleNodeDelete(self, node: Any) -> None:
        self.deleted.add((id(self.scope), getattr(node, "id", "")))
        super().handleNodeDelete(node)

    def handleStringAnnotation(self, *_: Any) -> None: ...

    def handle_annotation_always_deferred(self, *_: Any) -> None: ...

    def handleAnnotation(self, annotation: Any, node: Any) -> None:
        if not (isinstance(node, ast.AnnAssign) and isinstance(self.scope, checker.FunctionScope)):
            super().handleAnnotation(annotation, node)


def _running(scopes: tuple[Any, ...]) -> tuple[Any, ...]:
    """The scopes whose code runs as one: the function (or module), and classes and comprehensions in it."""
    start = len(scopes) - 1
    while start and not isinstance(scopes[start], checker.FunctionScope):
        start -= 1
    return scopes[start:]


def _upward(node: Any) -> Iterator[tuple[Any, Any]]:
    while (parent := getattr(node, "_pyflakes_parent", None)) is not None:
        yield node, parent
        node = parent


def _may_come_first(use: Any, place: Any) -> bool:
    """Whether a loop can bring `place`, where the name is bound further down, before `use`."""
    if isinstance(statement := _statement(use), (ast.Assign, ast.AugAssign)) and statement is _statement(place):
        return False
    skipped = False
    for child, parent in _upward(use):
        repeats = isinstance(parent, _COMPREHENSIONS) or (isinstance(parent, _LOOPS) and child in parent.body)
        if repeats and skipped and any(above is parent for _, above in _upward(place)):
            return True
        skipped = skipped or repeats or isinstance(parent, _MAY_SKIP)
    return False


def _statement(node: Any) -> Any:
    return next((n for n, _ in _upward(node) if isinstance(n, ast.stmt)), None)


def _is_guarded(node: Any) -> bool:
    return any(_words(test) & _GUARDS for child, parent in _upward(node) for test in _tests(child, parent))


def _tests(child: Any, parent: Any) -> list[Any]:
    if isinstance(parent, _TRIES):
        return [handler.type for handler in parent.handlers if handler.type] if child in parent.body else []
    if isinstance(parent, (ast.With, ast.AsyncWith)):
        return [item.context_expr for item in parent.items]
    return [parent.test] if isinstance(parent, (ast.If, ast.IfExp)) else []


def _words(tree: ast.AST) -> set[str]:
    return {word for node in ast.walk(tree) for word in (getattr(node, "id", ""), getattr(node, "attr", ""))}


def _makes_names(node: Any) -> bool:
    """exec(text), globals() other than for reading, sys.modules[__name__], builtins.x, and enum's ways to export."""
    if isinstance(node, ast.Attribute):
        return node.attr in ("_convert_", "global_enum") or getattr(node.value, "id", "") in (
            "builtins",
            "__builtins__",
        )
    if isinstance(node, ast.Subscript):
        return getattr(node.slice, "id", "") == "__name__"
    called = getattr(node.func, "id", "") if isinstance(node, ast.Call) else ""
    if called != "globals":
        return (called == "exec" and len(node.args) == 1) or called == "global_enum"
    use = getattr(node, "_pyflakes_parent", None)
    if isinstance(use, ast.Attribute):
        return use.attr not in _READING
    return not (isinstance(use, ast.Compare) or (isinstance(use, ast.Subscript) and isinstance(use.ctx, ast.Load)))
