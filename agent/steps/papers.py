"""The texts that the tool keeps in a study and commits with what they tell about: notes.txt and README.md."""

from __future__ import annotations

from collections.abc import Mapping

from agent.core.state import State
from agent.report import summary
from agent.steps.desk import Desk


def kept_texts(desk: Desk, state: State, changed: Mapping[str, str] | None = None) -> dict[str, str]:
    """notes.txt and README.md as they will be in `state`, where `changed` editable files have their new text."""
    texts = {**desk.editable(desk.state.head), **(changed or {})}
    title = desk.idea.title
    made = {"README.md": summary.readme(state, desk.template, title)}
    if not desk.template.may_edit("notes.txt"):
        made["notes.txt"] = summary.notes(state, desk.template, title, texts)
    return made
