"""Step 8: a run with a usable result becomes a commit: results, logs, notes.txt and summary together."""

from __future__ import annotations

import shlex

from agent.core import digest
from agent.core import events as e
from agent.core.result import Result
from agent.core.state import Run
from agent.runners import folder
from agent.steps import baselines, prefetch
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts
from agent.store import files

_COMMITTED_FILE = 1_000_000  # larger outputs stay in the folder and out of git
_COMMITTED_FILES = 200
_COMMITTED_BYTES = 5_000_000  # of all files of a run together
_BULKY = (".pt", ".pth", ".npy", ".npz", ".safetensors", ".ckpt", ".bin", ".h5", ".pkl")


def accept(
    desk: Desk, run: str, attempt: int, result: Result, seconds: float, source: str, warnings: tuple[str, ...]
) -> e.RunAccepted:
    """Commit results, logs and texts; the event carries the commit."""
    metrics = {m: v.to_json() for m, v in result.measures.items()}

    def event(head: str) -> e.RunAccepted:
        return e.RunAccepted(
            run=run,
            attempt=attempt,
            head=head,
            metrics=metrics,
            seconds=round(seconds, 3),
            source=source,
            warnings=warnings,
            protocol=prefetch.protocol(desk),
        )

    if attempt:
        _write_logs(desk, run, attempt)
    after = desk.foresee(event(desk.state.head))
    if run in desk.state.baselines and attempt:
        baselines.remember(desk, run, seconds, len(desk.state.runs[run].attempts[-1].seeds))
    outputs = commit_outputs(desk, run)
    head = desk.commit({**outputs, **kept_texts(desk, after)}, _message(desk, after.runs[run], result))
    return event(head)


def _write_logs(desk: Desk, run: str, attempt: int) -> None:
    own, output = desk.layout.attempt(run, attempt), desk.layout.output(run)
    job = folder.read_job(own)
    streams = [(name, files.read_tail(own / f"{name}.log", 500_000)) for name in ("stdout", "stderr")]
    files.write(output / "log.txt", "".join(f"--- {name} ---\n{text}" for name, text in streams), own)
    lines = [
        f"export {key}={shlex.quote(value)}"
        for key, value in sorted(job.env.items())
        if key != "AI_SCIENTIST_CHECKPOINT"
    ]
    script = [f"# How {run} was run, from the study's folder.", *lines, *(shlex.join(c.argv) for c in job.commands)]
    files.write(output / "command.sh", "\n".join(["#!/bin/sh", *script]) + "\n", own)


def commit_outputs(desk: Desk, folder: str) -> dict[str, bytes]:
    """The small files of run_i/, or of a folder in it, for the commit."""
    kept: dict[str, bytes] = {}
    room = _COMMITTED_BYTES
    results = desk.layout.results(folder)
    for path in sorted(desk.layout.output(folder).rglob("*")):
        if path.is_symlink() or not path.is_file() or path.suffix in _BULKY:
            continue
        if path.stat().st_size > _COMMITTED_FILE and path != results:
            continue
        if path == results or (len(kept) < _COMMITTED_FILES and path.stat().st_size <= room):
            kept[path.relative_to(desk.layout.root).as_posix()] = path.read_bytes()
            room -= path.stat().st_size
    return kept


def _message(desk: Desk, run: Run, result: Result) -> str:
    metrics = sorted(result.measures, key=lambda m: (desk.template.metric(m).role != "primary", m))[:12]
    body = "\n".join(f"{m}: {digest.cell(run, m, desk.template)}" for m in metrics)
    return f"{run.name}: {desk.template.baseline_of(run.name) if run.baseline else run.summary}\n\n{body}\n"
