"""The fold, as far as the paper goes: its parts, whose text they are, and what LaTeX made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.core import events as e
from agent.core import fold_calls
from agent.core.state import State


def written(state: State, event: e.PartWritten, at: float) -> State:
    state = fold_calls.read(state, event.call)
    parts = {event.part, *event.parts}
    return replace(
        state,
        written=state.written | {(event.action, event.part)},
        part_problems=(),
        unbuilt=True,
        by_hand=state.by_hand - parts,
        faults={part: said for part, said in state.faults.items() if part not in parts},
    )


def rejected(state: State, event: e.PartRejected, at: float) -> State:
    return replace(fold_calls.read(state, event.call), part_problems=event.problems)


def built(state: State, event: e.PaperBuilt, at: float) -> State:
    return replace(state, built=event, unbuilt=False, builds=event.attempt, faults=event.faults)


def by_hand(state: State, parts: Iterable[str]) -> State:
    """A person has written these parts: what the paper says there is theirs, until they ask for it anew."""
    theirs = frozenset(parts)
    return replace(state, by_hand=state.by_hand | theirs, unbuilt=state.unbuilt or bool(theirs and state.built))


def anew(state: State, steps: Iterable[tuple[str, str]]) -> State:
    """A person has the paper of an ended study written anew, in these steps."""
    again = frozenset(steps)
    state = without(state, again)
    return replace(
        state,
        ended="",
        rewriting=state.ended or state.rewriting,
        unbuilt=True,
        by_hand=state.by_hand - {part for _, part in again},
    )


def outdated(state: State) -> State:
    """There are new results: a paper that was written before goes through its last round once more."""
    if not state.written:
        return state
    last = {("revise", part) for action, part in state.written if action == "revise"}
    return replace(without(state, frozenset(last)), unbuilt=True)


def without(state: State, steps: frozenset[tuple[str, str]]) -> State:
    """As if these steps, and the mending of their parts, had not been asked for; what was paid stays paid."""
    asked = steps | {("mend", part) for _, part in steps}
    calls = {name: replace(c, old=c.old or (c.action, c.run) in asked) for name, c in state.calls.items()}
    return replace(state, calls=calls, written=state.written - asked, part_problems=())
