"""figures.json → default_*.png and default_*.pdf beside it. A program of its own: it imports nothing of the tool.

`python draw.py` in a folder with that file; a job (steps.figures) runs it in the sandbox. What to draw is decided in
agent.writing.figures; here is only how it looks. The same data gives the same bytes: no times, no versions in the files.

Marks differ in shape, not in colour alone, and the colours are Okabe and Ito's, which colour-blind people tell apart.
Filled is what was measured again on fresh seeds.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

DOCUMENT = "figures.json"
GREY, BAND, INK = "#5f5f5f", "#e4e4e4", "#222222"
# mark → shape, colour, words in the legend
MARKS = {
    "baseline": ("s", GREY, ""),
    "other baseline": ("s", "#a6a6a6", "other baseline"),
    "better": ("o", "#0072b2", "better"),
    "unconfirmed": ("o", "#0072b2", "unconfirmed"),
    "worse": ("v", "#d55e00", "worse"),
    "within noise": ("D", INK, "within noise"),
    "no effect": ("P", "#009e73", "no effect"),
    "not comparable": ("s", "#b3478c", "not comparable"),
    "unmeasured": ("h", INK, "noise not measured"),
    "single": ("h", INK, "single seed"),
    "": ("h", INK, "no verdict"),
}
HATCHED = "not comparable"
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 7.5, "axes.labelsize": 7.5, "xtick.labelsize": 7, "ytick.labelsize": 7,
    "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6, "hatch.linewidth": 0.6,
    "axes.spines.top": False, "axes.spines.right": False, "pdf.fonttype": 42, "savefig.facecolor": "white",
    "axes.unicode_minus": True, "axes.formatter.use_mathtext": True, "axes.formatter.limits": (-5, 6),
}  # fmt: skip
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
SIZE = 26.0  # of a mark, in square points


def main() -> None:
    style: Any = matplotlib.rcParams
    style.update(STYLE)
    for one in json.loads(Path(DOCUMENT).read_text("utf-8"))["figures"]:
        figure = KINDS[one["kind"]](one)
        figure.savefig(f"{one['name']}.png", dpi=300, metadata={"Software": None})
        figure.set_layout_engine("none")  # it stays as it is; to work it out again would take as long
        figure.savefig(f"{one['name']}.pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})


# ---- the three kinds


def rows(one: dict[str, Any]) -> Figure:
    """Panels side by side, at most three; each run is a row of all of them."""
    panels, names = one["panels"], one["rows"]
    across = 2 if len(panels) == 4 else min(3, len(panels))
    down = math.ceil(len(panels) / across)
    figure = Figure(figsize=(one["width"], 0.45 + down * (0.62 + 0.17 * len(names))), layout="constrained")
    grid = figure.subplots(down, across, squeeze=False)
    height = {row["run"]: -place for place, row in enumerate(names)}
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        panel = panels[place]
        of_axis(axes, "x", panel["y"], ticks=4 if across < 3 else 3)
        axes.set_ylim(-len(names) + 0.4, 0.6)
        reference(axes, panel, axes.axvline, axes.axvspan)
        for point in panel["points"]:
            put(axes, point, {"x": (point["y"], point["y_stderr"]), "y": (height[point["run"]], None)})
        first = place % across == 0
        axes.set_yticks(
            [-i for i in range(len(names))], [plain(row["label"]) for row in names] if first else [""] * len(names)
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", color="#eeeeee", linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
    legend(figure, one)
    return figure


def runs(one: dict[str, Any]) -> Figure:
    """The primary metric, run after run; the baseline is a line, a failed run a cross on the ground."""
    panel = one["panels"][0]
    figure = Figure(figsize=(one["width"], 2.5), layout="constrained")
    axes = figure.subplots()
    of_axis(axes, "y", panel["y"], ticks=5)
    reference(axes, panel, axes.axhline, axes.axhspan)
    number = {row["run"]: row["number"] for row in one["rows"] if not row["baseline"]}
    first, last = min(number.values()), max(number.values())
    margin = max(0.6, 0.03 * (last - first))
    axes.set_xlim(first - margin, last + margin)
    for point in panel["points"]:
        if point["run"] in number:
            put(axes, point, {"x": (number[point["run"]], None), "y": (point["y"], point["y_stderr"])})
    failed = [row["number"] for row in one["rows"] if row["failed"]]
    ground = axes.get_xaxis_transform()
    axes.scatter(
        failed, [0.03] * len(failed), s=SIZE, marker="x", color=INK, linewidths=1.0, transform=ground, zorder=4
    )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=11, steps=[1, 2, 5, 10], integer=True))
    axes.set_xlabel("run")
    legend(figure, one, (cross(),) if failed else ())
    return figure


def plane(one: dict[str, Any]) -> Figure:
    """The primary metric against a constraint; each mark has the name of its run."""
    panels = one["panels"]
    figure = Figure(figsize=(one["width"], 2.7), layout="constrained")
    names = {row["run"]: short_name(row) for row in one["rows"]}
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        of_axis(axes, "y", panel["y"], ticks=5)
        of_axis(axes, "x", panel["x"], ticks=5)
        if panel["allowed"]:
            axes.axvspan(*panel["allowed"], color=BAND, linewidth=0, zorder=0.5)
        places = {}
        for point in panel["points"]:
            where = {"x": (point["x"], point["x_stderr"]), "y": (point["y"], point["y_stderr"])}
            name = names[point["run"]] + (f" ({point['mean']})" if beyond(axes.get_ylim(), point["y"]) else "")
            places[name] = put(axes, point, where, tell=False)
        write_names(axes, places)
    legend(figure, one)
    return figure


def short_name(row: dict[str, Any]) -> str:
    return str(row["label"]).removesuffix(" (baseline)") if row["baseline"] else str(row["number"])


def write_names(axes: Axes, places: dict[str, tuple[float, float]]) -> None:
    """Each name beside its mark, on the side where it covers the least of marks and other names."""
    at = {name: axes.transData.transform(place) * 72 / axes.figure.dpi for name, place in places.items()}
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in at.values()]
    for name, (x, y) in at.items():
        width = 4.0 * len(name)
        boxes = [(x + dx, y + dy, x + dx + width, y + dy + 6) for dx, dy in
                 ((5, 2), (5, -8), (-5 - width, 2), (-5 - width, -8), (-width / 2, 6), (-width / 2, -12))]  # fmt: skip
        best = min(boxes, key=lambda box: sum(common(box, other) for other in taken))
        taken.append(best)
        axes.annotate(plain(name), places[name], (best[0] - x, best[1] - y), textcoords="offset points", fontsize=6,
                      color=INK, zorder=6, annotation_clip=False)  # fmt: skip


def common(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How much of two boxes is the same."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


KINDS = {"rows": rows, "runs": runs, "plane": plane}


# ---- pieces


def of_axis(axes: Axes, which: str, data: dict[str, Any], ticks: int) -> None:
    """Limits, scale and label of one axis."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    if data["scale"] == "log":
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        axis.set_major_locator(LogLocator(numticks=ticks + 1))
        axis.set_minor_formatter(NullFormatter())
        if data["low"] > 1e-4 and data["high"] < 1e5:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 5, 10]))
        power = power_of(data)
        if power:
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 10.0**power:.4g}".replace("-", "−")))
        else:
            axis.set_major_formatter(ScalarFormatter(useOffset=False))
    (axes.set_xlim if which == "x" else axes.set_ylim)(data["low"], data["high"])
    axis.set_label_text(label(data, 30 if which == "x" else 26))


