"""After a run: its results against the baseline's and all others', as core.verdicts does; the texts then say what came of it."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core import events as e
from agent.core.actions import Compare
from agent.core.compare import Rules
from agent.core.renewed import as_judged
from agent.core.result import Result, parse_result
from agent.core.state import Run
from agent.core.verdicts import confirmed, screened
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts
from agent.store import files

_LONGEST = 10_000_000


def perform(desk: Desk, action: Compare) -> Iterator[e.Event]:
    state, run, reference = desk.state, desk.state.runs[action.run], desk.state.reference
    assert reference is not None
    rules = Rules.of(desk.template, state.plan or {})
    if action.stage == "screen":
        earlier = [r for r in state.runs.values() if r.status == "good" and (r.baseline or r.number <= run.number)]
        found = screened(run.name, {r.name: first_result(desk, r) for r in earlier}, reference.name, rules)
    else:
        found = confirmed(run.comparison or {}, fresh_result(desk, run), fresh_result(desk, reference), rules)
    found = found.model_copy(update={"head": desk.state.head})
    texts = kept_texts(desk, desk.foresee(found))
    known = desk.workspace.read(state.head, texts)
    changed = {name: text for name, text in texts.items() if known.get(name) != text.encode()}
    if changed:
        head = desk.commit(
            changed, f"{run.name}: {found.comparison['verdict'] or 'compared'}\n\n{found.comparison['why']}\n"
        )
        found = found.model_copy(update={"head": head})
    yield found


def first_result(desk: Desk, run: Run) -> Result:
    return as_judged(run.metrics, _file(desk, run, ""))


def fresh_result(desk: Desk, run: Run) -> Result:
    return as_judged(run.confirmation, _file(desk, run, "confirm/"))


def _file(desk: Desk, run: Run, part: str) -> Result:
    """As committed: that is what was judged."""
    name = f"{run.name}/{part}final_info.json"
    data = desk.workspace.read(desk.state.head, [name]).get(name)
    text = data.decode("utf-8", "replace") if data is not None else files.read_tail(desk.layout.root / name, _LONGEST)
    result = parse_result(text)
    return result if isinstance(result, Result) else Result({}, {}, {})
