"""Figures of a study, from results files alone: run it in the study's folder. Images are written beside it.

`labels` says which runs are drawn, and under which names; runs that are not there are left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator  # noqa: E402

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
    keep(figure, "metrics")


def sparsity(found: dict[str, dict]) -> None:
    """What is not reconstructed, and what that costs the language model, against how many latents are active.

    Lower is better in both. Logarithmic, so that an untrained one leaves room for the others; the band is where runs compare.
    """
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
    panels = (("explained_variance", "unexplained variance"), ("kl_nats", "KL with SAE (nats)"))
    for axis, (metric, title) in zip(axes, panels):
        heights = []
        for place, (run, info) in enumerate(found.items()):
            across, up = value(info, "core", "l0"), value(info, "core", metric)
            if across and up:
                heights.append(1 - up[0] if metric == "explained_variance" else up[0])
                axis.errorbar(across[0], heights[-1], xerr=across[1], yerr=up[1], color=COLOURS[place % 10], capsize=3)
                axis.plot(across[0], heights[-1], "o", color=COLOURS[place % 10], label=labels[run])
        axis.set_xlabel("L0: active latents per token")
        plain_logarithm(axis, title)
        if heights and min(heights) > 0:
            axis.set_ylim(min(heights) / 1.5, max(heights) * 1.5)
        if target := next((i["core"]["protocol"]["train"]["l0"] for i in found.values() if "protocol" in i.get("core", {})), 0):
            axis.axvspan(0.9 * target, 1.1 * target, color="0.93", zorder=0)
            left, right = axis.get_xlim()
            axis.set_xlim(min(left, 0.8 * target), max(right, 1.2 * target))
    axes[1].legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    keep(figure, "sparsity")


def keep(figure: plt.Figure, name: str) -> None:
    """For the screen and for print."""
    figure.savefig(f"{name}.png", dpi=200)
    figure.savefig(f"{name}.pdf", metadata={"CreationDate": None})


def plain_logarithm(axis: plt.Axes, title: str) -> None:
    """A logarithmic axis whose numbers read 0.2 and not 2 × 10⁻¹."""
    axis.set_yscale("log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda height, _: f"{height:g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.set_ylabel(title)
    axis.spines[["top", "right"]].set_visible(False)


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
        plain_logarithm(axis, title)
    axes[0].legend(frameon=False, fontsize=8)
    keep(figure, "training")


if __name__ == "__main__":
    matplotlib.rcParams.update({"savefig.facecolor": "white", "pdf.fonttype": 42})
    everything = results()
    bars(everything)
    sparsity(everything)
    curves(everything)
