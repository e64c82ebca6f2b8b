"""Step 3: baselines are measured once per machine and template, and taken from the cache afterwards.

The key holds everything a result may depend on: the code, profile, environment, seeds, command and the interpreter with
its torch and its machine. A classic template may ship the result of its one baseline.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from agent.core.result import Result, parse_result
from agent.steps import prefetch
from agent.steps.desk import Desk
from agent.store import files

_NOT_CODE = ("run_", "notes", "README.md", "idea.json", "config.toml", "latex/", "figures/")
_LARGEST = 500_000_000


@dataclass(frozen=True)
class Known:
    result: Result
    seconds: float
    source: str


def environment(desk: Desk, run: str) -> dict[str, str]:
    if run not in desk.state.baselines:
        return {}
    baseline = next(b for b in desk.template.baselines if desk.template.baseline_run(b.name) == run)
    return dict(baseline.env)


def known_result(desk: Desk, run: str) -> Known | None:
    """A result that need not be measured again; its files are then in run_0/."""
    shipped = desk.layout.shipped(run)
    folder = shipped if shipped.exists() else _entry(desk, run)
    result = parse_result(files.read_tail(folder / "final_info.json", _LARGEST))
    if not isinstance(result, Result):
        return None
    output = desk.layout.output(run)
    shutil.copytree(folder, output, ignore=shutil.ignore_patterns("measured.json"), dirs_exist_ok=True)
    if folder == shipped:
        return Known(result, 0.0, "shipped with the template, not measured on this machine")
    measured = json.loads((folder / "measured.json").read_text("utf-8"))
    return Known(result, float(measured["seconds"]), f"measured in study {measured['study']}")


def remember(desk: Desk, run: str, seconds: float) -> None:
    """Keep a measured baseline for other studies. Room is all that can be lacking, and then nothing is kept."""
    output, entry = desk.layout.output(run), _entry(desk, run)
    if entry.exists() or sum(p.stat().st_size for p in output.rglob("*") if p.is_file()) > _LARGEST:
        return
    temporary = entry.with_name(f".{entry.name}.{os.getpid()}")
    try:
        shutil.copytree(output, temporary, symlinks=True)
        files.write_json(
            temporary / "measured.json", {"study": desk.state.name, "run": run, "seconds": round(seconds, 3)}
        )
        temporary.rename(entry)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)


def measured_before(results: str, template: str) -> float | None:
    """How long a baseline of this template took on this machine, by the newest that is kept; of any profile."""
    entries = sorted(
        Path(results).glob(f".cache/baselines/{template}-*/measured.json"), key=lambda p: p.stat().st_mtime
    )
    return float(json.loads(entries[-1].read_text("utf-8"))["seconds"]) if entries else None


def _entry(desk: Desk, run: str) -> Path:
    template, profile = desk.template, desk.profile
    code = {p: b for p, b in desk.workspace.tree(desk.state.head).items() if not p.startswith(_NOT_CODE)}
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
    return desk.layout.root.parent / ".cache" / "baselines" / f"{template.name}-{run}-{digest}"
