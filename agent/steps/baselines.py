"""Step 3: baselines are measured once per machine and template, and taken from the cache afterwards.

The key holds everything a result may depend on: the code, profile, environment, seeds, command and the interpreter with
its torch and its machine. An entry is a run's folder with `measured.json` beside its files: where the result comes from
and over how many seeds. One with more seeds than the profile asks for serves as well; one with fewer does not.
A classic template may ship the result of its one baseline: it is taken where none was measured here.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.core.result import Result, parse_result
from agent.steps import prefetch
from agent.steps.desk import Desk
from agent.store import files

_NOT_CODE = ("run_", "notes", "README.md", "idea.json", "config.toml", "latex/", "figures/")
_LARGEST = 500_000_000
_ORIGIN = "measured.json"


@dataclass(frozen=True)
class Known:
    result: Result
    seconds: float
    source: str
    folder: Path
    warnings: tuple[str, ...] = ()


def environment(desk: Desk, run: str) -> dict[str, str]:
    if run not in desk.state.baselines:
        return {}
    baseline = next(b for b in desk.template.baselines if desk.template.baseline_run(b.name) == run)
    return dict(baseline.env)


def seeds_wanted(desk: Desk) -> int:
    return max(desk.profile.seeds.baseline, desk.state.settings.baseline_seeds)


def known_result(desk: Desk, run: str) -> Known | None:
    """A result that need not be measured again."""
    return kept(desk, run) or _shipped(desk, run)


def kept(desk: Desk, run: str) -> Known | None:
    """What the cache holds, if it has as many seeds as are wanted."""
    folder = _entry(desk, run)
    result = _read(folder)
    if result is None:
        return None
    origin = json.loads((folder / _ORIGIN).read_text("utf-8"))
    if origin.get("seeds", desk.profile.seeds.baseline) < seeds_wanted(desk):
        return None
    source = origin.get("source") or f"measured in study {origin['study']}"
    warnings = (f"{run} was not measured on this machine: {source}",) if origin.get("imported") else ()
    return Known(result, float(origin["seconds"]), source, folder, warnings)


def kept_more(desk: Desk, run: str, seeds: tuple[int, ...]) -> Known | None:
    """The baseline's results on these other seeds, if the cache has them."""
    folder = _entry(desk, run, seeds)
    result = _read(folder)
    if result is None:
        return None
    origin = json.loads((folder / _ORIGIN).read_text("utf-8"))
    return Known(result, float(origin["seconds"]), f"measured in study {origin['study']}", folder)


def remember_more(desk: Desk, run: str, output: Path, seconds: float, seeds: tuple[int, ...]) -> None:
    if kept_more(desk, run, seeds) or _too_large(output):
        return
    told = {"study": desk.state.name, "run": run, "seconds": round(seconds, 3), "source": ""}
    origin = {**told, "seeds": len(seeds), "fresh": list(seeds)}
    with suppress(OSError):
        _store(_entry(desk, run, seeds), output, origin)


def _shipped(desk: Desk, run: str) -> Known | None:
    folder = desk.layout.shipped(run)
    result = _read(folder)
    source = "shipped with the template, not measured on this machine"
    return Known(result, 0.0, source, folder) if result else None


def _read(folder: Path) -> Result | None:
    result = parse_result(files.read_tail(folder / "final_info.json", _LARGEST))
    return result if isinstance(result, Result) else None


def take(desk: Desk, run: str, known: Known) -> None:
    """Put a known result's files into run_0/. Links stay links: what they lead to is not part of the result."""
    copy(known.folder, desk.layout.output(run))


def copy(folder: Path, target: Path) -> None:
    shutil.copytree(folder, target, symlinks=True, ignore=shutil.ignore_patterns(_ORIGIN), dirs_exist_ok=True)


def remember(desk: Desk, run: str, seconds: float, seeds: int) -> None:
    """Keep a measured baseline for other studies. Room is all that can be lacking, and then nothing is kept."""
    output = desk.layout.output(run)
    if kept(desk, run) or _too_large(output):
        return
    day = f"{datetime.fromtimestamp(desk.now()):%Y-%m-%d %H:%M}"
    source = f"measured by `ai-scientist baseline` on {day}" if desk.layout.only_measures else ""
    origin = {"study": desk.state.name, "run": run, "seconds": round(seconds, 3), "seeds": seeds, "source": source}
    with suppress(OSError):
        keep(desk, run, output, origin)


def _too_large(output: Path) -> bool:
    return sum(p.lstat().st_size for p in output.rglob("*") if p.is_file()) > _LARGEST


def keep(desk: Desk, run: str, folder: Path, origin: dict[str, Any]) -> None:
    """Make a copy of `folder` the cache's entry, in one step; what was there before goes."""
    _store(_entry(desk, run), folder, origin)


def _store(entry: Path, folder: Path, origin: dict[str, Any]) -> None:
    temporary = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        shutil.copytree(folder, temporary, symlinks=True, ignore=shutil.ignore_patterns(_ORIGIN))
        files.write_json(temporary / _ORIGIN, origin)
        _remove(entry)
        temporary.rename(entry)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def forget(desk: Desk, run: str) -> None:
    entry = _entry(desk, run)
    for one in (entry, *entry.parent.glob(f"{entry.name}-fresh-*")):
        _remove(one)


def _remove(entry: Path) -> None:
    if not entry.exists():
        return
    gone = entry.with_name(f".{entry.name}.{os.getpid()}.gone")  # in one step, so that no half of it is ever read
    entry.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def measured_before(results: str, template: str) -> float | None:
    """How long a baseline of this template took on this machine, by the newest that is kept; of any profile."""
    paths = sorted(Path(results).glob(f".cache/baselines/{template}-*/{_ORIGIN}"), key=lambda p: p.stat().st_mtime)
    origins = [json.loads(path.read_text("utf-8")) for path in paths]
    return next((float(o["seconds"]) for o in reversed(origins) if not (o.get("imported") or o.get("fresh"))), None)


def _entry(desk: Desk, run: str, more: tuple[int, ...] = ()) -> Path:
    """Of a baseline's first results, or of those on other seeds, measured after them."""
    template, profile = desk.template, desk.profile
    head = desk.state.runs[run].head if more else desk.state.head
    code = {p: b for p, b in desk.workspace.tree(head).items() if not p.startswith(_NOT_CODE)}
    key = {
        "code": code,
        "command": [template.command, template.evaluate],
        "env": {**profile.env, **environment(desk, run)},
        "profile": desk.state.profile,
        "seeds": profile.seeds.baseline,
        "interpreter": desk.machine,
        **prefetch.protocol(desk),
    }
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
    name = "classic" if template.classic else template.name  # a study of a classic one has named it after itself
    return (
        desk.layout.root.parent
        / ".cache"
        / "baselines"
        / f"{name}-{run}-{digest}{f'-fresh-{more[0]}-{more[-1]}' if more else ''}"
    )
