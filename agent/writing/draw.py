"""figures.json → default_*.png and default_*.pdf beside it. A program of its own, in one file: it imports nothing of the tool.

`python draw.py` in a folder with that file; a job (steps.figures) runs it in the sandbox. What to draw is decided in
agent.writing.figures; here is only how it looks. The same data gives the same bytes: no times, no versions in the files.

Marks differ in shape, not in colour alone, and the colours are Okabe and Ito's, which colour-blind people tell apart.
Filled is what was measured again on fresh seeds. Names of marks and numbers of arrows are placed when all else is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter
from matplotlib.transforms import offset_copy

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
Box = tuple[float, float, float, float]  # left, low, right, high: in points


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
    told: list[Beyond] = []
    for place, axes in enumerate(grid.flat):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        panel = panels[place]
        of_axis(axes, "x", panel["y"], ticks=4 if across < 3 else 3)
        axes.set_ylim(-len(names) + 0.4, 0.6)
        reference(axes, panel, axes.axvline, axes.axvspan)
        for point in panel["points"]:
            put(axes, point, {"x": (point["y"], point["y_stderr"]), "y": (height[point["run"]], None)}, told)
        first = place % across == 0
        axes.set_yticks(
            [-i for i in range(len(names))], [plain(row["label"]) for row in names] if first else [""] * len(names)
        )
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="y", color="#eeeeee", linewidth=0.6, zorder=0)
        axes.set_axisbelow(True)
    legend(figure, one)
    write_numbers(figure, told)
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
    told: list[Beyond] = []
    axes.set_xlim(first - margin, last + margin)
    for point in panel["points"]:
        if point["run"] in number:
            where = {"x": (number[point["run"]], None), "y": (point["y"], point["y_stderr"])}
            put(axes, point, where, told)
    failed = [row["number"] for row in one["rows"] if row["failed"]]
    ground = axes.get_xaxis_transform()
    axes.scatter(
        failed, [0.03] * len(failed), s=SIZE, marker="x", color=INK, linewidths=1.0, transform=ground, zorder=4
    )
    axes.xaxis.set_major_locator(MaxNLocator(nbins=11, steps=[1, 2, 5, 10], integer=True))
    axes.set_xlabel("run")
    legend(figure, one, (cross(),) if failed else ())
    write_numbers(figure, told)
    return figure


def plane(one: dict[str, Any]) -> Figure:
    """The primary metric against a constraint; each mark has the name of its run."""
    panels = one["panels"]
    figure = Figure(figsize=(one["width"], 2.7), layout="constrained")
    placed = []
    names = {row["run"]: short_name(row) for row in one["rows"]}
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        of_axis(axes, "y", panel["y"], ticks=5)
        of_axis(axes, "x", panel["x"], ticks=5)
        if panel["allowed"]:
            axes.axvspan(*panel["allowed"], color=BAND, linewidth=0, zorder=0.5)
        places = {}
        for point in panel["points"]:
            where = {"x": (point["x"], point["x_stderr"]), "y": (point["y"], point["y_stderr"])}
            name = names[point["run"]] + (f" ({signed(point)})" if beyond(axes.get_ylim(), point["y"]) else "")
            places[name] = put(axes, point, where)
        placed.append((axes, places))
    legend(figure, one)
    figure.draw_without_rendering()  # only now it is known where things are
    for axes, places in placed:
        write_names(axes, places)
    return figure


def short_name(row: dict[str, Any]) -> str:
    return str(row["label"]).removesuffix(" (baseline)") if row["baseline"] else str(row["number"])


def write_names(axes: Axes, places: dict[str, tuple[float, float]]) -> None:
    """Each name beside its mark, where it covers the least of marks and other names; further away if it must be."""
    at = {name: axes.transData.transform(place) * 72 / axes.figure.dpi for name, place in places.items()}
    taken = [(x - 4, y - 4, x + 4, y + 4) for x, y in at.values()] + lines(axes, 0.2)
    for name, (x, y) in at.items():
        width = 3.7 * len(name)
        boxes = [(x + dx, y + dy, x + dx + width, y + dy + 6) for dx, dy in
                 ((5, 2), (5, -8), (-5 - width, 2), (-5 - width, -8), (-width / 2, 6), (-width / 2, -12),
                  (4, -16), (-4 - width, -16))]  # fmt: skip
        costs = [sum(common(box, other) for other in taken) + 12 * (place > 5) for place, box in enumerate(boxes)]
        best = boxes[costs.index(min(costs))]
        taken.append(best)
        axes.annotate(plain(name), places[name], (best[0] - x, best[1] - y), textcoords="offset points", fontsize=6,
                      color=INK, zorder=6, annotation_clip=False)  # fmt: skip


def common(one: Box, other: Box) -> float:
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


def put(
    axes: Axes, point: dict[str, Any], where: dict[str, Any], told: list[Beyond] | None = None
) -> tuple[float, float]:
    """One mark with its error bars. What lies beyond an axis becomes an arrow at its end; its number is still to be written."""
    (x, x_stderr), (y, y_stderr) = where["x"], where["y"]
    shape, colour, _ = MARKS.get(point["mark"], MARKS[""])
    right, up = beyond(axes.get_xlim(), x), beyond(axes.get_ylim(), y)
    if right or up:
        found = Beyond(axes, signed(point), ends(axes, (x, y), right, up), right, up, colour)
        arrow(found)
        if told is not None:
            told.append(found)
        return found.at
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


def signed(point: dict[str, Any]) -> str:
    return str(point["mean"]).replace("-", "−")


@dataclass(frozen=True)
class Beyond:
    """An arrow, and the number that is told beside it."""

    axes: Axes
    said: str
    at: tuple[float, float]
    right: int
    up: int
    colour: str


def ends(axes: Axes, at: tuple[float, float], right: int, up: int) -> tuple[float, float]:
    """Where the axes end in these directions."""
    x, y = axes.get_xlim()[right > 0], axes.get_ylim()[up > 0]
    return x if right else at[0], y if up else at[1]


def arrow(one: Beyond) -> None:
    shape = {(1, 0): ">", (-1, 0): "<", (0, 1): "^", (0, -1): "v"}.get((one.right, one.up), "D")
    figure = one.axes.get_figure(root=True)
    inside = offset_copy(one.axes.transData, figure, -2.5 * one.right, -2.5 * one.up, units="points")
    one.axes.scatter(*one.at, s=SIZE * 0.7, marker=shape, color=one.colour, transform=inside, clip_on=False, zorder=4)


def write_numbers(figure: Figure, told: list[Beyond]) -> None:
    """Beside each arrow its number, as near as it covers no mark, no other number and not the baseline."""
    if not told:
        return
    figure.draw_without_rendering()  # only now it is known where things are
    for axes in dict.fromkeys(one.axes for one in told):
        here = [one for one in told if one.axes is axes]
        taken = covered(axes)
        upright = any(one.up for one in here) and crowded(axes, here)
        for one in here:
            x, y = axes.transData.transform(one.at) * 72 / figure.dpi
            wide, high = (6.0, 3.9 * len(one.said)) if upright else (3.9 * len(one.said), 6.0)
            boxes = [inward(one, x, y, wide, high, 7 + 2 * step) for step in range(30)]
            costs = [
                sum(weight * common(box, other) for other, weight in taken) + 0.3 * step
                for step, box in enumerate(boxes)
            ]
            best = boxes[costs.index(min(costs))]
            taken.append((best, 1.0))
            axes.annotate(plain(one.said), one.at, ((best[0] + best[2]) / 2 - x, (best[1] + best[3]) / 2 - y), ha="center", va="center",
                          textcoords="offset points", fontsize=6, color=GREY if one.colour == MARKS["other baseline"][1] else one.colour,
                          rotation=90 if upright else 0, zorder=5, annotation_clip=False)  # fmt: skip


def inward(one: Beyond, x: float, y: float, wide: float, high: float, far: float) -> Box:
    x, y = x - one.right * (far + wide / 2), (y if one.right else y - one.up * (far + high / 2))
    return x - wide / 2, y - high / 2, x + wide / 2, y + high / 2


def crowded(axes: Axes, told: list[Beyond]) -> bool:
    """Whether there is less room from run to run than a number is wide."""
    (first, _), (second, _) = (axes.transData.transform((run, axes.get_ylim()[0])) for run in (0, 1))
    return bool((second - first) * 72 / axes.figure.dpi < 4.2 * max(len(one.said) for one in told))


def covered(axes: Axes) -> list[tuple[Box, float]]:
    """What a number should not cover, in points: marks with their bars, the line of the baseline, and less so its band."""
    bands = [(in_points(axes, band.get_window_extent().extents, 0.0), 0.2) for band in axes.patches]
    marks = [one for one in axes.collections if not isinstance(one, LineCollection)]
    spots = [spot for one in marks for spot in one.get_offset_transform().transform(one.get_offsets())]
    return [
        *bands,
        *((in_points(axes, (*spot, *spot), 4.0), 1.0) for spot in spots),
        *((box, 1.0) for box in lines(axes, 1.5)),
    ]


def lines(axes: Axes, pad: float) -> list[Box]:
    found = [line.get_window_extent().extents for line in axes.lines]
    for bars in (one for one in axes.collections if isinstance(one, LineCollection)):
        ends = [bars.get_transform().transform(segment) for segment in bars.get_segments()]
        found += [(*end.min(axis=0), *end.max(axis=0)) for end in ends]
    return [in_points(axes, box, pad) for box in found]


def in_points(axes: Axes, box: Sequence[float], pad: float) -> Box:
    left, low, right, high = (float(side) * 72 / axes.figure.dpi for side in box)
    return left - pad, low - pad, right + pad, high + pad


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
