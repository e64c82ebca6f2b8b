"""How a job ended → who has to act. The signs are a table (`signs`); here is in which order it is asked.

The first failure of a chain counts: what follows from it, a wrapper or a handler that fails in its turn, does not. Of an
exception group each member counts, and one that would come again outweighs those that pass by themselves. Where a log
tells of nothing, the signal or the exit code does. `unknown` means: not to be blamed on the coder.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from agent.core import ownership
from agent.core.case import AGAIN, CODER, HELD, STOPPED, TRANSIENT, Blame, Case
from agent.core.failure_report import explain, streams, used
from agent.core.signs import (
    CERTIFICATES,
    LAST_WORDS,
    MESSENGER,
    NETWORK,
    PREFETCH,
    PROGRAMMING,
    PYTHON,
    SIGNALS,
    SIGNS,
    UNSTARTED,
    WAITS,
    Sign,
    package,
)
from agent.core.text import duration, shorten
from agent.core.traceback import Chain, Raised, Reading, read

__all__ = ["AGAIN", "CODER", "HELD", "STOPPED", "TRANSIENT", "Blame", "Case", "blame"]

_LAST_LINES = 25  # of a log without a traceback that are looked at
_LONGEST = 4000  # characters of an exception that are looked at
_OWN_MACHINE = re.compile(r"\blocalhost\b|\b127\.0\.0\.1\b|\[::1\]")
_TRIED = re.compile(
    r"(?i)g(?:ave|iving) up|retr(?:y|ies)|attempts|download|fetch|connect|\bload|network|unavailable|\bhub\b|time?d? ?out"
)
_ENVIRON = re.compile(r"(?:^<frozen os>|/os\.py)$")  # os.environ, which is the machine's
_GROUP = re.compile(r"\(\d+ sub-exceptions?\)")
_REQUESTS = re.compile(r"^.{0,300}thrown while requesting", re.MULTILINE)
_ENDS_ITSELF = re.compile(r"\b(?:sys\.exit|os\._exit|exit|quit)\(|\bSystemExit\b|\bos\.abort\(")
CLOSED = "this profile has no network: what the experiment needs has to be there before it starts"
ONLY_THE_HUB = "this profile lets only the hub through"
WHAT_FOLLOWS = {
    **dict.fromkeys(CODER, "Nothing: it goes back to the coder, and counts as an attempt."),
    **dict.fromkeys(AGAIN, "Nothing: the same job is started again."),
    STOPPED: "Nothing: a person wanted it; resume goes on.",
}
SEE_THE_LOG = "Read the log: this is no failure that is known; resume tries again."


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
        found = Blame("code", _line(_first_of_last(chain)))
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
    raised, text = chain[0], chain[0].text[:_LONGEST]
    for sign in signs:
        match = sign.pattern.search(text)
        if match and (sign.frames is None or any(sign.frames.search(frame.path) for frame in raised.frames)):
            told = _ASKS[sign.asks](case, sign, chain, match)
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
        return Blame("unknown", _line(last), action=SEE_THE_LOG)  # a child was killed, and nobody says by whom
    if last.frames and last.frames[-1].source.startswith("raise") and _TRIED.search(last.text):
        lines = (*read(case.stdout).lines[-2 * _LAST_LINES :], *reading.lines[-4 * _LAST_LINES :])
        told = _of_lines(case, lines, [sign for sign in SIGNS if sign.asks == "reach"], reading.final[-1])
        return told if told and told.kind == "transient" else None
    return None


# --- who asked for what is missing -----------------------------------------------------------------------------------

_Answer = Callable[[Case, Sign, Chain, "re.Match[str]"], "Blame | None"]


def _anybody(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    return Blame(sign.kind, _line(chain[0]), action=sign.action or (SEE_THE_LOG if sign.kind == "unknown" else ""))


def _asked(case: Case, sign: Sign, chain: Chain, owner: str, name: str = "") -> Blame | None:
    """The row's kind if the template asked; the coder's if the edit did; and nobody's where that cannot be told."""
    if any(not later.translates for later in chain[1:]):
        return None  # it was expected, and something else failed in its stead
    kind = {"template": sign.kind, "edit": "code"}.get(owner, "unknown")
    action = {"template": sign.action.format(name=name or "it"), "edit": ""}.get(owner, SEE_THE_LOG)
    return Blame(kind, _line(chain[0]), action=action)


