"""Whether a change uses what is not there: asks what is not known yet, keeps the answers, and lets core judge.

What the study's own files may be imported as is never asked from the interpreter: the frozen ones are read, the editable
ones are the coder's to change. While all names are known, no process is started. No answer means no finding.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from agent.core import frozen_api, known, open_names, signatures
from agent.runners import signatures as interpreter
from agent.steps.desk import Desk
from agent.store import answers


def findings(
    desk: Desk, before: Mapping[str, str], changed: Mapping[str, str], patience: float = interpreter.PATIENCE
) -> tuple[str, ...]:
    """A sentence for each name or call in `changed` that cannot work and was not in `before`."""
    names = signatures.wanted(changed)
    if not names:
        return ()
    tree = desk.workspace.tree(desk.state.head)
    frozen = [name for name in tree if name.endswith(".py") and not desk.template.may_edit(name)]
    own = _importable([*tree, *changed])
    editable = _importable(name for name in (*tree, *changed) if desk.template.may_edit(name))
    ours = frozen_api.tops(frozen) - editable
    told: dict[str, known.Answer] = {}
    if inside := [name for name in names if _top(name) in ours]:
        texts = {
            name: data.decode("utf-8", "replace") for name, data in desk.workspace.read(desk.state.head, frozen).items()
        }
        told |= frozen_api.answers(inside, texts)
    outside = [name for name in names if _top(name) not in own]
    told |= known.chosen(outside, _asked(desk, outside, patience))
    return signatures.findings(before, changed, told)


def _top(name: str) -> str:
    return name.split(".")[0].replace("()", "")


def _importable(names: Iterable[str]) -> frozenset[str]:
    """What Python files may be imported as, from wherever in the study: every folder on the way to one, and itself."""
    return frozenset(part for name in names if name.endswith(".py") for part in name.removesuffix(".py").split("/"))


def _asked(desk: Desk, names: list[str], patience: float) -> dict[str, Any]:
    place = answers.place(desk.layout.root.resolve().parent / ".cache" / "signatures", _state(desk))
    kept = answers.load(place)
    if not (new := [name for name in names if name not in kept]):
        return kept
    wrapped = bool(desk.template.environment.wrapper) and not desk.state.settings.python
    wanted = desk.state.settings.sandbox
    told = interpreter.ask(
        desk.interpreter,
        new,
        desk.machine.get("folders", ()),
        "wrapper" if wrapped and wanted == "auto" else wanted,
        patience,
        desk.pulse,
    )
    if told is None:
        return kept
    answers.keep(place, told)
    return {**kept, **told}


def _state(desk: Desk) -> list[Any]:
    """All that can change an answer, as far as it can be seen without starting anything.

    A package that is installed, removed or updated changes its folder's time. Limit: what changes inside a container, or in
    a package that is installed in place, is not seen.
    """
    folders = sorted(str(folder) for folder in desk.machine.get("folders", ()))
    places = [Path(folder) for folder in folders if "-packages" in folder]
    times = [[str(place), place.stat().st_mtime_ns] for place in places if place.is_dir()]
    python = [desk.machine.get(key) for key in ("python", "executable", "implementation")]
    return [list(desk.interpreter), python, times, interpreter.QUESTION, open_names.to_json()]