def power_of(data: dict[str, Any]) -> int:
    """Of ten, that is taken out of the numbers of a linear axis and stands with its label; 0 where they read well."""
    largest = max(abs(data["low"]), abs(data["high"]))
    power = math.floor(math.log10(largest)) if largest and data["scale"] == "linear" else 0
    return 0 if -3 <= power < 5 else power


def label(data: dict[str, Any], longest: int) -> str:
    """The metric, its unit, and an arrow for what is better."""
    arrow = {"up": " ↑", "down": " ↓"}.get(data["direction"], "")
    power = f"10{str(power_of(data)).translate(RAISED)}" if power_of(data) else ""
    within = " ".join(filter(None, (power, data["unit"])))
    words = plain(data["label"] + (f" ({within})" if within else "")) + arrow
    if len(words) <= longest or " " not in words:
        return words
    if words.count("(") == 1 and len(words) - words.index("(") <= longest and words[words.index("(") - 1] == " ":
        return words.replace(" (", "\n(")
    middle = min((i for i, letter in enumerate(words) if letter == " "), key=lambda i: abs(i - len(words) / 2))
    return words[:middle] + "\n" + words[middle + 1 :]


def reference(axes: Axes, panel: dict[str, Any], line: Any, span: Any) -> None:
    if panel["reference"]:
        mean, stderr = panel["reference"]
        if stderr:
            span(mean - stderr, mean + stderr, color=BAND, linewidth=0, zorder=0.5)
        line(mean, color=GREY, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1)


