"""How a try at a model call can end without a reply, and what follows. One row per kind.

Waiting costs nothing while the provider sends nothing, so those kinds have patience; a kind that may have been billed
has little. What is wrong with the set-up is never tried twice. The coder is told of none of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from agent.core.text import duration, plural

LONGEST_WAIT = 900.0  # a provider that asks for more is not waited for: the study stops, resumable
MOST_TRIES = 15  # of one call in one session, whatever the kinds
_CAP = 300.0  # the longest wait that we choose ourselves


@dataclass(frozen=True)
class Kind:
    said: str  # how it is told to people
    tries: int  # in one session
    billed: bool = False  # the provider may charge for it: the worst case is booked
    exit_code: int = 4
    hint: str = "Go on later with `resume`, or with another model: `resume -m …`."


_KEY = "Put the right key into the environment, then `resume`."
_MODEL = "Check the model's name with `ai-scientist doctor -m …`, then `resume -m …`."

KINDS = {
    "key": Kind("the provider does not accept the key", 1, exit_code=2, hint=_KEY),
    "model": Kind("the provider does not know the model", 1, exit_code=2, hint=_MODEL),
    "request": Kind("the provider does not accept the request", 1, exit_code=2, hint=_MODEL),
    "context": Kind("the prompt is too long for the model", 1, exit_code=2,
                    hint="Go on with a model of a larger context: `resume -m …`."),
    "credit": Kind("the provider's account has no credit left", 1, exit_code=2, hint="Add credit, then `resume`."),
    "refused": Kind("the provider refuses the prompt", 1, exit_code=2, hint="Go on with another model: `resume -m …`."),
    "rate": Kind("the provider's rate limit is reached", 12),
    "server": Kind("the provider's server failed", 10),
    "connection": Kind("the provider cannot be reached", 10),
    "timeout": Kind("the provider was silent for too long", 3, billed=True,
                    hint="Go on later with `resume`; a slow model may need `-c reply_timeout=…`."),
    "cut": Kind("the reply broke off", 4, billed=True),
    "garbage": Kind("the provider's answer is no model's reply", 3, billed=True,
                    hint="Check the base URL with `ai-scientist doctor -m …`, then `resume`."),
    "oversize": Kind("the reply is longer than any that is read", 2, billed=True),
    "program": Kind("the program failed", 2, billed=True, hint="Mend it, then `resume`."),
    "unknown": Kind("the call failed", 2, billed=True),
}  # fmt: skip


@dataclass(frozen=True)
class Try:
    """One try, as the ledger sees it: the worst case until its end is known."""

    at: float
    usage: dict[str, int] = field(default_factory=dict)
    cost: float | None = 0.0  # None: its price is not known
    kind: str = ""  # "" under way, "lost" with its session, "replied", or a kind from the table
    estimated: bool = True  # the worst case is booked, because nobody said what was used
    evidence: str = ""
    retry_after: float | None = None
    ended: float = 0.0


@dataclass(frozen=True)
class Again:
    not_before: float


@dataclass(frozen=True)
class GiveUp:
    exit_code: int
    why: str
    hint: str


def after(tries: Sequence[Try], session: float, wait: float, salt: str) -> Again | GiveUp:
    """What to do about a call that has no reply. `wait` is the first wait of a row; tries of earlier sessions are past."""
    failed = [t for t in tries if t.at >= session and t.kind in KINDS]
    if not failed or tries[-1].kind not in KINDS:
        return Again(0.0)
    last = failed[-1]
    kind = KINDS[last.kind]
    same = sum(t.kind == last.kind for t in failed)
    times = f" ({plural(same, 'time')})" if same > 1 else ""
    if same >= kind.tries or len(failed) >= MOST_TRIES:
        return GiveUp(kind.exit_code, f"{kind.said}{times}: {last.evidence}", kind.hint)
    asked = last.retry_after or 0.0
    if asked > LONGEST_WAIT:
        return GiveUp(4, f"{kind.said}; it asks to wait for {duration(asked)}", kind.hint)
    chosen = min(_CAP, wait * 2 ** (same - 1))
    return Again(last.ended + max(asked, chosen) * (1 + jitter(f"{salt} {len(tries)}") / 4))


def jitter(salt: str) -> float:
    """From 0 to 1, different for each study and try, so that studies that failed together do not come back together."""
    return int.from_bytes(hashlib.sha256(salt.encode()).digest()[:4], "big") / 2**32
