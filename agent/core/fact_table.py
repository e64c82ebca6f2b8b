r"""`\facttable{run_0,run_1}{core.mse,core.l0}`: runs as rows, metrics as columns, as Markdown. In LaTeX: fact_tabular.

What is bold claims something, so it needs a reason: the best value of a column, if it is a run whose verdict there is *better*
or a baseline, and with it every value that cannot be told from it (Welch, 5 % two-sided; less than min_effect). If that is
all of them, none is. A value whose noise is not known is never bold, and nothing is where it is the best. Runs that are not
comparable carry a dagger and do not take part; metrics without a direction and costs have no best.
The baseline stands beside confirmed runs with its fresh seeds, beside others with its first ones; beside both, twice.
Limit: that a run is not better than the baseline is no reason to set the baseline in bold alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agent.core import cells
from agent.core.compare import FEWEST
from agent.core.comparison import BETTER, NOT_COMPARABLE, Estimate
from agent.core.fact import NoSuchFact, nearest
from agent.core.fact_book import FIRST, Book
from agent.core.fact_text import plain_number
from agent.core.state import Run
from agent.core.template import Metric
from agent.core.welch import p_better

NOTE = "not comparable with the baseline"
DAGGER = "†"
_ARROWS = {"up": "↑", "down": "↓", "none": ""}
_LEVEL = 0.025


@dataclass(frozen=True)
class Column:
    label: str
    arrow: str


@dataclass(frozen=True)
class Cell:
    text: str
    bold: bool = False
    estimate: Estimate | None = None


@dataclass(frozen=True)
class Row:
    run: Run
    label: str
    cells: tuple[Cell, ...]
    comparable: bool = True


@dataclass(frozen=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    @property
    def note(self) -> str:
        return "" if all(row.comparable for row in self.rows) else NOTE


def table(book: Book, runs: list[str], metrics: list[str]) -> Table:
    if doubled := sorted({word for words in (runs, metrics) for word in words if words.count(word) > 1}):
        raise NoSuchFact(f"{doubled[0]} stands twice in the table")
    for metric in metrics:
        known = {one for word in runs for one in book.run(word)[0].metrics}
        if metric not in known:
            raise NoSuchFact(f"none of these runs has a metric {metric}", nearest(metric, known))
    rows = [row for word in runs for row in _rows(book, word, runs, metrics)]
    columns = [column(book, metric) for metric in metrics]
    for index, metric in enumerate(metrics):
        rows = _marked(book, rows, index, metric)
    return Table(tuple(columns), tuple(rows))


def column(book: Book, name: str) -> Column:
    return Column(book.template.label(name), _ARROWS[book.template.metric(name).direction])


def _rows(book: Book, word: str, runs: list[str], metrics: list[str]) -> list[Row]:
    """One, or the baseline's two."""
    run, first = book.run(word)
    if first or run is not book.state.reference:
        return [_row(book, word, metrics, ", first seeds" if first else "")]
    tried = [other for other in runs if not book.run(other)[0].baseline]
    confirmed = [other for other in tried if _is_confirmed(book, other)]
    if not confirmed:
        return [_row(book, f"{word}{FIRST}", metrics, "")]
    if len(confirmed) == len(tried):
        return [_row(book, word, metrics, "", confirmed[0])]
    return [_row(book, f"{word}{FIRST}", metrics, ""), _row(book, word, metrics, ", fresh seeds", confirmed[0], True)]


def _is_confirmed(book: Book, word: str) -> bool:
    run, first = book.run(word)
    found = book.comparisons[run.name]
    return found is not None and found.stage == "confirmed" and not first


def _row(book: Book, word: str, metrics: list[str], more: str, beside: str = "", fresh: bool = False) -> Row:
    """`fresh`: with nothing but its fresh seeds."""
    run, _ = book.run(word)
    label = run_label(book, run) + more
    return Row(run, label, tuple(_cell(book, word, metric, beside, fresh) for metric in metrics), comparable(book, run))


def run_label(book: Book, run: Run) -> str:
    told = book.template.baseline_of(run.name).removeprefix("baseline").strip() if run.baseline else ""
    return f"{run.name} ({told})" if told else run.name


def comparable(book: Book, run: Run) -> bool:
    return cells.verdict_in(book.comparisons[run.name]) != NOT_COMPARABLE


def _cell(book: Book, word: str, metric: str, beside: str, fresh: bool) -> Cell:
    try:
        value = book.value(word, metric, beside)
    except NoSuchFact:
        return Cell(cells.NONE)
    if fresh and not value.fresh:
        return Cell(cells.NONE)
    found, digits = value.estimate, book.digits(metric)
    more = f" ± {plain_number(found.stderr, digits)}" if found.stderr is not None else ""
    return Cell(plain_number(found.mean, digits) + more, estimate=found)


# --- what is bold -------------------------------------------------------------------------------------------------------


def _marked(book: Book, rows: list[Row], index: int, name: str) -> list[Row]:
    metric = book.template.metric(name)
    values = {at: found for at, row in enumerate(rows) if row.comparable and (found := row.cells[index].estimate)}
    if metric.direction == "none" or metric.role == "cost" or len(values) < 2:
        return rows
    sign = 1 if metric.direction == "up" else -1
    top = max(values, key=lambda at: sign * values[at].mean)
    earned = rows[top].run.baseline or cells.verdict_in(book.comparisons[rows[top].run.name], name) == BETTER
    bold = {at for at, value in values.items() if _alike(values[top], value, metric)}
    if not earned or top not in bold or len(bold) == len(values):
        return rows
    return [_bold(row, index) if at in bold else row for at, row in enumerate(rows)]


def _bold(row: Row, index: int) -> Row:
    made = tuple(replace(cell, bold=True) if at == index else cell for at, cell in enumerate(row.cells))
    return replace(row, cells=made)


def _alike(one: Estimate, other: Estimate, metric: Metric) -> bool:
    """Whether two values are known to be no further apart than noise; a value is like itself if its noise is known."""
    if not (_measured(one) and _measured(other)):
        return False
    if one == other or abs(one.mean - other.mean) < metric.min_effect:
        return True
    high, low = (one, other) if one.mean > other.mean else (other, one)
    return not float(p_better(*high.sufficient, *low.sufficient)) <= _LEVEL


def _measured(value: Estimate) -> bool:
    return bool(value.stderr) and (value.n or 0) >= FEWEST


# --- as text ------------------------------------------------------------------------------------------------------------


def markdown(made: Table) -> str:
    head = ["run", *(f"{column.label} {column.arrow}".strip() for column in made.columns)]
    body = [[row.label + ("" if row.comparable else DAGGER), *map(_markdown, row.cells)] for row in made.rows]
    lines = [head, ["---", *("---:" for _ in made.columns)], *body]
    text = "\n".join("| " + " | ".join(word.replace("|", "\\|") for word in line) + " |" for line in lines)
    return f"\n{text}\n" + (f"\n{DAGGER} {made.note}\n" if made.note else "")


def _markdown(cell: Cell) -> str:
    return f"**{cell.text}**" if cell.bold else cell.text
