r"""A table of facts for LaTeX: its rows and columns, from which `\facts@fit` of facts.tex makes one that is no wider than the line.

    \facts@fit{runs as rows}{metrics as rows, if they are more than the runs}

Whether heads are in one line or in several, and which of the two it is, is known to TeX alone, as the width is: here each
label says where it can be broken (`\facts@break`), and stands in `\facts@top` or `\facts@side`, a value in `\facts@number`.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core import cells
from agent.core.fact_book import Book
from agent.core.fact_table import Cell, Column, Table, column, comparable, run_label
from agent.core.fact_text import latex_number, latex_text

_ARROWS = {"↑": r" $\uparrow$", "↓": r" $\downarrow$", "": ""}
_TOP, _SIDE = 14, 26  # characters in a line of a head, which stands above numbers, and of a metric at the side


def latex(made: Table) -> str:
    runs = [_run(row.label, row.comparable) for row in made.rows]
    grid = [[_latex(cell) for cell in row.cells] for row in made.rows]
    tops = [_metric(one, _TOP) for one in made.columns]
    upright = _tabular("run", tops, runs, grid, made.note)
    if len(made.columns) <= len(made.rows):
        return rf"\facts@fit{{{upright}}}{{}}"
    sides = [_metric(one, _SIDE) for one in made.columns]
    return rf"\facts@fit{{{upright}}}{{{_tabular('metric', runs, sides, list(zip(*grid, strict=True)), made.note)}}}"


def _tabular(corner: str, tops: Sequence[str], sides: Sequence[str], grid: Sequence[Sequence[str]], note: str) -> str:
    heads = "".join(rf" & \facts@top{{{top}}}" for top in tops)
    body = "".join(
        rf"\facts@side{{{side}}}" + "".join(f" & {cell}" for cell in line) + r"\\"
        for side, line in zip(sides, grid, strict=True)
    )
    told = rf" \multicolumn{{{len(tops) + 1}}}{{l}}{{\footnotesize \textsuperscript{{$\dagger$}} {note}}}\\"
    return (
        rf"\begin{{tabular}}{{l{'r' * len(tops)}}}\toprule {corner}{heads}\\\midrule {body}"
        rf"\bottomrule{told if note else ''}\end{{tabular}}"
    )


def metric_label(book: Book, metric: str) -> str:
    return _metric(column(book, metric), _TOP)


def metric_name(book: Book, metric: str) -> str:
    """The same at the side of a table."""
    return _metric(column(book, metric), _SIDE)


def run_name(book: Book, word: str) -> str:
    """Of the row with the value that the run has when it stands alone."""
    run, _ = book.run(word)
    fresh = ", fresh seeds" if book.reads_fresh(run) else ""
    return _run(run_label(book, run) + fresh, comparable(book, run))


def _metric(one: Column, width: int) -> str:
    return _broken(one.label, width, ("(",)) + _ARROWS[one.arrow]


def _run(label: str, comparable: bool) -> str:
    return _broken(label, _TOP) + ("" if comparable else r"\textsuperscript{$\dagger$}")


def _broken(label: str, width: int, opening: tuple[str, ...] = ()) -> str:
    """Lines of about that many characters, and a new one where a word opens with one of these."""
    lines: list[str] = []
    words = label.split()
    whole = len(" ".join(words)) <= width
    for word in words:
        if lines and (whole or (len(lines[-1]) + 1 + len(word) <= width and not word.startswith(opening))):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return r"\facts@break ".join(map(latex_text, lines))


def _latex(cell: Cell) -> str:
    text = "--" if cell.text == cells.NONE else rf"\facts@number{{{latex_number(cell.text)}}}"
    return rf"\textbf{{{text}}}" if cell.bold else text
