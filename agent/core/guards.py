"""Where code asks first, or expects to fail: there a name that is not in the installed version is no mistake."""

from __future__ import annotations

import ast
import re

Doubt = frozenset[str]  # of these kinds nothing is said
EVERYTHING: Doubt = frozenset({"import", "attribute", "call"})
NOTHING: Doubt = frozenset()
# What is expected where an exception is caught by its name. A broad handler is not there to find out whether an argument
# exists: retries around an invented one are what this check is for.
_EXPECTED = {
    "ImportError": frozenset({"import", "attribute"}),
    "ModuleNotFoundError": frozenset({"import", "attribute"}),
    "AttributeError": frozenset({"attribute", "import"}),
    "NameError": frozenset({"attribute", "import"}),
    "TypeError": frozenset({"call"}),
    "ValueError": NOTHING,
    "Exception": frozenset({"import", "attribute"}),
    "BaseException": frozenset({"import", "attribute"}),
    "": frozenset({"import", "attribute"}),  # a bare `except:`
}
_ASKING = re.compile(
    r"hasattr|getattr|TYPE_CHECKING|signature|getfullargspec|find_spec|platform|PY[23]|parameters|\w*[vV]ersion\w*|\w*VERSION\w*"
    r"|_?is_\w+_(available|installed)|_?(has|have|supports)_\w+|_?(HAS|HAVE|SUPPORTS)_\w+|\w*_(AVAILABLE|INSTALLED)"
)
_PLATFORMS = {"nt", "posix", "win32", "cygwin", "darwin", "linux"}  # of os.name and sys.platform
_EXPECTING = {"suppress", "raises", "assertRaises"}
_ENDS = (ast.Return, ast.Raise, ast.Continue, ast.Break)


def words(tree: ast.AST) -> set[str]:
    return {word for node in ast.walk(tree) for word in (getattr(node, "id", ""), getattr(node, "attr", "")) if word}


def asks(test: ast.AST) -> bool:
    """Whether a condition looks at what there is: a version, an attribute, a platform."""
    said = {node.value for node in ast.walk(test) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return bool(said & _PLATFORMS) or any(_ASKING.fullmatch(word) for word in words(test))


def within(test: ast.AST) -> Doubt:
    """The condition itself: `version >= (2, 0) and torch.new()`"""
    return EVERYTHING if asks(test) and any(isinstance(node, ast.BoolOp) for node in ast.walk(test)) else NOTHING


def leaves_when_asked(statement: ast.stmt) -> bool:
    """`if not hasattr(…): return`: what comes after it depends on the answer, too."""
    return isinstance(statement, ast.If) and asks(statement.test) and isinstance(statement.body[-1], _ENDS)


def expected(handlers: list[ast.ExceptHandler]) -> Doubt:
    names: set[str] = set()
    for handler in handlers:
        names |= words(handler.type) if handler.type is not None else {""}
    return frozenset().union(*(_EXPECTED.get(name, NOTHING) for name in names))


def expected_in(statement: ast.With | ast.AsyncWith) -> Doubt:
    """`with suppress(ImportError):`"""
    said = {word for item in statement.items for word in words(item.context_expr)}
    return EVERYTHING if said & _EXPECTING else NOTHING


def called(handlers: list[ast.ExceptHandler]) -> set[str]:
    """What handlers call: if it is what failed, it is called in another way there."""
    inside = (node for handler in handlers for node in ast.walk(handler))
    return {ast.dump(node.func) for node in inside if isinstance(node, ast.Call)}


def is_fallback(handlers: list[ast.ExceptHandler]) -> bool:
    """Whether the handlers hold the other way to do what may not work here."""
    return bool(expected(handlers))