def _module(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    module = match["name"]
    own = {name.split("/")[0].removesuffix(".py") for name in case.template}
    if module.split(".")[0] in own and not case.baseline:
        return _asked(case, sign, chain, "edit")  # a file of the study that the edit took away, or never made
    return _asked(case, sign, chain, ownership.of_module(case, module, chain), package(module))


def _import(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    own = {name.split("/")[0].removesuffix(".py") for name in case.template}
    mine = match["where"].split(".")[0] in own and not case.baseline
    return _asked(case, sign, chain, "edit" if mine else ownership.of_line(case, chain))


def _by_line(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    name = match.groupdict().get("name") or ""
    return _asked(case, sign, chain, ownership.of_line(case, chain), package(name) if name else "")


def _path(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    path = next((found for found in match.groups() if found), "")
    owner = ownership.of_path(case, path, chain) if path else ownership.of_line(case, chain)
    return _asked(case, sign, chain, owner, path)


def _cuda(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    return _asked(case, sign, chain, ownership.of_cuda(case, chain))


def _frozen(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    """A frozen file raised it: its data, its cache or the disk. Elsewhere these words say nothing."""
    frames = chain[0].frames
    last = ownership.project_name(case, frames[-1]) if frames and ownership.is_project(case, frames[-1].path) else ""
    return _anybody(case, sign, chain, match) if case.root and last and not case.editable(last) else None


def _data(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    """Damaged data that the template reads; what `evaluate` reads, the experiment has written."""
    if case.outcome.command == "evaluate" or ownership.of_line(case, chain) != "template":
        return None
    return _asked(case, sign, chain, "template")


def _hub(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    text = "\n".join(raised.text[:_LONGEST] for raised in chain)
    owner = ownership.of_repository(case, text, chain)
    if owner == "edit" and case.network == "none":
        return Blame("code", _line(chain[0]), CLOSED)
    found = _asked(case, sign, chain, owner, _repository(text))
    return found and Blame(
        found.kind, found.evidence, _outside(case, text) if found.kind == "code" else "", found.action
    )


def _repository(text: str) -> str:
    match = re.search(r"https?://[^/\s'\"]+/(?:api/)?(?:datasets/|models/)?([\w.-]+/[\w.-]+)", text)
    return match[1] if match else ""


def _outside(case: Case, text: str) -> str:
    return ONLY_THE_HUB if case.network == "hub" and "Tunnel connection failed" in text else ""


def _reach(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    """A network that fails passes by itself, unless there is none: then whoever reaches for it is wrong."""
    frame = ownership.project_frame(case, chain)
    words = chain[0].text[:_LONGEST] + (frame.source if frame else "")
    if _OWN_MACHINE.search(words) and "roxy" not in words:
        return None  # nobody listens on this machine: the experiment's own servers
    if case.network == "none":
        owner = ownership.of_repository(case, "\n".join(raised.text[:_LONGEST] for raised in chain), chain)
        rows = {"template": ("environment", PREFETCH, ""), "edit": ("code", "", CLOSED)}
        kind, action, detail = rows.get(owner, ("unknown", SEE_THE_LOG, ""))
        return Blame(kind, _line(chain[0]), detail, action)
    tried = _REQUESTS.findall(case.stderr[-20_000:])[-1:]
    if sign.kind == "transient" and tried and "CERTIFICATE_VERIFY_FAILED" in tried[0]:
        return Blame("environment", shorten(tried[0], 200), action=CERTIFICATES)  # what is raised says less
    return Blame(sign.kind, _line(chain[0]), action=sign.action)


def _numbers(case: Case, sign: Sign, chain: Chain, match: re.Match[str]) -> Blame | None:
    return (
        None
        if re.search(r"Import|NotFound|OSError|Permission|HTTP", chain[0].type)
        else _anybody(case, sign, chain, match)
    )


_ASKS: dict[str, _Answer] = {
    "": _anybody, "module": _module, "import": _import, "line": _by_line, "path": _path, "cuda": _cuda,
    "frozen": _frozen, "data": _data, "hub": _hub, "reach": _reach, "numbers": _numbers,
}  # fmt: skip


# --- without ---------------------------------------------------------------------------------------------------------


def _without_traceback(case: Case, reading: Reading) -> Blame:
    """What the last lines say, else what the signal says, else the exit code."""
    out, lines = case.outcome, reading.lines[-4 * _LAST_LINES :]
    code = out.exit_code or 0
    number = out.signal if out.signal is not None else code - 128 if code - 128 in SIGNALS else None
    last = [*_last(read(case.stdout).lines), *_last(reading.lines)]
    if told := _of_lines(case, lines, LAST_WORDS, ()) or _of_lines(case, last, SIGNS, ()):
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


def _line(raised: Raised) -> str:
    return shorten(raised.first_line, 200) or raised.type
