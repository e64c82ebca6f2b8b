"""Whether two texts of one file would run alike: what is left of a text without what changes no measurement.

Left out of Python: comments, layout, docstrings, texts and `pass` that stand for nothing. Configuration files are
compared as what they say. Anything that cannot be read is compared as it is.
Limits: a name that is only called otherwise, and code that is never reached, count as changes; a run will show that they
change nothing (no effect). A program that reads its own source, or numbers its lines, is not thought of.
"""

from __future__ import annotations

import ast
import configparser
import functools
import json
import sys
import warnings
from collections.abc import Callable

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_DOC = "__doc__"


@functools.lru_cache(maxsize=512)  # the same experiments are compared again with each change
def essence(name: str, text: str) -> str:
    """Equal for two texts exactly if nothing that is measured can differ, as far as this module can tell."""
    read = _READERS.get(name.rpartition(".")[2].lower())
    if read is not None:
        try:
            return read(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError, configparser.Error, LookupError, TypeError):
            pass
    return text.replace("\r\n", "\n")


def _python(text: str) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text.removeprefix("\ufeff"))
    if _DOC not in text:
        _Bare().visit(tree)
    return ast.dump(tree)


class _Bare(ast.NodeTransformer):
    """Without statements that do nothing: docstrings, other bare constants, `pass`."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Pass(self, node: ast.Pass) -> None:
        return None

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        node.kind = None
        return node


def _json(text: str) -> str:
    return json.dumps(json.loads(text), sort_keys=True)


def _toml(text: str) -> str:
    return _ordered(tomllib.loads(text))


def _yaml(text: str) -> str:
    try:
        return _ordered(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _ini(text: str) -> str:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return repr([(section, sorted(parser.items(section))) for section in parser.sections()])


def _ordered(value: object) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(sorted(f'{key!r}: {_ordered(one)}' for key, one in value.items()))}}}"
    return f"[{', '.join(map(_ordered, value))}]" if isinstance(value, list) else repr(value)


_READERS: dict[str, Callable[[str], str]] = {
    "py": _python, "json": _json, "toml": _toml, "yaml": _yaml, "yml": _yaml, "ini": _ini, "cfg": _ini,
}  # fmt: skip
