"""The gate: what a change must be before anything is run. A later part adds signatures and smoke.

Passed means: a block was applied, bytes of the experiment changed, no frozen file is touched, Python files compile, and
the change brings in nothing that would surely fail where it is run (`lint`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from agent.core import lint
from agent.core.template import is_experiment

Files = Mapping[str, str]


@dataclass(frozen=True)
class Passed:
    files: dict[str, str]  # changed files only
    starts_run: bool


@dataclass(frozen=True)
class Refused:
    problems: tuple[str, ...]
    mendable: bool = False  # a correction on top of the change will do; it need not be sent again


def check(before: Files, changed: Files, seen: Mapping[str, Files]) -> Passed | Refused:
    """`before` is the tree that the change starts from; `seen` are experiments whose results are known, by run."""
    really = {name: text for name, text in changed.items() if before.get(name) != text}
    problems = [p for name, text in sorted(really.items()) if (p := _compiles(name, text))]
    if problems:
        return Refused(tuple(problems), mendable=True)
    if found := lint.findings(before, really):
        return Refused(found, mendable=True)
    after = experiment({**before, **really})
    if after == experiment(before):
        return Passed(really, starts_run=False)
    for run, files in seen.items():
        if experiment(files) == after:
            return Refused(
                (
                    f"the experiment is now byte for byte the one of {run}, whose results are known; change something else",
                )
            )
    return Passed(really, starts_run=True)


def experiment(files: Files) -> dict[str, str]:
    return {name: text for name, text in files.items() if is_experiment(name)}


def _compiles(name: str, text: str) -> str:
    if not name.endswith(".py"):
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        lines = text.splitlines()
        quoted = f": `{lines[line - 1].strip()}`" if line and line <= len(lines) else ""
        return f"{name} would not compile: {getattr(error, 'msg', error)} (line {line} after the change{quoted})"
    except (RecursionError, MemoryError):
        return f"{name} would not compile: it is nested too deeply"
    return ""
