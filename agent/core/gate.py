"""The gate: what a change must be before anything is run.

Passed means: Python files compile, the change brings in nothing that would surely fail where it is run (`lint`, and what
`calls` says about libraries), and the experiment is another one than any whose results are known. A change that leaves
the experiment as it is (plots, probes, notes, comments, layout) is taken, and starts no run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from agent.core import lint
from agent.core.sameness import essence
from agent.core.template import is_experiment
from agent.core.text import listed

Files = Mapping[str, str]
Reader = Callable[[Files, Files], tuple[str, ...]]  # (before, really changed) → what is wrong with calls into libraries


@dataclass(frozen=True)
class Passed:
    files: dict[str, str]  # changed files only
    starts_run: bool
    why: str = ""  # it starts none


@dataclass(frozen=True)
class Refused:
    problems: tuple[str, ...]
    mendable: bool = False  # a correction on top of the change will do; it need not be sent again


def check(
    before: Files, changed: Files, seen: Mapping[str, Files], calls: Reader = lambda before, changed: ()
) -> Passed | Refused:
    """`before` is the tree that the change starts from; `seen` are experiments whose results are known, by run."""
    really = {name: text for name, text in changed.items() if before.get(name) != text}
    problems = [p for name, text in sorted(really.items()) if (p := _compiles(name, text))]
    if problems:
        return Refused(tuple(problems), mendable=True)
    if found := lint.findings(before, really) + calls(before, really):
        return Refused(found, mendable=True)
    touched = [name for name in sorted(really) if is_experiment(name)]
    after = _essences({**before, **really})
    if after == _essences(before):
        return Passed(really, starts_run=False, why=_why_idle(touched))
    for run, files in seen.items():
        if _essences(files) == after:
            alike = (
                "the one"
                if experiment(files) == experiment({**before, **really})
                else "in all but comments and layout the one"
            )
            said = f"the experiment is now {alike} of {run}, whose results are known; change something that is measured"
            return Refused((said,))
    return Passed(really, starts_run=True)


def experiment(files: Files) -> dict[str, str]:
    return {name: text for name, text in files.items() if is_experiment(name)}


def _essences(files: Files) -> dict[str, str]:
    return {name: essence(name, text) for name, text in files.items() if is_experiment(name)}


def _why_idle(touched: list[str]) -> str:
    if not touched:
        return "Your last change is in, but it does not touch the experiment's own code, so there is nothing to run."
    return (
        f"Your last change is in, but of {listed(touched)} it changes only comments, docstrings or layout:"
        " the experiment is the same, so there is nothing to run."
    )


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
