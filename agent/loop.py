"""START HERE: the whole story on one page.

A study is worked through by repeating four moves until there is nothing to do:

    listen    messages in the inbox, and edits that a person made in the working tree
    decide    the next action, from the state alone (core.policy, pure)
    perform   the step for that action: it calls adapters and yields events; intents before acts, results after them
    record    each event goes to the journal, and the state is the fold of the journal

A crash at any point loses at most the step under way: the next session reads the journal and decides again.

    idea + template ─ setup ─▶ study ─┐
         ┌────────────────────────────┘
         ▼
    Prefetch                        once, if the template has data to fetch
    Launch → Await → Judge          baselines first, then each run
    Compare                         each run with its baseline; one that looks better is measured anew, with fresh seeds
    FreezePlan                      once the baseline is measured
    Ask → ReadReply                 prompt → reply → commit, or the reasons why not
    Aside                           plot.py or probes.py have changed: they are run, and that is no run
    Draw                            the default figures, when the experiments are over
    Build                           the paper as PDF; what LaTeX finds wrong goes back to the coder, a few times
    CloseRun                        too many failures: said in the notes, and on to the next
    Settle                          the working tree follows the last commit
    Conclude → Stop                 notes and summary are in the study's folder
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from agent.core import actions
from agent.core.actions import Action, Stop
from agent.core.errors import StopAsked
from agent.core.events import Event
from agent.core.policy import decide
from agent.steps import aside, ask, close, edit, figures, human, judge, launch, prefetch, publish, weigh
from agent.steps.desk import Desk

STEPS: dict[type, Callable[[Desk, Any], Iterator[Event]]] = {
    actions.Prefetch: prefetch.perform,
    actions.Launch: launch.launch,
    actions.Aside: aside.perform,
    actions.Draw: figures.perform,
    actions.Await: launch.wait,
    actions.Judge: judge.judge,
    actions.Compare: weigh.perform,
    actions.FreezePlan: close.freeze_plan,
    actions.Ask: ask.perform,
    actions.ReadReply: edit.perform,
    actions.CloseRun: close.close_run,
    actions.Settle: human.settle,
    actions.Build: publish.perform,
    actions.Conclude: close.conclude,
}


def work(desk: Desk) -> Stop:
    """Go on until the study is done or cannot go on in this session."""
    while True:
        record_all(desk, human.listen(desk))
        action = decide(desk.state, desk.elapsed())
        if isinstance(action, Stop):
            return action
        with suppress(StopAsked):  # it is in the journal, and the next decision acts on it
            record_all(desk, perform(desk, action))


def fetch(desk: Desk) -> Stop | None:
    """Only what comes before anything is measured: the template's data. None: it is there, or none is needed."""
    while isinstance(action := decide(desk.state, desk.elapsed()), actions.Prefetch):
        with suppress(StopAsked):
            record_all(desk, perform(desk, action))
    return action if isinstance(action, Stop) else None


def perform(desk: Desk, action: Action) -> Iterator[Event]:
    return STEPS[type(action)](desk, action)


def record_all(desk: Desk, happened: Iterator[Event]) -> None:
    for event in happened:
        desk.record(event)
