"""How a job ended → who has to act. One row per kind.

The rows here need no reading of logs beyond the traceback: a program that ends with an exit code of its own is the
coder's business. A later part reads the logs, and sets apart what is the network's, the machine's or nobody's fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agent.core.job import Outcome
from agent.core.text import duration, plural, shorten

CODER = ("code", "resource", "contract", "sealed", "numeric")  # goes back to the coder and counts as an attempt
AGAIN = ("lost", "interrupted", "transient", "unknown")  # the same job again (core.again); the coder is never told
STOPPED = "stopped"  # a person ended the run
HELD = ("environment",)  # stop and tell the user


@dataclass(frozen=True)
class Blame:
    kind: str
    evidence: str  # one line
    detail: str = ""  # several lines, for the coder


@dataclass(frozen=True)
class Case:
    """All that is known about an attempt that gave no usable result."""

    outcome: Outcome
    stdout: str
    stderr: str
    problems: tuple[str, ...] = ()  # of final_info.json
    touched: tuple[str, ...] = ()  # frozen files that are not what they were
    seconds_allowed: float = 0.0
    asked_by: str = ""  # "person" or "study", when the job was stopped on request
    editable: Callable[[str], bool] = lambda path: True
    sources: Callable[[str], str] = lambda path: ""
    root: str = ""  # the folder that the experiment ran in, as tracebacks show it


def blame(case: Case) -> Blame:
    out = case.outcome
    if case.touched:
        files = ", ".join(case.touched)
        return Blame(
            "sealed",
            f"the run changed frozen files: {files}",
            "They were put back. The experiment must not write to them.",
        )
    if out.ending == "stopped":
        return Blame(STOPPED if case.asked_by == "person" else "interrupted", out.detail or "stopped on request")
    if out.ending == "lost":
        return Blame("lost", out.detail or "the launcher died before the job ended")
    if out.ending == "unstartable":
        return Blame("environment", out.detail or "the job could not be started")
    if out.ending == "timeout":
        said = f"did not end within {duration(case.seconds_allowed)} and was killed"
        return Blame("resource", said, _streams(case))
    if out.ending in ("diverged", "stalled"):
        kind = "numeric" if out.ending == "diverged" else "resource"
        return Blame(kind, shorten(out.detail, 200), _streams(case))
    if out.ending == "limit":
        said = out.detail or f"{out.command} exceeded a limit and was killed"
        return Blame("resource", shorten(said, 200), "\n\n".join(part for part in (_used(out), _streams(case)) if part))
    if out.exit_code == 0:
        first = case.problems[0] if case.problems else "no usable final_info.json"
        return Blame("contract", shorten(first, 200), "\n".join(f"- {p}" for p in case.problems[:30]))
    if out.signal is not None:
        return Blame("code", f"{out.command} was ended by signal {out.signal}", _streams(case))
    trace = last_traceback(case.stderr)
    evidence = trace[-1].strip() if trace else f"{out.command} ended with exit code {out.exit_code}"
    if _the_templates_world(case, trace):
        return Blame("environment", shorten(evidence, 400))
    return Blame("code", shorten(evidence, 200), _explain(case, trace))


def _used(out: Outcome) -> str:
    """What the job used at most, for the coder."""
    mega = 1024 * 1024
    told = [f"{out.usage[name] / mega:.4g} MB of {name}" for name in ("memory", "disk", "output") if name in out.usage]
    counted = (("processes", "process", "processes"), ("files", "file", "files"))
    told += [plural(int(out.usage[name]), one, many) for name, one, many in counted if name in out.usage]
    return f"The most that was seen: {', '.join(told)}." if told else ""


_FRAME = re.compile(r'^\s*File "(?P<path>[^"]+)", line (?P<line>\d+)(?:, in (?P<function>.*))?$')


_SYSTEM = re.compile(r"(OSError|FileNotFoundError|PermissionError|TimeoutError|ConnectionError)\b")


def _the_templates_world(case: Case, trace: list[str]) -> bool:
    """A frozen file of the template itself raised an OSError: its data, its cache or the disk, not the experiment."""
    paths = [m["path"] for line in trace if (m := _FRAME.match(line))]
    root = case.root.rstrip("/") + "/"
    if not paths or not root.strip("/") or not _SYSTEM.match(trace[-1]):
        return False
    return paths[-1].startswith(root) and not case.editable(paths[-1].removeprefix(root))


_HEADER = "Traceback (most recent call last):"
_NO_HEADER = re.compile(r"^(Syntax|Indentation|Tab)Error: ")  # of the script itself


def last_traceback(stderr: str) -> list[str]:
    """The lines of the last traceback, the exception's own first line included; a SyntaxError's too."""
    lines = stderr.rstrip().split("\n")
    start = _last(lines, lambda line: line.rstrip().endswith(_HEADER) and not line.lstrip().startswith("+"))
    if start is not None:
        rest = range(start + 1, len(lines))
        end = next((i for i in rest if lines[i].strip() and not lines[i].startswith((" ", "\t"))), len(lines))
        return lines[start : end + 1]
    error = _last(lines, lambda line: bool(_NO_HEADER.match(line)))
    start = _last(lines[:error], lambda line: bool(_FRAME.match(line)))
    return [] if start is None or error is None else lines[start : error + 1]


def _last(lines: Sequence[str], wanted: Callable[[str], bool]) -> int | None:
    return next((i for i in range(len(lines) - 1, -1, -1) if wanted(lines[i])), None)


def _explain(case: Case, trace: list[str]) -> str:
    """The exception, the frames of editable files with their source lines, and what was printed last."""
    frames = [m.groupdict() for line in trace if (m := _FRAME.match(line))]
    parts = []
    for frame in frames:
        name = frame["path"].removeprefix(case.root.rstrip("/") + "/").removeprefix("./")
        if not case.editable(name):
            continue
        source = case.sources(name).splitlines()
        at = int(frame["line"])
        around = [
            f"{'>' if n == at else ' '} {n:4d} | {source[n - 1]}"
            for n in range(max(1, at - 3), min(len(source), at + 2) + 1)
        ]
        parts.append(f"{name}, line {at}, in {frame['function'] or 'module'}:\n" + "\n".join(around))
    if trace and not parts:
        parts.append("No frame of an editable file is in the traceback. Its end:\n" + "\n".join(trace[-12:]))
    return "\n\n".join([*parts[-4:], _streams(case, with_stderr=not trace)]).strip()


def _streams(case: Case, with_stderr: bool = True) -> str:
    texts = [("Last output", case.stdout)] + ([("Last error output", case.stderr)] if with_stderr else [])
    return "\n\n".join(f"{title}:\n{_tail(text)}" for title, text in texts if text.strip())


def _tail(text: str, lines: int = 15, characters: int = 1500) -> str:
    clean = [line.rstrip().rsplit("\r", 1)[-1] for line in text.split("\n")]  # of a progress bar only its last state
    return "\n".join([line for line in clean if line][-lines:])[-characters:]
