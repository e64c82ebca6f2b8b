"""What is saved and how results are written.

    save(out_dir, world, seed, weights, config, history)    by the experiment: one file for each seed and world
    read(path) → Saved                                       by the evaluation; refuses what is no plain array
    write(out_dir, scores, ...)                              final_info.json: means, standard errors, values, protocol
    python -m harness.report run_3                           the results in the shape of SAEBench, for its tools
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data import World, profile

RESULTS = "final_info.json"
SHOWN_POINTS = 100
_LARGEST = 500_000_000


class Refused(Exception):
    """What the method saved or answered cannot be scored, and why."""


@dataclass
class History:
    """How training went: each term of the loss and L0, step by step."""

    began: float = field(default_factory=time.monotonic)
    steps: list[int] = field(default_factory=list)
    terms: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    l0s: list[float] = field(default_factory=list)

    def add(self, step: int, terms: dict[str, Tensor], l0: float | Tensor) -> None:
        self.steps.append(step)
        self.l0s.append(float(l0))
        for name, value in terms.items():
            self.terms[name].append(float(value.detach()))

    @property
    def loss(self) -> float:
        return sum(values[-1] for values in self.terms.values())

    @property
    def l0(self) -> float:
        return self.l0s[-1] if self.l0s else 0.0

    def shares(self) -> dict[str, float]:
        """Of the whole loss, the part of each term over the last tenth of the steps; of their sizes, if some are negative."""
        last = max(1, len(self.steps) // 10)
        sizes = {name: float(np.mean(np.abs(values[-last:]))) for name, values in self.terms.items()}
        whole = sum(sizes.values()) or 1.0
        return {name: size / whole for name, size in sizes.items()}

    def curve(self, points: int = SHOWN_POINTS) -> dict[str, list[float]]:
        kept = slice(None, None, max(1, len(self.steps) // points))
        return {"step": self.steps[kept], "l0": self.l0s[kept], **{name: v[kept] for name, v in self.terms.items()}}


@dataclass(frozen=True)
class Saved:
    weights: dict[str, Tensor]
    config: dict[str, Any]
    world: str
    seed: int
    l0: float
    tokens: int
    history: dict[str, Any]
    shares: dict[str, float]
    loss: float
    seconds: float
    memory: float  # megabytes


def save(out_dir: Path, world: World, seed: int, weights: dict[str, Tensor], config: dict[str, Any], history: History) -> None:
    """`weights` must hold W_dec [dictionary, width] and b_dec [width]: they are the decoder."""
    about = {"world": world.name, "seed": seed, "l0": world.l0, "tokens": world.drawn.get(seed, 0), "config": config,
             "history": history.curve(), "shares": history.shares(), "loss": history.loss,
             "seconds": round(time.monotonic() - history.began, 2), "memory": _peak_memory()}  # fmt: skip
    path = out_dir / f"{name_of(seed, world.name)}.npz"
    temporary = path.with_suffix(".new.npz")
    arrays = {f"w.{name}": tensor.detach().cpu().numpy() for name, tensor in weights.items()}
    np.savez(temporary, about=np.frombuffer(json.dumps(about).encode(), np.uint8), **arrays)
    temporary.replace(path)
    if Path("experiment.py").exists():
        shutil.copyfile("experiment.py", out_dir / "experiment.py")  # so that these weights can be read later, too


def _peak_memory() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def name_of(seed: int, world: str) -> str:
    return f"seed_{seed}_{world}"


def read(path: Path) -> Saved:
    if not path.is_file() or path.stat().st_size > _LARGEST:
        raise ValueError(f"{path.name} is missing, no plain file, or too large")
    try:
        with np.load(path, allow_pickle=False) as parts:
            about = json.loads(parts["about"].tobytes())
            weights = {n[2:]: torch.from_numpy(parts[n]) for n in parts.files if n.startswith("w.")}
        return Saved(weights, **about)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise ValueError(f"{path.name} is not what report.save writes: {problem}") from None


def keep_curve(out_dir: Path, name: str, saved: Saved) -> None:
    """How training went, for plots: a hundred points."""
    (out_dir / f"training_{name}.json").write_text(json.dumps(saved.history) + "\n", "ascii")


def finish(out_dir: Path) -> None:
    """By hand, the evaluation starts here; ai-scientist starts it itself, where the experiment cannot reach it."""
    if "AI_SCIENTIST_PROGRESS" in os.environ:
        print("weights are saved; the evaluation follows")
        return
    done = subprocess.run([sys.executable, "-m", "harness.evaluate", f"--out_dir={out_dir}"])
    raise SystemExit(done.returncode)


# --- final_info.json ------------------------------------------------------------------------------------------------------


def write(
    out_dir: Path, scores: list[dict[str, float]], seeds: list[int], protocol: dict[str, Any], config: dict[str, Any]
) -> dict[str, Any]:
    """`scores`: for each seed its metrics, FAMILY.METRIC → value."""
    families: dict[str, dict[str, Any]] = {}
    for identity in scores[0]:
        values = [score[identity] for score in scores]
        family, _, metric = identity.partition(".")
        into = families.setdefault(family, {"means": {}, "stderrs": {}, "n": len(seeds), "values": {}, "seeds": seeds})
        into["means"][metric] = float(np.mean(values))
        into["values"][metric] = values
        if len(values) > 1:
            into["stderrs"][metric] = float(np.std(values, ddof=1) / math.sqrt(len(values)))
    families["core"]["protocol"] = protocol
    families["training"]["config"] = config
    temporary = out_dir / f".{RESULTS}.new"
    temporary.write_text(json.dumps(families, indent=1, allow_nan=False) + "\n", "ascii")
    temporary.replace(out_dir / RESULTS)
    return families


def table(families: dict[str, Any], wanted: list[str]) -> str:
    rows = []
    for identity in wanted:
        family, _, metric = identity.partition(".")
        if metric in families.get(family, {}).get("means", {}):
            stderr = families[family]["stderrs"].get(metric)
            rows.append((identity, f"{families[family]['means'][metric]:.4f}", f"± {stderr:.4f}" if stderr is not None else ""))
    widest = max((len(row[0]) for row in rows), default=0)
    return "\n".join(f"  {name:<{widest}}  {value:>9} {stderr}" for name, value, stderr in rows)


# --- for SAEBench ---------------------------------------------------------------------------------------------------------


def saebench(families: dict[str, Any]) -> dict[str, Any]:
    """The core results under the names of SAEBench's `core` evaluation. What was not measured is left out."""
    means = families["core"]["means"]
    groups = {
        "model_behavior_preservation": {"kl_div_score": "kl_div_score", "kl_div_with_sae": "kl_nats"},
        "model_performance_preservation": {"ce_loss_score": "ce_loss_score", "ce_loss_with_sae": "ce_with_sae"},
        "reconstruction_quality": {"explained_variance": "explained_variance", "mse": "mse", "cossim": "cossim"},
        "shrinkage": {"l2_ratio": "l2_ratio", "relative_reconstruction_bias": "relative_reconstruction_bias"},
        "sparsity": {"l0": "l0", "l1": "l1"},
        "misc_metrics": {"frac_alive": "frac_alive"},
    }
    found = {group: {theirs: means[ours] for theirs, ours in names.items()} for group, names in groups.items()}
    return {
        "eval_type_id": "core",
        "eval_config": families["core"]["protocol"],
        "eval_result_metrics": found,
        "eval_result_details": [],
        "sae_cfg_dict": families.get("training", {}).get("config", {}),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Print a run's core results in the shape of SAEBench.")
    parser.add_argument("run", type=Path)
    print(json.dumps(saebench(json.loads((parser.parse_args().run / RESULTS).read_text("utf-8"))), indent=1))


if __name__ == "__main__":
    main()
