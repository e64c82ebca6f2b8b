"""What a step has in its hands: the state, the adapters, and `record`, the only way to change the state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.core import events as e
from agent.core.errors import Interrupted, StopAsked
from agent.core.fold import apply, fold
from agent.core.idea import Idea
from agent.core.layout import Layout
from agent.core.ports import Model, Runner
from agent.core.state import State
from agent.core.template import Profile, Template
from agent.store import inbox
from agent.store.journal import Journal
from agent.store.workspace import Workspace

Tell = Callable[[e.Entry, State, State], None]  # entry, state before, state after


def _silent(entry: e.Entry, before: State, after: State) -> None:
    pass


@dataclass
class Desk:
    layout: Layout
    journal: Journal
    workspace: Workspace
    model: Model
    runner: Runner
    template: Template
    idea: Idea
    interpreter: tuple[str, ...]  # argv prefix of the experiment's Python
    machine: dict[str, Any]  # what that Python is and runs on
    now: Callable[[], float] = time.time
    tell: Tell = _silent
    show_progress: Callable[[str], None] = lambda text: None
    interrupted: Callable[[], bool] = lambda: False
    state: State = field(init=False)

    def __post_init__(self) -> None:
        self.state = fold(self.journal.entries)

    def record(self, event: e.Event) -> State:
        entry = self.journal.append(event)
        before, self.state = self.state, apply(self.state, entry)
        self.tell(entry, before, self.state)
        return self.state

    def foresee(self, event: e.Event) -> State:
        """The state as it will be after `event`, for texts that are committed together with it."""
        return apply(self.state, e.Entry(v=e.VERSION, seq=self.state.seq + 1, at=self.state.last, event=event))

    def elapsed(self) -> float:
        return self.state.elapsed(self.now())

    @property
    def profile(self) -> Profile:
        return self.template.profile(self.state.profile)[1]

    def pulse(self) -> None:
        """Called while a reply is awaited."""
        self.take_inbox()
        if self.interrupted():
            raise Interrupted("interrupted")
        if self.state.stopping:
            raise StopAsked("stopped by a person")

    def take_inbox(self) -> None:
        for slip in inbox.waiting(self.layout.inbox):
            if slip.name not in self.state.slips:
                if slip.kind == "note":
                    self.record(
                        e.HumanNoted(
                            slip=slip.name, text=str(slip.content["text"]), keep=bool(slip.content.get("keep"))
                        )
                    )
                elif slip.kind == "amend" and self.state.plan is not None:
                    what, now = slip.content["what"], slip.content["now"]
                    planned = self.state.plan.get(what)
                    self.record(
                        e.PlanDeviated(what=what, planned=planned, now=now, why=slip.content["why"], slip=slip.name)
                    )
                elif slip.kind == "stop":
                    self.record(
                        e.HumanStopped(slip=slip.name, what="run" if slip.content.get("what") == "run" else "study")
                    )
            inbox.remove(self.layout.inbox, slip)

    def editable(self, commit: str) -> dict[str, str]:
        """The texts that the coder may change, as they are in a commit."""
        names = [p for p in self.workspace.tree(commit) if self.template.may_edit(p) and not p.startswith("latex/")]
        return {name: data.decode("utf-8", "replace") for name, data in self.workspace.read(commit, names).items()}

    def commit(self, changes: Mapping[str, str | bytes | None], message: str) -> str:
        encoded = {path: c.encode() if isinstance(c, str) else c for path, c in changes.items()}
        return self.workspace.commit(self.state.head, encoded, message, self.now())
