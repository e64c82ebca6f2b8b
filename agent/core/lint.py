"""What in a change of Python files would surely fail where it is run, though it compiles: pyflakes, read strictly.

A false alarm costs the coder a turn, so doubt is silence. Only new findings count, compared by kind and source line, not
by line number; code that nobody calls counts too. A file is read alone: what it imports is taken to be there.
"""

from __future__ import annotations

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.core.text import shorten
from agent.core.unbound import Reader

_MOST = 8
_LONGEST_LINE = 120

# Each kind of message of pyflakes stands in one of the two tables. {0}, {1}: its arguments.
FATAL = {
    # NameError and UnboundLocalError, unless `unbound` sees a way out
    "UndefinedName": "`{0}` is not defined in this file",
    "UndefinedLocal": "`{0}` is used before it gets a value; the function sets it, so it is its own here, not the outer one",
    # TypeError, IndexError, KeyError or ValueError, whatever the values are
    "PercentFormatPositionalCountMismatch": "`%` has {0} placeholder(s) in its text but {1} value(s)",
    "PercentFormatMissingArgument": "the text before `%` asks for {0}, which the mapping does not hold",
    "PercentFormatExpectedMapping": "`%` is given a tuple, but its text holds no placeholder for it or names keys",
    "PercentFormatExpectedSequence": "`%` is given one mapping, but its text asks for several values",
    "PercentFormatUnsupportedFormatCharacter": "`%{0}` is no placeholder of `%` formatting",
    "PercentFormatInvalidFormat": "the text before `%` ends in the middle of a placeholder (write `%%` for a percent sign)",
    "PercentFormatStarRequiresSequence": "`*` in the text before `%` needs a tuple of values",
    "StringDotFormatMissingArgument": "the text before `.format` asks for {0}, which it is not given",
    "StringDotFormatMixingAutomatic": "the text before `.format` mixes {{}} with {{0}}",
    "StringDotFormatInvalidFormat": "the text before `.format` is broken: {0} (write {{{{ and }}}} for braces)",
    # TypeError instead of what was meant
    "RaiseNotImplemented": "NotImplemented is no exception; write `raise NotImplementedError`",
    "InvalidPrintSyntax": "`print >>` is Python 2; write `print(…, file=…)`",
    # SyntaxError: compile() is asked first, so that only callers who do not compile see these
    "ReturnOutsideFunction": "`return` outside a function",
    "YieldOutsideFunction": "`yield` or `await` outside a function",
    "ContinueOutsideLoop": "`continue` outside a loop",
    "BreakOutsideLoop": "`break` outside a loop",
    "DuplicateArgument": "the parameter `{0}` is given twice",
    "DefaultExceptNotLast": "`except:` must be the last handler",
    "TwoStarredExpressions": "two starred names in one assignment",
    "TooManyExpressionsInStarredAssignment": "too many names in a starred assignment",
    "LateFutureImport": "`from __future__` must be at the beginning of the file",
    "FutureFeatureNotDefined": "`__future__` has no feature {0}",
    "ImportStarNotPermitted": "`from {0} import *` is only allowed outside functions and classes",
}
HARMLESS = {
    # the names may well be there
    *("ImportStarUsed", "ImportStarUsage"),
    # never evaluated
    *("ForwardAnnotationSyntaxError", "DoctestSyntaxError", "UndefinedExport"),
    # works, though it may not be what was meant; a SyntaxWarning at most
    *("IfTuple", "AssertTuple", "IsLiteral", "MultiValueRepeatedKeyLiteral", "MultiValueRepeatedKeyVariable"),
    *("StringDotFormatExtraPositionalArguments", "StringDotFormatExtraNamedArguments"),
    # '%s %(a)s' % {'a': 1} works, the other order does not
    *("PercentFormatExtraNamedArguments", "PercentFormatMixedPositionalAndNamed"),
    # taste
    *("UnusedImport", "UnusedVariable", "UnusedAnnotation", "UnusedIndirectAssignment", "RedefinedWhileUnused"),
    *("ImportShadowedByLoopVar", "FStringMissingPlaceholders", "TStringMissingPlaceholders"),
}


@dataclass(frozen=True)
class _Finding:
    identity: tuple[str, str, str]  # kind, what it is about, source line
    line: int
    said: str


def findings(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each new finding in `after`, the files that changed; one for a name, however often it is used."""
    said = []
    for name, text in sorted(after.items()):
        if name.endswith(".py"):
            same: dict[str, list[_Finding]] = {}
            for finding in _new(name, before.get(name, ""), text):
                same.setdefault(finding.said, []).append(finding)
            said += [_sentence(name, *each) for each in same.values()]
    return (*said[:_MOST], f"… and {len(said) - _MOST} more like these") if len(said) > _MOST else tuple(said)


def _sentence(name: str, first: _Finding, *others: _Finding) -> str:
    lines = sorted({f.line for f in others} - {first.line})
    listed = ", ".join(map(str, lines[:_MOST])) + (", …" if len(lines) > _MOST else "")
    same = f" (the same in {'lines' if lines[1:] else 'line'} {listed})" if lines else ""
    quoted = shorten(first.identity[2], _LONGEST_LINE)
    return f"{name} would fail in line {first.line} after the change, `{quoted}`: {first.said}{same}"


def _new(name: str, before: str, after: str) -> Iterator[_Finding]:
    found = _read(name, after)
    old = Counter(f.identity for f in _read(name, before)) if found else Counter()
    for finding in found:
        if old[finding.identity]:
            old[finding.identity] -= 1
        else:
            yield finding


def _read(name: str, text: str) -> list[_Finding]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = Reader(ast.parse(text), name)
            fatal = [m for m in reader.messages if type(m).__name__ in FATAL and _is_sure(reader, m)]
            lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            return [_finding(reader, m, lines) for m in sorted(fatal, key=lambda m: (m.lineno, m.col))]
    except Exception:  # noqa: BLE001 - what the parser or pyflakes trips over is no finding
        return []


def _is_sure(reader: Reader, message: Any) -> bool:
    kind, node = type(message).__name__, message.node
    if kind in ("UndefinedName", "UndefinedLocal"):
        return reader.is_unbound(message)
    if kind in ("PercentFormatPositionalCountMismatch", "PercentFormatExpectedMapping"):
        return isinstance(node.right, ast.Tuple) and bool(node.right.elts)  # a list is one value, () is none
    return bool(kind != "PercentFormatUnsupportedFormatCharacter" or message.message_args[0] != "(")  # %(a(b))s


def _finding(reader: Reader, message: Any, lines: list[str]) -> _Finding:
    kind, given = type(message).__name__, message.message_args
    about = (message.name,) if message.name else tuple(map(str, given))
    said = (reader.hint(message) if kind == "UndefinedName" else "") or FATAL[kind].format(*about)
    return _Finding((kind, " ".join(about), lines[message.lineno - 1].strip()), message.lineno, said)