def put(axes: Axes, point: dict[str, Any], where: dict[str, Any], tell: bool = True) -> tuple[float, float]:
    """One mark with its error bars; what lies beyond an axis becomes an arrow at its end, with the number."""
    (x, x_stderr), (y, y_stderr) = where["x"], where["y"]
    shape, colour, _ = MARKS.get(point["mark"], MARKS[""])
    horizontal, vertical = beyond(axes.get_xlim(), x), beyond(axes.get_ylim(), y)
    if horizontal or vertical:
        return arrow(axes, point["mean"] if tell else "", (x, y), horizontal, vertical, colour)
    axes.errorbar(x, y, yerr=y_stderr, xerr=x_stderr, fmt="none", ecolor=colour, elinewidth=0.9, capsize=2, zorder=3)
    face = "white" if not filled(point) else colour
    hatch = "////////" if point["mark"] == HATCHED else None
    size = SIZE * 1.4 if hatch else SIZE
    axes.scatter(x, y, s=size, marker=shape, facecolor=face, edgecolor=colour, linewidths=1.0, hatch=hatch, zorder=4)
    return x, y


def filled(point: dict[str, Any]) -> bool:
    return bool(point["fresh"] and point["mark"] != HATCHED) or point["mark"] in ("baseline", "other baseline")


def beyond(limits: tuple[float, float], value: float) -> int:
    return int(value > limits[1]) - int(value < limits[0])


def arrow(axes: Axes, said: str, at: tuple[float, float], right: int, up: int, colour: str) -> tuple[float, float]:
    (left, end), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x = at[0] if not right else (end if right > 0 else left)
    y = at[1] if not up else (top if up > 0 else bottom)
    shape = {(1, 0): ">", (-1, 0): "<", (0, 1): "^", (0, -1): "v"}.get((right, up), "D")
    axes.scatter(x, y, s=SIZE * 0.7, marker=shape, color=colour, clip_on=False, zorder=4)
    inwards = (-6 * right, 0) if right else (0, -9 * up)
    axes.annotate(plain(said), (x, y), inwards, textcoords="offset points", fontsize=6, color=colour,
                  ha={1: "right", -1: "left"}.get(right, "center"), va="center", zorder=5)  # fmt: skip
    return x, y


def legend(figure: Figure, one: dict[str, Any], more: tuple[Any, ...] = ()) -> None:
    """What of the marks is there, below; filled and hollow ones of a verdict side by side."""
    seen = {(p["mark"], filled(p)) for panel in one["panels"] for p in panel["points"]}
    marks = [mark for mark, (*_, words) in MARKS.items() if words and any(mark == m for m, _ in seen)]
    if one["kind"] == "runs":
        marks = [mark for mark in marks if mark != "other baseline"]
    found = [
        (tuple(handle(mark, full) for full in (True, False) if (mark, full) in seen), MARKS[mark][2]) for mark in marks
    ]
    if any(full and "baseline" not in mark for mark, full in seen):
        found.append(
            ((Line2D([], [], linestyle="none", marker="o", markersize=4.6, color="#888888"),), "filled: fresh seeds")
        )
    if one["kind"] != "plane":
        found.insert(0, ((Line2D([], [], color=GREY, linewidth=0.9, linestyle=(0, (4, 2))),), "baseline"))
    elif any(panel["allowed"] for panel in one["panels"]):
        found.insert(0, ((Patch(facecolor=BAND),), "allowed"))
    found += [((one_more,), one_more.get_label()) for one_more in more]
    handles: list[Any] = [h if len(h) > 1 else h[0] for h, _ in found]
    words = [word for _, word in found]
    figure.legend(handles, words, loc="outside lower center", ncols=5 if one["width"] > 5 else 3, frameon=False,
                  fontsize=6.5 if one["width"] > 5 else 6, handletextpad=0.4, columnspacing=0.8, handlelength=1.7,
                  handler_map={tuple: HandlerTuple(ndivide=None, pad=0.1)})  # fmt: skip


def handle(mark: str, full: bool) -> Line2D | Patch:
    shape, colour, _ = MARKS[mark]
    if mark == HATCHED:
        return Patch(facecolor="white", edgecolor=colour, hatch="////////")
    return Line2D([], [], linestyle="none", marker=shape, markersize=4.6, markeredgecolor=colour,
                  markerfacecolor=colour if full else "white")  # fmt: skip


def cross() -> Line2D:
    return Line2D([], [], linestyle="none", marker="x", markersize=4.6, color=INK, label="failed")


def plain(text: str) -> str:
    """Dollars are dollars here, no mathematics."""
    return text.replace("$", r"\$")


if __name__ == "__main__":
    main()
