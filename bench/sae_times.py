"""How long the SAE template takes, beside what its users are promised: `python bench/sae_times.py`.

Each row is run by itself, one after the other, in a copy of the template with an empty cache of activations: by hand, as
`python experiment.py` with the evaluation, and the last row as `ai-scientist baseline`. Seconds on the wall say what a
user waits, on a quiet machine only; CPU seconds (of all processes) hold on a busy one, too. Two programs start in each
run: what their imports take is measured by starting them with nothing to do (the median of three).
    --only tiny smoke     only the rows that begin so         --json    one line a row
Exit code 1 if a bar is missed. All of it takes about ten minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEMPLATE = ROOT / "templates" / "sae"
BY_HAND = {  # row: environment, seconds allowed
    "tiny topk, 3 seeds": ({"SAE_ARCH": "topk"}, 90.0),
    "tiny jumprelu, 3 seeds": ({"SAE_ARCH": "jumprelu"}, 90.0),
    "tiny l1, 3 seeds": ({"SAE_ARCH": "l1"}, 90.0),
    "smoke, 3 seeds": ({"SAE_SMOKE": "1"}, 15.0),
    "smoke with diagnostics, 3 seeds": ({"SAE_SMOKE": "1", "SAE_DIAGNOSTICS": "1"}, 15.0),
    "micro, 2 seeds": ({"SAE_PROFILE": "micro", "AI_SCIENTIST_SEEDS": "0,1"}, None),
}
AFTER_IMPORTS = ("micro, 2 seeds", 5.0)
BASELINES = ("baselines with diagnostics, as the profile wants them", 420.0)
IMPORTS = ("import experiment", "import harness.evaluate, scipy.optimize")  # of the two programs of a run of micro


@dataclass(frozen=True)
class Row:
    name: str
    seconds: float
    cpu_seconds: float | None  # None: of jobs that outlive who started them, it is not known
    bar: float | None

    @property
    def missed(self) -> bool:
        return self.bar is not None and self.seconds > self.bar


def timed(name: str, bar: float | None, folder: Path, argv: list[str], env: dict[str, str]) -> Row:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SAE_", "AI_SCIENTIST_"))}
    before, began = _children(), time.monotonic()
    done = subprocess.run([sys.executable, *argv], cwd=folder, env=kept | env, capture_output=True, text=True)
    row = Row(name, time.monotonic() - began, _children() - before, bar)
    if done.returncode:
        raise SystemExit(f"{name}: exit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return row


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def by_hand(name: str, folder: Path) -> list[Row]:
    env, bar = BY_HAND[name]
    with tempfile.TemporaryDirectory() as cache:
        rows = [timed(name, bar, folder, ["experiment.py", "--out_dir=run_1"], {**env, "SAE_CACHE": cache})]
    if name == AFTER_IMPORTS[0]:
        starts = [_start(folder, code, env) for code in IMPORTS]
        left = [getattr(rows[0], what) - sum(getattr(s, what) for s in starts) for what in ("seconds", "cpu_seconds")]
        rows.append(Row(f"{name}: after imports", *left, AFTER_IMPORTS[1]))
    return rows


def _start(folder: Path, code: str, env: dict[str, str]) -> Row:
    tries = [timed(code, None, folder, ["-c", code], env) for _ in range(3)]
    middle = [statistics.median(getattr(t, what) for t in tries) for what in ("seconds", "cpu_seconds")]
    return Row(code, *middle, None)


def baselines() -> list[Row]:
    with tempfile.TemporaryDirectory() as results:
        command = ["-m", "agent", "baseline", str(TEMPLATE), "-o", results, "--quiet"]
        whole = timed(BASELINES[0], BASELINES[1], ROOT, command, {})
        known = [json.loads(p.read_text("utf-8")) for p in Path(results).glob(".cache/baselines/*/measured.json")]
    return [*(Row(f"  {one['run']}", one["seconds"], None, None) for one in known), replace(whole, cpu_seconds=None)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", default=[""], metavar="ROW")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    missed = False
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "sae"
        shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__", "run_*"))
        for name in [n for n in (*BY_HAND, BASELINES[0]) if n.startswith(tuple(given.only))]:
            for row in baselines() if name == BASELINES[0] else by_hand(name, folder):
                missed |= row.missed
                bar = "" if row.bar is None else f"bar {row.bar:g}{': missed' if row.missed else ''}"
                cpu = "" if row.cpu_seconds is None else f"{row.cpu_seconds:.1f} CPU s"
                said = f"{row.name:<54} {row.seconds:7.1f} s {cpu:>12}  {bar}"
                print(json.dumps(asdict(row)) if given.json else said, flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
