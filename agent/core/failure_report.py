"""What the coder reads of a failure: the exception, its own lines that led there, and what was printed last. Bounded.

The frames go from the outermost to the one that is nearest to the failure; of a chain the first failure comes first.
Frames of files that the coder cannot change are left out: their lines are no help, and they fill a prompt.
"""

from __future__ import annotations

from agent.core.case import Case
from agent.core.job import Outcome
from agent.core.ownership import project_name
from agent.core.text import plural, printable
from agent.core.traceback import Chain, Frame, Raised, Reading, is_progress

LONGEST = 3000  # characters of the whole
_MESSAGE = 700  # of an exception's own words
_FRAMES = 4  # of each exception
_CHAINED = 3  # exceptions


def explain(case: Case, reading: Reading, chain: Chain) -> str:
    told = [_exception(case, raised, first=at == 0) for at, raised in enumerate(_telling(chain))]
    if not any(_own(case, raised) for raised in chain):
        last = "\n".join(chain[-1].lines[-12:])
        told.append(f"No frame of an editable file is in the traceback. Its end:\n{_bounded(last, 1200)}")
    output = streams(case, with_stderr=False)
    return _bounded("\n\n".join([*told, *([output] if output else [])]), LONGEST)


def _telling(chain: Chain) -> list[Raised]:
    return list(chain) if len(chain) <= _CHAINED else [chain[0], *chain[-_CHAINED + 1 :]]


def _exception(case: Case, raised: Raised, first: bool) -> str:
    follows = {"cause": "Because of that:\n", "context": "While that was handled:\n"}.get(raised.link, "")
    frames = _own(case, raised)
    left_out = len(frames) - _FRAMES
    shown = frames if left_out <= 0 else [*frames[:1], *frames[1 - _FRAMES :]]
    order = "Your lines that led to it, the nearest to the failure last:\n\n" if len(shown) > 1 else ""
    parts = [f"{'' if first else follows}{_bounded(printable(raised.text), _MESSAGE)}"]
    parts += [order + "\n\n".join(_around(case, frame) for frame in shown)] if shown else []
    parts += [f"({plural(left_out, 'more frame')} in between.)"] if left_out > 0 else []
    return "\n\n".join(parts)


def _own(case: Case, raised: Raised) -> list[Frame]:
    """Frames of editable files; one that calls itself again and again counts once."""
    frames = [frame for frame in reversed(raised.frames) if case.editable(project_name(case, frame))]
    return list(dict.fromkeys(frames))[::-1]


def _around(case: Case, frame: Frame) -> str:
    name = project_name(case, frame)
    source, at = case.sources(name).splitlines(), frame.line
    shown = range(max(1, at - 3), min(len(source), at + 2) + 1)
    lines = [f"{'>' if n == at else ' '} {n:4d} | {source[n - 1][:200]}" for n in shown]
    if not lines and frame.source:
        lines = [f"> {at:4d} | {frame.source[:200]}"]
    return "\n".join([f"{name}, line {at}, in {frame.function or 'module'}:", *lines])


def used(out: Outcome) -> str:
    """What the job used at most, for the coder."""
    mega = 1024 * 1024
    told = [f"{out.usage[name] / mega:.4g} MB of {name}" for name in ("memory", "disk", "output") if name in out.usage]
    counted = (("processes", "process", "processes"), ("files", "file", "files"))
    told += [plural(int(out.usage[name]), one, many) for name, one, many in counted if name in out.usage]
    return f"The most that was seen: {', '.join(told)}." if told else ""


def streams(case: Case, with_stderr: bool = True) -> str:
    texts = [("Last output", case.stdout)] + ([("Last error output", case.stderr)] if with_stderr else [])
    return "\n\n".join(f"{title}:\n{_tail(text)}" for title, text in texts if text.strip())


def _tail(text: str, lines: int = 15, characters: int = 1500) -> str:
    """The end of it; of a progress bar only its last state."""
    clean = [line.rstrip().rsplit("\r", 1)[-1] for line in text[-20_000:].split("\n")]
    kept = [line for at, line in enumerate(clean) if line.strip() and not _passes(line, clean[at + 1 : at + 2])]
    return "\n".join(kept[-lines:])[-characters:]


def _passes(line: str, following: list[str]) -> bool:
    """A state of a progress bar that another one follows."""
    return is_progress(line) and bool(following) and is_progress(following[0])


def _bounded(text: str, longest: int) -> str:
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[: half - 5].rstrip()}\n…\n{text[-half + 5 :].lstrip()}"
