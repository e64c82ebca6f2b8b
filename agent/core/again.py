"""Jobs that failed through nobody's fault of this study's: the same job again, and for how long. One row per kind.

The coder is told of none of these and no model is asked. Waiting costs nothing, so an outage of the network may last for
hours; what cannot be explained is tried once more, and is then the user's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.core.calls import Again, GiveUp, jitter
from agent.core.state import Attempt
from agent.core.text import plural

LONGEST_WAIT = 900.0


@dataclass(frozen=True)
class Kind:
    said: str
    tries: int  # in a row, in one session
    waits: bool  # before the next: each time twice as long
    hint: str


KINDS = {
    "transient": Kind("failed for the network or the hub", 16, True,
                      "Go on with `resume` when it is there again; what is done is kept."),
    "lost": Kind("was lost", 3, False, "Look at the machine, then `resume`."),
    "interrupted": Kind("was ended from outside", 3, False, "Look at the machine, then `resume`."),
    "unknown": Kind("failed and nobody can say why", 2, False,
                    "Look at the log: `ai-scientist triage` says what is known of it. Then `resume`."),
}  # fmt: skip


def after(attempts: Sequence[Attempt], session: float, wait: float, name: str) -> Again | GiveUp:
    """What to do about a job that has no result. `wait` is the first wait of a row; earlier sessions are past."""
    row: list[Attempt] = []
    for attempt in reversed(attempts):
        if attempt.blame not in KINDS or attempt.launched < session:
            break
        row.append(attempt)
    if not row:
        return Again(0.0)
    last = row[0]
    kind, same = KINDS[last.blame], sum(one.blame == last.blame for one in row)
    if same >= kind.tries or len(row) >= max(one.tries for one in KINDS.values()):
        return GiveUp(4, f"{name} {kind.said} {plural(same, 'time')} in a row: {last.evidence}", kind.hint)
    if not kind.waits:
        return Again(0.0)
    chosen = min(LONGEST_WAIT, wait * 2 ** (same - 1))
    return Again(last.failed + chosen * (1 + jitter(f"{name} {last.number}") / 4))
