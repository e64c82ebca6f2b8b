"""What triage is asked (a Case) and what it answers (a Blame)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agent.core.job import Outcome
from agent.core.state import State

CODER = ("code", "resource", "contract", "sealed", "numeric")  # goes back to the coder and counts as an attempt
AGAIN = ("lost", "interrupted", "transient", "unknown")  # the same job again (core.again); the coder is never told
STOPPED = "stopped"  # a person ended the run
HELD = ("environment",)  # stop and tell the user


@dataclass(frozen=True)
class Blame:
    kind: str
    evidence: str  # the line that decided
    detail: str = ""  # several lines, for the coder
    action: str = ""  # one sentence, for the user


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
    template: Mapping[str, str] = field(default_factory=dict)  # its texts, editable ones as they were before any edit
    baseline: bool = False  # nothing was edited
    sealed: tuple[str, ...] = ()  # patterns of files that the experiment cannot read
    network: str = "host"  # of the profile: none, hub, or host where that is not known


_TEXTS = (".py", ".md", ".toml", ".txt", ".json", ".yaml", ".yml", ".cfg", ".ini", ".sh")
_LARGEST_TEXT = 400_000  # bytes
_OTHERS = ("run_", "notes", "latex/", "figures/", "idea.json")


def template_texts(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The template's files as triage reads them: texts, and of data the names only."""
    return {
        name: data.decode("utf-8", "replace") if name.endswith(_TEXTS) and len(data) <= _LARGEST_TEXT else ""
        for name, data in contents.items()
        if not name.startswith(_OTHERS)
    }


def before_any_edit(state: State, otherwise: str) -> str:
    """A commit of the study in which every file is the template's."""
    first = state.runs.get(state.baselines[0]) if state.baselines else None
    if first is None:
        return otherwise
    return first.head or (first.attempts[0].head if first.attempts else otherwise)
