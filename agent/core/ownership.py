"""Who asked for what was missing: the template, the edit of it, or nobody can tell.

A name decides where there is one: a module, a file or a repository that the template's own texts name is the template's,
one that only the edit names is the edit's. Otherwise the line that led to the failure: one of a frozen file, or one that
stands in the template as well, is the template's; a line that the edit brought is the edit's.
Limit: texts are compared, not meanings. A name that is put together from pieces is known by its line only.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from agent.core.case import Case
from agent.core.traceback import Chain, Frame

Owner = Literal["template", "edit", "nobody"]

_OUTPUT = re.compile(r"(?:^|/)run_\w+/")  # what an experiment writes
_LIBRARY = re.compile(r"(?:site|dist)-packages/")
# Libraries with a folder of their own, which is the machine's and not the edit's.
_CACHES = re.compile(
    r"(?:site|dist)-packages/(?:huggingface_hub|datasets|transformers|matplotlib|triton|numba|torch/(?:hub|_inductor))\b"
)
_URL = re.compile(
    r"https?://[^/\s'\"]{1,200}/(?:api/)?(?:(?:datasets|models|spaces)/)?([\w.-]{1,96}/[\w.-]{1,96})"
    r"(?:/(?:resolve|tree|revision|raw|commits)/([^/\s?'\"]{1,200})(?:/([^\s?'\"]{1,400}))?)?"
)
_QUOTED = re.compile(
    r"['\"`]([\w.-]{1,96}/[\w.-]{1,96})(?:@([\w./-]{1,100}))?['\"`]|^OSError: ([\w.-]{1,96}(?:/[\w.-]{1,96})?) is not a local"
    r"|^OSError: Can't load .{0,80}? (?:of|for) '([\w./-]{1,200})'",
    re.MULTILINE,
)
_COMMIT = re.compile(r"^(?:main|[0-9a-f]{40})$")


def of_line(case: Case, chain: Chain) -> Owner:
    frame = project_frame(case, chain)
    if frame is None:
        return "template" if case.baseline else "nobody"
    name = project_name(case, frame)
    if case.baseline or not case.editable(name):
        return "template"
    if not case.template:
        return "nobody"  # what it was before is not known
    source = frame.source or _line(case.sources(name), frame.line)
    before = {line.strip() for line in case.template.get(name, "").splitlines()}
    return "template" if source and source in before else "edit"


def of_path(case: Case, path: str, chain: Chain) -> Owner:
    path = inside(case, path)
    if is_output(path) and not case.baseline:
        return "edit"  # the experiment did not write it, or not where it is looked for
    name = path.rstrip("/").rsplit("/", 1)[-1]
    named = (
        of_names(case, {path, name}) if re.search(r"[./]", path) else "nobody"
    )  # a plain word may stand for anything
    if named != "nobody":
        return named
    last = chain[0].frames[-3:]
    return "template" if any(_CACHES.search(frame.path) for frame in last) else of_line(case, chain)


def is_output(path: str) -> bool:
    return bool(_OUTPUT.search(path))


def inside(case: Case, path: str) -> str:
    """As a name of the study, if it lies there."""
    return path.removeprefix(case.root.rstrip("/") + "/").removeprefix("./") if case.root else path


def of_repository(case: Case, text: str, chain: Chain) -> Owner:
    """Of a repository of the hub, with the revision and the file that were asked for."""
    parts = [
        part.strip(".") for match in (*_URL.finditer(text), *_QUOTED.finditer(text)) for part in match.groups() if part
    ]
    owners = [of_names(case, [part]) for part in parts if not _COMMIT.match(part)]
    if "edit" in owners:
        return "edit"
    return "template" if "template" in owners else of_line(case, chain)


def of_module(case: Case, module: str, chain: Chain) -> Owner:
    if not case.template and not case.baseline:
        return "nobody"
    if any(name == module or name.startswith(f"{module}.") for text in _python(case) for name in imports(text)):
        return "template"
    return of_line(case, chain)


def of_cuda(case: Case, chain: Chain) -> Owner:
    """A template that asks whether there is a GPU can do without one; one that only takes it cannot."""
    texts = "\n".join(case.template.values())
    return "template" if "cuda" in texts and "is_available" not in texts else of_line(case, chain)


def of_names(case: Case, names: Iterable[str]) -> Owner:
    """The template's if its texts hold one of them, the edit's if only the edited ones do."""
    patterns = [re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])") for name in names if len(name) > 2]
    if any(p.search(text) for text in (*case.template.values(), *case.template) for p in patterns):
        return "template"
    edited = [case.sources(name) for name in case.template if case.editable(name)] if case.template else []
    return "edit" if any(p.search(text) for text in edited for p in patterns) else "nobody"


def project_frame(case: Case, chain: Chain) -> Frame | None:
    """The line of the study that is nearest to the first failure of the chain."""
    frames = (frame for raised in chain for frame in reversed(raised.frames))
    return next((frame for frame in frames if is_project(case, frame.path)), None)


def is_project(case: Case, path: str) -> bool:
    inside = case.root and path.startswith(case.root.rstrip("/") + "/")
    return bool(inside or not path.startswith(("/", "<"))) and not _LIBRARY.search(path) and not path.endswith(".pyx")


def project_name(case: Case, frame: Frame) -> str:
    return inside(case, frame.path)


def imports(text: str) -> Iterator[str]:
    """Dotted names of the modules that a Python text imports, in whatever function."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        yield from re.findall(r"^\s*(?:from|import) +([\w.]+)", text, re.MULTILINE)
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in ("import_module", "__import__", "find_spec"):
                yield str(node.args[0].value)


def _python(case: Case) -> list[str]:
    return [text for name, text in case.template.items() if name.endswith(".py")]


def _line(text: str, number: int) -> str:
    lines = text.splitlines()
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""
