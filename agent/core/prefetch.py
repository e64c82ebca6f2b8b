"""How fetching a study's data can end without data, and what follows. One row per kind. The coder is told of none.

`[environment] prefetch = "FILE:FUNCTION"` names trusted, frozen code of the template that fetches what its experiments
need, before anything is paid for. It returns the revisions of what it fetched; they become part of the protocol.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agent.core.calls import Again, GiveUp
from agent.core.job import Outcome
from agent.core.text import duration, plural, shorten

SECONDS = 4 * 3600.0  # of one attempt; what it has fetched is there for the next
LONGEST_ANSWER = 100_000
LONGEST_WAIT = 300.0
_PLACE = re.compile(r"((?:[A-Za-z_]\w*/)*[A-Za-z_]\w*)\.py:([A-Za-z_]\w*)", re.ASCII)


@dataclass(frozen=True)
class Kind:
    said: str
    tries: int  # in one session
    exit_code: int
    hint: str


@dataclass(frozen=True)
class Failure:
    at: float
    kind: str
    evidence: str


_MEND = "Mend the template's code in the study and take it over with `resume --take`, or start a new study."
_LATER = "Go on with `resume`: what has come already is kept."
KINDS = {
    "network": Kind("the network failed", 5, 4, _LATER),
    "refused": Kind("the hub refuses it", 1, 2, "Accept its terms on the hub, or put a token that may read it into HF_TOKEN, "
                    "then `resume`."),
    "room": Kind("there is no room on the disk", 1, 4, "Make room, then `resume`: what has come already is kept."),
    "time": Kind("it did not end in time", 1, 4, _LATER),
    "lost": Kind("it was ended from outside", 3, 4, "Look at the machine, then `resume`."),
    "answer": Kind("it returned no revisions", 1, 2, _MEND),
    "start": Kind("it could not be started", 1, 2, "Correct [environment] in template.toml."),
    "code": Kind("its code failed", 1, 2, _MEND),
}  # fmt: skip

# Looked for in the last line of its traceback, then in all that it said last: the first that is found tells.
_SIGNS = (
    ("room", re.compile(r"No space left|ENOSPC|Disk quota exceeded|EDQUOT", re.I)),
    ("refused", re.compile(r"GatedRepo|\b40[13]\b.*(Client Error|Unauthorized|Forbidden)|Invalid (user )?token|gated repo", re.I)),
    ("network", re.compile(
        r"Connect(ion)?(Error|Timeout|Reset|Refused|Aborted)|(Read|Write|Pool)(Error|Timeout)|TimeoutError|timed out|SSLError|"
        r"ProxyError|RemoteProtocolError|IncompleteRead|ChunkedEncodingError|ProtocolError|LocalEntryNotFound|gaierror|"
        r"URLError|Temporary failure in name resolution|Name or service not known|Network is unreachable|"
        r"\b(429 (Client Error|Too Many)|50\d (Server Error|Internal|Bad Gateway|Service|Gateway))|Max retries exceeded", re.I)),
)  # fmt: skip


def split(place: str) -> tuple[str, str]:
    """(file, function); ValueError with half a sentence."""
    found = _PLACE.fullmatch(place)
    if found is None:
        raise ValueError('it must name a file and a function in it, such as "harness/data.py:prefetch"')
    return f"{found[1]}.py", found[2]


def problem_with(place: str, files: Mapping[str, bytes], may_edit: Callable[[str], bool]) -> str:
    """What is wrong with it in a template of these files, as a sentence; "" if nothing is."""
    name, function = split(place)
    if name not in files:
        return f"environment.prefetch: there is no {name}"
    if may_edit(name):
        return f"environment.prefetch: {name} is editable, and what the coder writes never runs outside the sandbox"
    try:
        body = ast.parse(files[name]).body
    except (SyntaxError, ValueError) as error:
        return f"environment.prefetch: {name} is no Python: {error}"
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == function]
    if not found:
        return f"environment.prefetch: {name} defines no function {function}"
    arguments = found[-1].args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    if needed or any(default is None for default in arguments.kw_defaults):
        return f"environment.prefetch: {function} in {name} must do without arguments"
    return ""


def revisions_in(answer: str) -> dict[str, str] | None:
    """What the function returned, as JSON: names to revisions, or None, which stands for no names. None: no such thing."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    value = {} if value is None else value
    good = isinstance(value, dict) and all(isinstance(one, str) and one for pair in value.items() for one in pair)
    return dict(sorted(value.items())) if good else None


def failure_of(outcome: Outcome, said: str, answer: str) -> tuple[str, str]:
    """(kind, evidence) of an attempt that gave no revisions. `said`: the end of its standard error, without keys."""
    if outcome.ending in ("lost", "stopped"):
        return "lost", outcome.detail or outcome.ending
    if outcome.ending == "timeout":
        return "time", f"it was ended after {duration(SECONDS)}"
    if outcome.ending == "unstartable":
        return "start", outcome.detail
    if outcome.ending == "limit" or outcome.signal is not None:
        return "code", outcome.detail
    if outcome.ok:
        return (
            "answer",
            f"it must return a dictionary of names and revisions, all of them text, or None, not {shorten(answer, 80)}",
        )
    lines = [line.strip() for line in said.splitlines() if line[:1].strip()]  # what is indented is code, and calls
    last = lines[-1] if lines else outcome.detail
    for text in (last, "\n".join(lines[-60:])):
        for kind, sign in _SIGNS:
            if sign.search(text):
                return kind, shorten(last, 300)
    return "code", shorten(last, 300)


def after(failures: Sequence[Failure], session: float, wait: float) -> Again | GiveUp:
    """What to do next. `wait` is the first wait of a row; failures of earlier sessions are past."""
    now = [failure for failure in failures if failure.at >= session]
    if not now:
        return Again(0.0)
    last = now[-1]
    kind = KINDS[last.kind]
    same = sum(failure.kind == last.kind for failure in now)
    if same >= kind.tries or len(now) >= sum(kind.tries for kind in KINDS.values()):
        times = f" ({plural(same, 'time')})" if same > 1 else ""
        return GiveUp(kind.exit_code, f"the data could not be fetched: {kind.said}{times}: {last.evidence}", kind.hint)
    return Again(last.at + min(LONGEST_WAIT, wait * 2 ** (same - 1)))
