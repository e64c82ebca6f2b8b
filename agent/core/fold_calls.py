"""The fold, as far as calls of a model go: their tries, what was used, whether a reply was acted upon."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent.core import events as e
from agent.core.calls import Try
from agent.core.state import Call, State


def sent(state: State, event: e.CallSent, at: float) -> State:
    call = state.calls[event.call]
    before = tuple(replace(t, kind="lost") if not t.kind else t for t in call.tries)  # its session was killed
    one = Try(at, event.usage, event.cost)
    return _put_call(state, replace(call, tries=(*before, one), model=event.model))


def failed(state: State, event: e.CallFailed, at: float) -> State:
    one: dict[str, Any] = {
        "kind": event.kind,
        "evidence": event.evidence,
        "retry_after": event.retry_after,
        "ended": at,
    }
    if event.usage is not None:
        one |= {"usage": event.usage, "cost": event.cost, "estimated": event.estimated}
    elif not event.billed:
        one |= {"usage": {}, "cost": 0.0, "estimated": False}
    return _end_try(state, event.call, **one)


def replied(state: State, event: e.CallReplied, at: float) -> State:
    used = {"usage": event.usage, "cost": event.cost, "estimated": event.estimated}
    state = _end_try(state, event.call, kind="replied", ended=at, **used)
    return _put_call(state, replace(state.calls[event.call], replied=True, model=event.model))


def _end_try(state: State, name: str, **changes: Any) -> State:
    call = state.calls[name]
    *before, last = call.tries or (Try(state.last),)  # journals of the first version have no call.sent
    return _put_call(state, replace(call, tries=(*before, replace(last, **changes))))


def _put_call(state: State, call: Call) -> State:
    return replace(state, calls={**state.calls, call.name: call})


def budget_reached(state: State, event: e.BudgetReached, at: float) -> State:
    if event.call in state.calls:
        state = read(state, event.call)  # it will not be asked; a later session composes it anew
    return replace(state, unaffordable=(*state.unaffordable, event))


def read(state: State, name: str) -> State:
    return replace(state, calls={**state.calls, name: replace(state.calls[name], read=True)})
