"""A person's acts: their edits are recognised, kept and asked about; the tree follows the journal otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agent.core import events as e
from agent.core import paper
from agent.core.actions import Settle
from agent.core.errors import InputProblem
from agent.core.redact import without
from agent.core.text import printable
from agent.steps.desk import Desk
from agent.steps.papers import paper_at
from agent.store import catalog
from agent.store.workspace import Drift


def listen(desk: Desk) -> Iterator[e.Event]:
    """Before each decision: messages in the inbox, then the working tree."""
    desk.take_inbox()
    if desk.state.edited is None and not _job_unjudged(desk):
        drift = desk.workspace.drift(desk.state.head, "" if desk.state.settled else desk.state.previous)
        if drift.changes:
            yield _edited(desk, drift)


def settle(desk: Desk, action: Settle) -> Iterator[e.Event]:
    state = desk.state
    tags = {run.name: run.head for run in state.runs.values() if run.status == "good"}
    conflict = desk.workspace.settle(state.previous, state.head, tags)
    yield _edited(desk, conflict) if conflict.changes else e.WorkspaceSettled(head=state.head)


def answer(desk: Desk, take: bool, stash: bool) -> Iterator[e.Event]:
    """What `resume --take` or `--stash` does. An edit that its author has undone needs no answer."""
    state = desk.state
    if state.edited is None:
        return
    drift = desk.workspace.drift(state.head, "" if state.settled else state.previous)
    if not drift.changes:
        yield e.HumanStashed(files=state.edited.files, saved=state.edited.saved)
    elif take and drift.links:
        links = ", ".join(drift.links)
        raise InputProblem(f"{links}: a study cannot hold symbolic links", "Put the file itself there, or `--stash`.")
    elif take and (
        told := [name for name, text in drift.changes.items() if text and without(text, os.environ) != text]
    ):
        names = printable(", ".join(sorted(told)))
        raise InputProblem(
            f"{names}: a key of your environment stands in it", "Read it from the environment, or `--stash`."
        )
    elif take:
        message = f"By hand: {', '.join(drift.files)}"
        head = desk.workspace.commit(state.head, drift.changes, message, desk.now(), desk.workspace.identity())
        yield e.HumanTook(files=drift.files, head=head, parts=_parts(desk, head))
        desk.idea, desk.template = catalog.read_study(desk.workspace, head, state.name)
    elif stash:
        saved = _keep(desk, drift)
        desk.workspace.restore(state.head, drift.changes, desk.layout.own / "stashed" / saved[:12])
        yield e.HumanStashed(files=drift.files, saved=saved)


def _parts(desk: Desk, head: str) -> tuple[str, ...]:
    """Parts of the paper that say something else there than before."""
    before, now = (paper.parts(paper_at(desk, at)) for at in (desk.state.head, head))
    return tuple(part for part, text in now.items() if before.get(part) != text)


def _edited(desk: Desk, drift: Drift) -> e.HumanEdited:
    return e.HumanEdited(files=drift.files, saved=_keep(desk, drift))


def _keep(desk: Desk, drift: Drift) -> str:
    return desk.workspace.keep(desk.state.head, drift, desk.now(), desk.state.seq + 1)


def _job_unjudged(desk: Desk) -> bool:
    """While a job runs, the tree is looked at when the job is judged."""
    return any(run.attempt and not run.attempt.judged for run in desk.state.runs.values())
