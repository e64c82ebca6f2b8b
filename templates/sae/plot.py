"""Figures of a study, from results files alone: run it in the study's folder. Images are written beside it.

`labels` says which runs are drawn, and under which names; runs that are not there are left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

labels = {
    "run_0": "TopK",
    "run_0_jumprelu": "JumpReLU",
    "run_0_l1": "L1",
    "run_0_untrained": "untrained",
}

BARS = (("core", "kl_nats", "KL with SAE (nats)"), ("core", "explained_variance", "explained variance"),
        ("token_probing", "top_5", "token probing, 5 latents"), ("synthetic", "f1", "synthetic F1"))  # fmt: skip
COLOURS = plt.get_cmap("tab10").colors


def results() -> dict[str, dict]:
    found = {run: Path(run) / "final_info.json" for run in labels}
    return {run: json.loads(path.read_text("utf-8")) for run, path in found.items() if path.exists()}


def value(info: dict, family: str, metric: str) -> tuple[float, float] | None:
    """Mean and standard error, if it was measured."""
    if metric not in info.get(family, {}).get("means", {}):
        return None
    return info[family]["means"][metric], info[family].get("stderrs", {}).get(metric, 0.0)


def bars(found: dict[str, dict]) -> None:
    figure, axes = plt.subplots(1, len(BARS), figsize=(3.2 * len(BARS), 3.2), layout="constrained")
    for axis, (family, metric, title) in zip(axes, BARS):
        for place, (run, info) in enumerate(found.items()):
            if (both := value(info, family, metric)) is not None:
                axis.bar(place, both[0], yerr=both[1], color=COLOURS[place % 10], capsize=3)
        axis.set_xticks(range(len(found)), [labels[run] for run in found], rotation=35, ha="right")
        axis.set_title(title, fontsize=10)
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig("metrics.png", dpi=200)


def sparsity(found: dict[str, dict]) -> None:
    """What is reconstructed, and what it costs the language model, against how many latents are active."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    for axis, (metric, title) in zip(axes, (("explained_variance", "explained variance"), ("kl_nats", "KL with SAE (nats)"))):
        for place, (run, info) in enumerate(found.items()):
            across, up = value(info, "core", "l0"), value(info, "core", metric)
            if across and up:
                axis.errorbar(across[0], up[0], xerr=across[1], yerr=up[1], fmt="o", color=COLOURS[place % 10],
                              label=labels[run], capsize=3)  # fmt: skip
        axis.set_xlabel("L0: active latents per token")
        axis.set_ylabel(title)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig("sparsity.png", dpi=200)


def curves(found: dict[str, dict]) -> None:
    """Reconstruction error and L0 over training, first seed, on the language model's activations."""
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    for place, run in enumerate(found):
        files = sorted(Path(run).glob("training_seed_*_language.json"))
        curve = json.loads(files[0].read_text("utf-8")) if files else {}
        for axis, name in zip(axes, ("reconstruction", "l0")):
            if curve.get(name):
                axis.plot(curve["step"], curve[name], color=COLOURS[place % 10], label=labels[run], linewidth=1.2)
    for axis, title in zip(axes, ("reconstruction error", "L0")):
        axis.set_xlabel("training step")
        axis.set_ylabel(title)
        axis.set_yscale("log")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8)
    figure.savefig("training.png", dpi=200)


if __name__ == "__main__":
    matplotlib.rcParams["savefig.facecolor"] = "white"
    everything = results()
    bars(everything)
    sparsity(everything)
    curves(everything)
