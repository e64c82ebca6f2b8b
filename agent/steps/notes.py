"""A reply to a request for notes: only notes may change, and of one that broke off nothing is taken."""

from __future__ import annotations

from agent.core import edits
from agent.core import events as e
from agent.core.edits import Applied
from agent.core.state import Call
from agent.core.template import ALWAYS_EDITABLE
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts

NO_BLOCKS = "the reply holds no SEARCH/REPLACE block that could be recognised; give the change in the form shown above"


def texts(desk: Desk) -> dict[str, str]:
    return {name: text for name, text in desk.editable(desk.state.head).items() if name.startswith("notes/")}


def changed(desk: Desk, text: str, cut: str) -> dict[str, str] | list[str]:
    """The notes that the reply changes, by name; or what is wrong with it."""
    before = texts(desk)
    blocks = edits.parse(text, before)
    if cut or not blocks:
        return [cut or NO_BLOCKS]
    applied = edits.apply(blocks, before, creatable=ALWAYS_EDITABLE)
    return applied.files if isinstance(applied, Applied) else [problem.message for problem in applied.problems]


def committed(desk: Desk, call: Call, written: dict[str, str], message: str) -> e.EditCommitted:
    def event(head: str) -> e.EditCommitted:
        return e.EditCommitted(call=call.name, run=call.run, head=head, files=tuple(sorted(written)), starts_run=False)

    kept = kept_texts(desk, desk.foresee(event(desk.state.head)), written)
    return event(desk.commit({**written, **kept}, message))
