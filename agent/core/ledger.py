"""What model calls have used and cost: sums over the state, nothing of its own.

Every try is booked when it is sent, at its worst case, and corrected when the provider says what was used. A try whose
end nobody knows (a kill, a reply cut on its way) stays at the worst case and is shown as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.core.calls import Try
from agent.core.paper import ACTIONS
from agent.core.state import FIGURES, PLOT, Call, State

WRITING_COST = 0.3  # share of --max-cost that is kept for plots, notes and paper
PHASES = {"edit": "experiments", **dict.fromkeys(("notes", PLOT, FIGURES, *ACTIONS), "writing")}
KEYS = ("prompt_tokens", "cached_tokens", "cache_written_tokens", "completion_tokens")


@dataclass(frozen=True)
class Total:
    calls: int
    tries: int
    usage: dict[str, int]  # as the providers reported it
    cost: float  # of the known prices
    estimated: dict[str, int]  # usage that was booked at its worst case
    estimated_cost: float  # contained in `cost`
    unpriced: int  # tries of unknown price


def total(calls: Iterable[Call]) -> Total:
    listed = list(calls)
    tries = [t for call in listed for t in call.tries]
    return Total(
        calls=len(listed),
        tries=len(tries),
        usage=_sum(t for t in tries if not t.estimated),
        cost=sum(t.cost or 0.0 for t in tries),
        estimated=_sum(t for t in tries if t.estimated),
        estimated_cost=sum(t.cost or 0.0 for t in tries if t.estimated),
        unpriced=sum(t.cost is None for t in tries),
    )


def _sum(tries: Iterable[Try]) -> dict[str, int]:
    booked = list(tries)
    return {key: sum(t.usage.get(key, 0) for t in booked) for key in KEYS}


def of_run(state: State, run: str) -> Total:
    return total(c for c in state.calls.values() if c.run == run)


def of_phase(state: State, phase: str) -> Total:
    return total(c for c in state.calls.values() if PHASES[c.action] == phase)


def left(state: State, phase: str) -> float | None:
    """Dollars that calls of this phase may still cost; None: no limit. The experiments leave the reserve alone."""
    limit = state.settings.max_cost
    if limit is None:
        return None
    share = 1.0 if phase == "writing" else 1.0 - WRITING_COST
    return limit * share - total(state.calls.values()).cost


def fits(state: State, phase: str, worst: float | None) -> bool:
    room = left(state, phase)
    return room is None or worst is None or worst <= room
