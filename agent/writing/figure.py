"""A figure as plain data: what draw.py draws, what a caption tells, what a table lists. `figures.py` makes them."""

from __future__ import annotations

from dataclasses import dataclass

from agent.writing.axes import Axis

BASELINE, OTHER_BASELINE = "baseline", "other baseline"


@dataclass(frozen=True)
class Row:
    """A run as it stands in a figure, whichever the metric."""

    run: str
    label: str
    baseline: bool
    number: int = 0
    failed: bool = False


@dataclass(frozen=True)
class Point:
    run: str
    mark: str  # a verdict, or which kind of baseline
    fresh: bool  # measured again, on seeds that did not choose it
    y: float
    y_stderr: float | None
    n: int | None
    said: str  # mean ± standard error, as tables have it
    mean: str  # the mean alone, for where it lies beyond the axis
    x: float | None = None
    x_stderr: float | None = None
    x_said: str = ""


@dataclass(frozen=True)
class Panel:
    y: Axis
    points: tuple[Point, ...]
    reference: tuple[float, float | None] | None = None  # mean and standard error of the baseline
    x: Axis | None = None
    allowed: tuple[float, float] | None = None  # of x


@dataclass(frozen=True)
class Figure:
    name: str  # of the files, without what follows the dot
    kind: str
    width: float
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...]
    left_out: int = 0  # runs that there is no room for
    caption: str = ""  # with references, as in notes
    table: str = ""  # what is plotted, as text

    @property
    def runs(self) -> tuple[str, ...]:
        return tuple(row.run for row in self.rows)

    @property
    def metrics(self) -> tuple[str, ...]:
        found = [axis.metric for panel in self.panels for axis in (panel.y, panel.x) if axis]
        return tuple(dict.fromkeys(found))
