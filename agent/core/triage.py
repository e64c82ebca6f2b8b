"""How a job ended → who has to act. The signs are a table (`signs`); here is in which order it is asked.

The first failure of a chain counts: what follows from it, a wrapper or a handler that fails in its turn, does not. Of an
exception group each member counts, and one that would come again outweighs those that pass by themselves. Where a log
tells of nothing, the signal or the exit code does. `unknown` means: not to be blamed on the coder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from agent.core.asking import SEE_THE_LOG, Found, answer, evidence, words
from agent.core.case import AGAIN, CODER, HELD, STOPPED, Blame, Case
from agent.core.failure_report import explain, streams, used
from agent.core.signs import (
    LAST_WORDS,
    MESSENGER,
    NETWORK,
    PROGRAMMING,
    PYTHON,
    SIGNALS,
    SIGNS,
    SPOKEN,
    UNSTARTED,
    WAITS,
    Sign,
)
from agent.core.text import duration, shorten
from agent.core.traceback import HEADER, Chain, Raised, Reading, read

__all__ = ["AGAIN", "CODER", "HELD", "STOPPED", "Blame", "Case", "blame"]

_LAST_LINES = 25  # of a log without a traceback that are looked at
_TRIED = re.compile(
    r"(?i)g(?:ave|iving) up|retr(?:y|ies)|attempts|download|fetch|connect|\bload|network|unavailable|\bhub\b|time?d? ?out"
)
_NEVER_CAME = re.compile(r"\bNoneType\b|^UnboundLocalError")  # what was to be loaded, and was not
_ENVIRON = re.compile(r"(?:^<frozen os>|/os\.py)$")  # os.environ, which is the machine's
_GROUP = re.compile(r"\(\d+ sub-exceptions?\)")
_ENDS_ITSELF = re.compile(r"\b(?:sys\.exit|os\._exit|exit|quit)\(|\bSystemExit\b|\bos\.abort\(")
_OF_THE_NETWORK = [sign for sign in (*SIGNS, *SPOKEN) if sign.asks == "reach"]
WHAT_FOLLOWS = {
    **dict.fromkeys(CODER, "Nothing: it goes back to the coder, and counts as an attempt."),
    **dict.fromkeys(AGAIN, "Nothing: the same job is started again."),
    STOPPED: "Nothing: a person wanted it; resume goes on.",
}


def blame(case: Case) -> Blame:
    """Never raises; `evidence` is one line."""
    out = case.outcome
    if case.touched:
        said = f"the run changed frozen files: {', '.join(case.touched)}"
        return Blame("sealed", said, "They were put back. The experiment must not write to them.")
    if out.ending != "finished":
        return _ended_for_it(case)
    if out.exit_code == 0:
        first = case.problems[0] if case.problems else "no usable final_info.json"
        return Blame("contract", shorten(first, 200), "\n".join(f"- {p}" for p in case.problems[:30]))
    reading = read(case.stderr)
    if not reading.final and not reading.broken and (told := read(case.stdout)).final:
        reading = told  # some print their traceback there
    if not reading.final:
        return _without_traceback(case, reading)
    return _of_group(case, _what_the_child_said(reading))


def _ended_for_it(case: Case) -> Blame:
    """One row for each ending that the launcher tells; nothing has to be read."""
    out = case.outcome
    if out.ending == "stopped":
        return Blame(STOPPED if case.asked_by == "person" else "interrupted", out.detail or "stopped on request")
    if out.ending == "lost":
        return Blame("lost", out.detail or "the launcher died before the job ended")
    if out.ending == "unstartable":
        said = out.detail or "the job could not be started"
        return Blame(
            "environment",
            said,
            action="Mend the experiment's Python or the sandbox (`ai-scientist doctor`), then resume.",
        )
    if out.ending == "timeout":
        return _too_late(case)
    if out.ending in ("diverged", "stalled"):
        kind = "numeric" if out.ending == "diverged" else "resource"
        return Blame(kind, shorten(out.detail, 200), streams(case))
    said = out.detail or f"{out.command} exceeded a limit and was killed"
    return Blame("resource", shorten(said, 200), "\n\n".join(part for part in (used(out), streams(case)) if part))


def _too_late(case: Case) -> Blame:
    said = f"did not end within {duration(case.seconds_allowed)} and was killed"
    last = [line for line in (*read(case.stdout).lines, *read(case.stderr).lines) if line.strip()][-1:]
    if last and WAITS.search(last[0]) and case.network != "none":
        return Blame("transient", shorten(f"{said} while it waited for the network: {last[0]}", 200), action=NETWORK)
    return Blame("resource", said, streams(case))


# --- with a traceback ------------------------------------------------------------------------------------------------


def _of_group(case: Case, reading: Reading) -> Blame:
    verdicts = [_of_chain(case, chain) for chain in _members(reading.final)]
    if None in verdicts and (said := _said_elsewhere(case, reading)):
        verdicts = [said]
    firm = [found for found in verdicts if found is None or found.kind != "transient"]
    found = firm[0] if firm else verdicts[0]
    chain = _members(reading.final)[verdicts.index(found)] if len(verdicts) > 1 else reading.final[-1]
    if found is None:
        found = Blame("code", evidence(_first_of_last(chain)))
    detail = explain(case, reading, chain) if found.kind in CODER else ""
    return Blame(found.kind, found.evidence, "\n\n".join(part for part in (found.detail, detail) if part), found.action)


def _members(chains: Sequence[Chain]) -> Sequence[Chain]:
    """Without the groups themselves, which only count them."""
    return [chain for chain in chains if not _GROUP.search(chain[-1].message)] or chains


def _what_the_child_said(reading: Reading) -> Reading:
    """Before what a program says that only tells that its child failed."""
    told = reading.aside or reading.earlier
    if not told or not MESSENGER.search(reading.final[-1][-1].type):
        return reading
    parent = tuple(replace(raised, link=raised.link or "cause") for raised in reading.final[-1])
    return replace(reading, final=((*told[-1], *parent),))


def _of_chain(case: Case, chain: Chain) -> Blame | None:
    """None: nothing but a failure of the code."""
    found: Blame | None = None
    for at, raised in enumerate(chain):
        if PROGRAMMING.match(raised.type) and not _ENVIRON.search(raised.frames[-1].path if raised.frames else ""):
            continue
        told = _of_raised(case, chain[at:], SIGNS)
        if found is None:
            found = told
        elif told is not None and told.kind == found.kind and told.action == found.action:
            found = told  # a later exception of the same failure says more of it
    return found


def _of_raised(case: Case, chain: Chain, signs: Sequence[Sign]) -> Blame | None:
    raised, text = chain[0], words(chain)
    for sign in signs:
        match = sign.pattern.search(text)
        if match and (sign.frames is None or any(sign.frames.search(frame.path) for frame in raised.frames)):
            told = answer(Found(case, sign, chain, match))
            if told is not None:
                return told
    return None


def _first_of_last(chain: Chain) -> Raised:
    """Of the last failure, the exception that others were raised from."""
    at = len(chain) - 1
    while at > 0 and chain[at].translates:
        at -= 1
    return chain[at]


def _said_elsewhere(case: Case, reading: Reading) -> Blame | None:
    """What a thread said; or, where the program only says that it gave up, what it had printed before."""
    last = reading.final[-1][-1]
    others = [] if PROGRAMMING.match(last.type) else reversed(reading.aside)
    if found := next((told for chain in others if (told := _of_chain(case, chain))), None):
        return found
    if "BrokenProcessPool" in last.type:
        return Blame("unknown", evidence(last), action=SEE_THE_LOG)  # a child was killed, and nobody says by whom
    gave_up = last.frames and last.frames[-1].source.startswith("raise") and _TRIED.search(last.text)
    if not gave_up and not _NEVER_CAME.search(last.text):
        return None
    at = max((at for at, line in enumerate(reading.lines) if line.endswith(HEADER)), default=len(reading.lines))
    lines = [*_last(read(case.stdout).lines), *_last(reading.lines[:at])]
    told = _of_lines(case, lines, _OF_THE_NETWORK, reading.final[-1])
    return told if told and told.kind == "transient" else None


# --- without ---------------------------------------------------------------------------------------------------------


def _without_traceback(case: Case, reading: Reading) -> Blame:
    """What the last lines say, else what the signal says, else the exit code."""
    out, lines = case.outcome, reading.lines[-4 * _LAST_LINES :]
    code = out.exit_code or 0
    number = out.signal if out.signal is not None else code - 128 if code - 128 in SIGNALS else None
    last = [*_last(read(case.stdout).lines), *_last(reading.lines)]
    if told := _of_lines(case, lines, LAST_WORDS, ()) or _of_lines(case, last, (*SIGNS, *SPOKEN), ()):
        return Blame(
            told.kind, told.evidence, told.detail or (streams(case) if told.kind in CODER else ""), told.action
        )
    if number is not None:
        kind, name, action = SIGNALS.get(number, ("unknown", f"signal {number}", ""))
        said = f"{out.command or 'the job'} was ended by signal {number} ({name})"
        return Blame(kind, said, streams(case) if kind in CODER else "", action or SEE_THE_LOG)
    said = f"{out.command or 'the job'} ended with exit code {out.exit_code}"
    if code in UNSTARTED:
        return Blame("environment", f"{said}: a program {UNSTARTED[code]}", action=PYTHON)
    if reading.broken:
        return Blame("unknown", f"{said}, and its log ends within a traceback", action=SEE_THE_LOG)
    sources = [case.sources(name) for name in case.template if case.editable(name)]
    silent = not case.stderr.strip() and not case.stdout.strip()
    if silent and not any(_ENDS_ITSELF.search(text) for text in sources):
        return Blame("unknown", f"{said} and said nothing", action=SEE_THE_LOG)
    return Blame("code", said, streams(case))


def _last(lines: Sequence[str]) -> list[str]:
    return [line for line in lines[-4 * _LAST_LINES :] if line.strip()][-_LAST_LINES:]


def _of_lines(case: Case, lines: Sequence[str], signs: Sequence[Sign], chain: Chain) -> Blame | None:
    """The first line from the end that a row knows; as if it were an exception raised where `chain` was."""
    for line in [line.strip() for line in reversed(lines) if line.strip()]:
        head, _, rest = line.partition(": ")
        raised = Raised(head, rest) if re.fullmatch(r"[A-Za-z_][\w.]{0,100}", head) else Raised(line)
        if PROGRAMMING.match(raised.type):
            return None
        frames = chain[-1].frames if chain else ()
        if told := _of_raised(case, (Raised(raised.type, raised.message, frames),), signs):
            return told
    return None
