"""A part that cannot be typeset is commented out whole, with a box in its place, and all lines keep their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.latex_text import read
from agent.writing.parts import escaped, marked, part_at, without
from agent.writing.problem import Problem

TEX = r"""\documentclass{article}
\usepackage{nosuch}
\begin{document}
\maketitle
\begin{abstract}
The abstract
in two lines.
\end{abstract}
\section{Results}
One paragraph
goes on.

\begin{figure}
\begin{tabular}{l}
\foo
\end{tabular}
\end{figure}
Text right behind it.
\subsection{More $x}
Last.
\end{document}
"""


@pytest.mark.parametrize(
    "line, part",
    [
        (2, (2, 2)), (1, None), (3, None), (6, (6, 7)), (10, (10, 11)), (11, (10, 11)), (12, (10, 11)), (15, (13, 17)),
        (13, (13, 17)), (19, (19, 19)), (20, (20, 20)), (21, None), (0, None), (99, None),
    ],
)  # fmt: skip
def test_a_line_lies_in_its_outermost_environment_or_its_paragraph(line, part):
    assert part_at(read(TEX), line) == part


def problem(line, what="it is \\wrong & _bad_"):
    return Problem("latex", "paper.tex", line, what)


def test_the_part_is_commented_out_and_a_box_says_why():
    less, parts = without(TEX, [problem(15), problem(16)])
    assert [(part.first, part.last) for part in parts] == [(13, 17)]
    lines = less.split("\n")
    assert (
        lines[12].startswith("\\par\\noindent\\fbox")
        and lines[12].endswith("% \\begin{figure}")
        and lines[16] == "% \\end{figure}"
    )
    assert (
        "lines 13 to 17 of paper.tex could not be typeset, because it is \\textbackslash{}wrong \\& \\_bad\\_"
        in lines[12]
    )


def test_of_the_preamble_a_line_goes_and_the_box_stands_in_the_document():
    less, _ = without(TEX, [problem(2)])
    assert less.split("\n")[1] == "% \\usepackage{nosuch}" and "Left out: line 2" in less.split("\n")[2]


def test_problems_of_other_files_take_nothing_out():
    assert without(TEX, [Problem("latex", "facts.tex", 10, "x")]) == (TEX, ())


@given(st.lists(st.integers(0, 25), max_size=5))
def test_all_lines_keep_their_numbers_and_text(numbers):
    less, parts = without(TEX, map(problem, numbers))
    assert less.count("\n") == TEX.count("\n")
    taken = {n for part in parts for n in range(part.first, part.last + 1)}
    for number, (before, after) in enumerate(zip(TEX.split("\n"), less.split("\n"), strict=True), 1):
        assert after.endswith(f"% {before}") if number in taken else (after == before or number == 3)


def test_what_the_audit_found_is_named_behind_the_title():
    found = [Problem("number", "paper.tex", 10, "0.5 is typed"), Problem("placeholder", "paper.tex", 6, "x"),
             Problem("unexplained", "paper.tex", 7, "7000")]  # fmt: skip
    text = marked(TEX, found)
    line = text.split("\n")[3]
    assert line.startswith("\\maketitle\\par") and "found 2 problems" in line and "line 10: 0.5 is typed" in line
    assert "1 placeholder: line 6" in line and "7000" not in line and text.count("\n") == TEX.count("\n")
    assert marked(TEX, found[2:]) == TEX


@given(st.text(max_size=40))
def test_any_text_can_stand_in_the_box(text):
    shown = escaped(text)
    assert "\n" not in shown and read(f"\\begin{{document}}{shown}\\end{{document}}").faults == ()
