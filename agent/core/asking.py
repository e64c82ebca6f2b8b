"""A row of the table fits: now it is asked who is to blame. One small function for each way of asking.

The row's class counts if the template asked for what is missing, `code` if the edit did, `unknown` where that cannot be told.
An answer of None means that the row does not fit after all, and the next one is tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from agent.core import ownership
from agent.core.case import Blame, Case
from agent.core.file_names import globbed
from agent.core.signs import CERTIFICATES, PREFETCH, RIGHTS, Sign, package
from agent.core.text import shorten
from agent.core.traceback import Chain, Raised

SEE_THE_LOG = "Read the log: this is no failure that is known; resume tries again."
CLOSED = "this profile has no network: what the experiment needs has to be there before it starts"
ONLY_THE_HUB = "this profile lets only the hub through"
SEALED = "this file is sealed: the experiment cannot read it, and must not"

_LONGEST = 4000  # characters of an exception that are looked at
_OWN_MACHINE = re.compile(r"\blocalhost\b|\b127\.0\.0\.1\b|\[::1\]")
_REQUESTS = re.compile(r"^.{0,300}thrown while requesting", re.MULTILINE)
_REPOSITORY = re.compile(r"https?://[^/\s'\"]{1,200}/(?:api/)?(?:datasets/|models/)?([\w.-]{1,96}/[\w.-]{1,96})")


@dataclass(frozen=True)
class Found:
    """A row that fits the first exception of a chain."""

    case: Case
    sign: Sign
    chain: Chain
    match: re.Match[str]

    @property
    def all_words(self) -> str:
        return "\n".join(raised.text[:_LONGEST] for raised in self.chain)


def answer(found: Found) -> Blame | None:
    return _ASKS[found.sign.asks](found)


def words(chain: Chain) -> str:
    return chain[0].text[:_LONGEST]


def evidence(raised: Raised) -> str:
    return shorten(raised.first_line, 200) or raised.type


def _anybody(found: Found) -> Blame:
    action = found.sign.action or (SEE_THE_LOG if found.sign.kind == "unknown" else "")
    return Blame(found.sign.kind, evidence(found.chain[0]), action=action)


def _asked(found: Found, owner: str, name: str = "", detail: str = "") -> Blame | None:
    if any(not later.translates for later in found.chain[1:]):
        return None  # it was expected, and something else failed in its stead
    kind, line = found.sign.kind, evidence(found.chain[0])
    if owner == "template":
        return Blame(kind, line, action=found.sign.action.format(name=name or "it"))
    return Blame("code", line, detail) if owner == "edit" else Blame("unknown", line, action=SEE_THE_LOG)


def _module(found: Found) -> Blame | None:
    module = found.match["name"]
    if _is_of_the_study(found, module):
        return _asked(found, "edit")  # a file that the edit took away, or never made
    return _asked(found, ownership.of_module(found.case, module, found.chain), package(module))


def _import(found: Found) -> Blame | None:
    mine = _is_of_the_study(found, found.match["where"])
    return _asked(found, "edit" if mine else ownership.of_line(found.case, found.chain))


def _is_of_the_study(found: Found, module: str) -> bool:
    own = {name.split("/")[0].removesuffix(".py") for name in found.case.template}
    return module.split(".")[0] in own and not found.case.baseline


def _line(found: Found) -> Blame | None:
    name = found.match.groupdict().get("name")
    return _asked(found, ownership.of_line(found.case, found.chain), package(name) if name else "")


def _path(found: Found) -> Blame | None:
    case, chain = found.case, found.chain
    path = next((part for part in found.match.groups() if part), "")
    if not path:
        return _asked(found, ownership.of_line(case, chain))
    if found.sign.action == RIGHTS and ownership.is_output(path):
        return _asked(found, "template", path)  # every experiment has to be able to write there
    if case.outcome.command != "evaluate" and globbed(ownership.inside(case, path), case.sealed):
        owner = ownership.of_line(case, chain)
        return _asked(found, owner, path, SEALED)  # hidden, if the sandbox can; who looks for it is wrong
    return _asked(found, ownership.of_path(case, path, chain), path)


def _cuda(found: Found) -> Blame | None:
    return _asked(found, ownership.of_cuda(found.case, found.chain))


def _frozen(found: Found) -> Blame | None:
    """A frozen file raised it: its data, its cache or the disk. Elsewhere these words say nothing."""
    case, frames = found.case, found.chain[0].frames
    last = ownership.project_name(case, frames[-1]) if frames and ownership.is_project(case, frames[-1].path) else ""
    return _anybody(found) if case.root and last and not case.editable(last) else None


def _data(found: Found) -> Blame | None:
    """Damaged data that the template reads; what `evaluate` reads, the experiment has written."""
    if found.case.outcome.command == "evaluate" or ownership.of_line(found.case, found.chain) != "template":
        return None
    return _asked(found, "template")


def _hub(found: Found) -> Blame | None:
    case, text = found.case, found.all_words
    owner = ownership.of_repository(case, text, found.chain)
    if owner == "edit" and case.network == "none":
        return Blame("code", evidence(found.chain[0]), CLOSED)
    outside = ONLY_THE_HUB if case.network == "hub" and "Tunnel connection failed" in text else ""
    repository = _REPOSITORY.search(text)
    return _asked(found, owner, repository[1] if repository else "", outside)


def _reach(found: Found) -> Blame | None:
    """A network that fails passes by itself, unless there is none: then whoever reaches for it is wrong."""
    case, chain = found.case, found.chain
    frame, line = ownership.project_frame(case, chain), evidence(chain[0])
    if _OWN_MACHINE.search(text := words(chain) + (frame.source if frame else "")) and "roxy" not in text:
        return None  # nobody listens on this machine: the experiment's own servers
    if case.network == "none":
        owner = ownership.of_repository(case, found.all_words, chain)
        rows = {"template": Blame("environment", line, action=PREFETCH), "edit": Blame("code", line, CLOSED)}
        return rows.get(owner, Blame("unknown", line, action=SEE_THE_LOG))
    tried = _REQUESTS.findall(case.stderr[-20_000:])[-1:]
    if found.sign.kind == "transient" and tried and "CERTIFICATE_VERIFY_FAILED" in tried[0]:
        return Blame("environment", shorten(tried[0], 200), action=CERTIFICATES)  # what is raised says less
    return _anybody(found)


def _numbers(found: Found) -> Blame | None:
    elsewhere = re.search(r"Import|NotFound|OSError|Permission|HTTP", found.chain[0].type)
    return None if elsewhere else _anybody(found)


_ASKS: dict[str, Callable[[Found], Blame | None]] = {
    "": _anybody, "module": _module, "import": _import, "line": _line, "path": _path, "cuda": _cuda,
    "frozen": _frozen, "data": _data, "hub": _hub, "reach": _reach, "numbers": _numbers,
}  # fmt: skip
