"""Hyper-parameters of the SAE template's baselines, one sweep per kind: `python bench/sae_sweep.py topk [l1 jumprelu]`.

Trains each setting on the language world of profile `tiny` for one or more seeds, and prints explained variance and L0 on
held-out documents, and mean token probing accuracy. What is best at the target L0 (within 10 %) is what experiment.py has.
    --set learning_rate=0.001,0.002 --set bandwidth=0.05    other values than those of GRIDS
    --l0 32 --dictionary 512                                another target, another size, for all
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).resolve().parents[1] / "templates" / "sae"
sys.path.insert(0, str(TEMPLATE))
os.environ.setdefault("SAE_PROFILE", "tiny")

import torch  # noqa: E402
from harness import data, evals, seeds  # type: ignore[import-not-found]  # noqa: E402
from scipy.sparse import csr_matrix  # noqa: E402

GRIDS: dict[str, dict[str, list[float]]] = {
    "topk": {"learning_rate": [1e-3, 2e-3, 4e-3, 8e-3], "auxiliary": [0.0, 1 / 32]},
    "l1": {"learning_rate": [1e-3, 2e-3, 4e-3, 8e-3]},
    "jumprelu": {"learning_rate": [1e-3, 2e-3, 4e-3], "bandwidth": [0.02, 0.05, 0.1], "threshold": [0.02, 0.05, 0.1]},
}


def tried(
    kind: str, setting: dict[str, float], seed: int, size: Any, held_out: Any, tables: Any, trace: bool, say: Any
) -> list[float]:
    import experiment  # type: ignore[import-not-found]

    given = {name: int(value) if name == "batch" else value for name, value in setting.items()}
    config = dataclasses.replace(experiment.CONFIGS[kind], **given)
    world = data.World("language", size.dictionary, size.l0, size.tokens,
                       data.training_activations().mapped(), data.Shape().context - 1)  # fmt: skip
    began = time.process_time()
    sae, history = experiment.train(world, seed, config, lambda *_: None)
    seconds = time.process_time() - began
    if trace:
        curve = history.curve(25)
        weight = getattr(sae, "steer", None) and round(sae.steer.log_weight, 3)
        print(
            kind,
            setting,
            "log weight",
            weight,
            [f"{s}:{x:.1f}" for s, x in zip(curve["step"], curve["l0"], strict=True)],
            flush=True,
        )
    with torch.no_grad():
        asked = (held_out, tables[0].x, tables[1].x)
        latents = [csr_matrix(torch.cat([sae.encode(x) for x in part.split(4096)]).numpy()) for part in asked]
        decoded = torch.from_numpy(latents[0] @ sae.W_dec.numpy()) + sae.b_dec
    explained = 1 - float((held_out - decoded).pow(2).sum() / held_out.pow(2).sum())
    probing = evals.token_probing(latents[1], latents[2], tables[2], (1, 5))
    return [
        explained,
        latents[0].nnz / len(held_out),
        probing["token_probing.top_1"],
        probing["token_probing.top_5"],
        seconds,
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="+", choices=GRIDS)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=V,V")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--l0", type=float, default=data.profile().l0)
    parser.add_argument("--dictionary", type=int, default=data.profile().dictionary)
    parser.add_argument("--trace", action="store_true", help="print L0 over the steps of training")
    given = parser.parse_args()
    size = dataclasses.replace(data.profile(), l0=given.l0, dictionary=given.dictionary)
    ids = data.arrays(data.HERE / "heldout/heldout.npz")["ids"][:200]
    held_out = data.scale().normal(data.residuals(ids)[:, 1:]).flatten(0, 1)
    tables = evals.token_tasks()
    for kind in given.kinds:
        grid = {n: [float(v) for v in vs.split(",")] for n, vs in (s.split("=") for s in given.set)} or GRIDS[kind]
        settings = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]
        jobs = [(setting, seed) for setting in settings for seed in range(given.seeds)]
        found = seeds.forked([partial(tried, kind, s, seed, size, held_out, tables, given.trace) for s, seed in jobs])
        print(f"{kind}: {' '.join(grid)} | explained variance | L0 | top-1 | top-5 | CPU s")
        for number, setting in enumerate(settings):
            mine = torch.tensor(found[number * given.seeds : (number + 1) * given.seeds])
            errors = mine.std(0) / given.seeds**0.5 if given.seeds > 1 else torch.zeros(mine.shape[1])
            cells = [f"{m:.4f} ± {e:.4f}" for m, e in zip(mine.mean(0), errors, strict=True)]
            print("  ".join(f"{v:g}" for v in setting.values()), "|", " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
