"""Runs the coder's probes.py on saved weights: those of this run and of all others, so that they can be compared.

probes.py has `probe(sae, x)`: `sae.encode` as in the experiment, x [S, T, d] held-out activations in the order of their
tokens; it returns numbers by name. They are the family `probes` of this run. For the other runs in the study's folder the
same probes.py is run on their weights, with their own code; that goes to probes.json, beside this run's results.
The numbers are the coder's own definition, measured by the coder's own code: never a score.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from harness import data, report, sealed
from harness.method import Method

PROBES = Path("probes.py")
SEQUENCES = 64
_NAME = re.compile(r"[A-Za-z0-9_]{1,60}")


def asked() -> bool:
    return PROBES.is_file()


def inputs(held_out: Path) -> Tensor:
    """[S, T, d]: what probes are shown, the first held-out sequences in the order of the evaluation."""
    ids = data.arrays(held_out / "heldout.npz")["ids"]
    order = np.random.RandomState(0).permutation(len(ids))[:SEQUENCES]
    return data.scale().normal(data.residuals(ids[order])[:, 1:])


def of_run(method: Method, names: list[str], x: Tensor) -> list[dict[str, float]]:
    """For each seed what probes.py measures."""
    return [_checked(method.probe(PROBES, name, x)) for name in names]


def of_others(out_dir: Path, held_out: Path, x: Tensor) -> dict[str, Any]:
    """The same for every other run beside this one that has weights of the language world."""
    return of_runs([path for path in sorted(out_dir.resolve().parent.glob("run_*")) if path.name != out_dir.name], held_out, x)


def of_runs(folders: list[Path], held_out: Path, x: Tensor) -> dict[str, Any]:
    found = {}
    for folder in folders:
        files = {path.stem: path for path in sorted(folder.glob("seed_*_language.npz"))}
        if not files or not (folder / "experiment.py").is_file():
            continue
        with Method(folder / "experiment.py", files, held_out) as method:
            found[folder.name] = _summed(of_run(method, list(files), x))
    return found


def keep(out_dir: Path, own: list[dict[str, float]], others: dict[str, Any]) -> None:
    write(out_dir, {out_dir.name: _summed(own), **others})


def write(out_dir: Path, runs: dict[str, Any]) -> None:
    about = {"probes_py": hashlib.sha256(PROBES.read_bytes()).hexdigest(), "runs": runs}
    temporary = out_dir / ".probes.json.new"
    temporary.write_text(json.dumps(about, indent=1) + "\n", "ascii")
    temporary.replace(out_dir / "probes.json")


def main() -> None:
    """probes.py on the weights of all runs in this folder: `python -m harness.probes --out_dir=…` writes probes.json there."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out_dir", required=True)
    out_dir, held_out = Path(parser.parse_args().out_dir), data.HERE / "heldout"
    if not asked():
        raise SystemExit("there is no probes.py here")
    sealed.hide_memory()
    runs = os.environ["AI_SCIENTIST_RUNS"].split(",") if "AI_SCIENTIST_RUNS" in os.environ else None
    found = of_runs([path for path in sorted(Path().glob("run_*")) if runs is None or path.name in runs], held_out, inputs(held_out))
    write(out_dir, found)
    for run, measured in found.items():
        print(f"{run:24}", *(f"{name} {value['mean']:.4g}" for name, value in measured.items()))


def _summed(seeds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    found = {}
    for name in sorted(set.intersection(*(set(seed) for seed in seeds))):
        values = [seed[name] for seed in seeds]
        stderr = float(np.std(values, ddof=1) / math.sqrt(len(values))) if len(values) > 1 else None
        found[name] = {"mean": float(np.mean(values)), "stderr": stderr, "n": len(values)}
    return found


def _checked(measured: dict[str, float]) -> dict[str, float]:
    wrong = [name for name, value in measured.items() if not _NAME.fullmatch(name) or not math.isfinite(value)]
    if wrong or len(measured) > 50:
        raise report.Refused(f"probes.py: {', '.join(wrong[:5]) or 'more than 50 numbers'}: a probe is a finite number with a plain name")
    return measured


if __name__ == "__main__":
    main()
