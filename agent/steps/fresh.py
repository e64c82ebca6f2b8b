"""Step 8a: more seeds of a run that has results: fresh ones to confirm it, or what the coder asked for.

The run's own code is needed, whatever the study's files are now: the job gets a copy of the study as it was committed
with that run, in its attempt folder, and works there. What it measures goes to run_3/confirm or run_3/more_1.
The fresh seeds are the same for all runs of a study, and for the baseline, which is measured on them once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from agent.core import events as e
from agent.core import measures
from agent.core.measures import Measure
from agent.core.result import Result
from agent.core.state import Run
from agent.steps import baselines
from agent.steps.accept import commit_outputs
from agent.steps.desk import Desk

_TREE = "tree"
_NOT_NEEDED = ("run_", "figures/", "latex/", "notes")


def seeds(desk: Desk, run: Run, purpose: str) -> tuple[int, ...]:
    base = first(desk)
    wanted = desk.profile.seeds.confirm
    if purpose == "confirm":
        return tuple(range(base, base + wanted))
    start = max([base + wanted - 1, *run.used]) + 1
    return tuple(range(start, start + run.replicas))


def first(desk: Desk) -> int:
    """The first seed that neither a baseline nor a run has for its first results."""
    reference = desk.state.reference
    known = [Measure.from_json(one).seeds for one in reference.metrics.values()] if reference else []
    after = [seed + 1 for of_metric in known for seed in of_metric]
    return max(baselines.seeds_wanted(desk), desk.profile.seeds.screen, *after, 0)


def place(desk: Desk, run: str, attempt: Path) -> Path:
    """The folder that the job works in: the study as it was with this run, made once."""
    tree = attempt / _TREE
    if not tree.exists():
        making = attempt / f"{_TREE}.new"
        shutil.rmtree(making, ignore_errors=True)
        for name, content in _code(desk, run).items():
            (making / name).parent.mkdir(parents=True, exist_ok=True)
            (making / name).write_bytes(content)
        making.rename(tree)
    return tree.resolve()


def output(run: Run, purpose: str) -> str:
    return f"{run.name}/confirm" if purpose == "confirm" else f"{run.name}/more_{run.replicated + 1}"


def touched(desk: Desk, run: str, attempt: Path) -> tuple[str, ...]:
    """Frozen files of the copy that are not what they were."""
    tree, known = attempt / _TREE, _code(desk, run)
    frozen = {name: content for name, content in known.items() if not desk.template.may_edit(name)}
    return tuple(sorted(name for name, content in frozen.items() if _content(tree / name) != content))


def _code(desk: Desk, run: str) -> dict[str, bytes]:
    commit = desk.state.runs[run].head
    names = [name for name in desk.workspace.tree(commit) if not name.startswith(_NOT_NEEDED)]
    return desk.workspace.read(commit, names)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def known(desk: Desk, run: str, wanted: tuple[int, ...]) -> e.SeedsMeasured | None:
    """The baseline's fresh seeds, if another study has measured them here."""
    found = baselines.kept_more(desk, run, wanted)
    if found is None:
        return None
    folder = desk.layout.output(run) / "confirm"
    if not folder.exists():
        baselines.copy(found.folder, folder)
    return _measured(desk, desk.state.runs[run], 0, "confirm", found.result, found.seconds, found.source)


def accept(desk: Desk, run: Run, attempt: Path, result: Result, seconds: float) -> Iterator[e.Event]:
    """What was measured goes to its place in the study, and into a commit."""
    assert run.attempt is not None
    purpose, name = run.attempt.purpose, output(run, run.attempt.purpose)
    made, target = attempt / _TREE / name, desk.layout.root / name
    if made.exists():
        shutil.rmtree(target, ignore_errors=True)
        shutil.move(made, target)
    if run.baseline and purpose == "confirm":
        baselines.remember_more(desk, run.name, target, seconds, run.attempt.seeds)
    yield _measured(desk, run, run.attempt.number, purpose, result, seconds, "")


def _measured(
    desk: Desk, run: Run, attempt: int, purpose: str, result: Result, seconds: float, source: str
) -> e.SeedsMeasured:
    name = output(run, purpose)
    found = result.measures if purpose == "confirm" else pooled(run, result)
    told = "fresh seeds, to confirm" if purpose == "confirm" else "more seeds"
    head = desk.commit(commit_outputs(desk, name), f"{run.name}: {told}\n")
    return e.SeedsMeasured(run=run.name, attempt=attempt, head=head, seconds=round(seconds, 3), source=source,
                           metrics={m: v.to_json() for m, v in found.items()})  # fmt: skip


def pooled(run: Run, more: Result) -> dict[str, Measure]:
    return measures.pooled({name: Measure.from_json(data) for name, data in run.metrics.items()}, more.measures)


def results_of(desk: Desk, run: Run, attempt: Path) -> Path:
    """Where the job has left its results; after a crash in `accept` they may be in their place already."""
    assert run.attempt is not None
    name = f"{output(run, run.attempt.purpose)}/final_info.json"
    made = attempt / _TREE / name
    return made if made.exists() else desk.layout.root / name
