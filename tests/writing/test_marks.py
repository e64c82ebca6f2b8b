"""What the audit found is marked where it stands; where a mark could break the paper there is none."""

import hashlib
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.latex_plain import ends
from agent.core.latex_text import read
from agent.writing.marks import items, places, put
from agent.writing.parts import marked
from agent.writing.problem import Problem
from tests.core.test_latex_plain import TEXTS
from tests.writing.mark_cases import mark_cases
from tests.writing.paper_cases import PAPERS

FROZEN = "26003f6c143614a30911dc8f126d343fbe15988fdba52978bdfb2e59ebcf904f"
MARK = re.compile(r"\\textsuperscript\{\\textbf\{\[!([\d, ]+)\]\}\}")


def problem(tex, at, kind="number"):
    return Problem(kind, "paper.tex", tex.count("\n", 0, at) + 1, "it is wrong", at=at)


def printed(tex):
    """Without marks, and without the warning that a number stands before a comment."""
    return re.sub(r" {2}\[![\d, ]+\]", "", read(tex).text).replace("%", "")


def test_the_cases_are_those_that_were_written_first():
    assert hashlib.sha256((PAPERS / "marks.tex").read_bytes()).hexdigest() == FROZEN


@pytest.mark.parametrize("case", mark_cases(), ids=lambda case: case.name)
def test_a_mark_stands_behind_its_problem_or_nowhere(case):
    found = items([problem(case.tex, at) for at in case.problems])
    text = put(case.tex, places(read(case.tex), found))
    assert MARK.sub(r"«\1»", text) == case.expected


@given(st.sampled_from(TEXTS), st.data())
def test_a_marked_text_prints_the_same_apart_from_marks(tex, data):
    lines = data.draw(st.lists(st.integers(1, tex.count("\n") + 1), min_size=1, max_size=20))
    found = items([Problem("number", "paper.tex", line, "it is wrong") for line in lines])
    text = put(tex, places(read(tex), found))
    assert text.count("\n") == tex.count("\n")
    assert printed(text) == printed(tex)


def test_problems_of_one_place_share_a_mark_and_those_that_are_too_many_an_item():
    tex = "\\begin{document}\n" + "Some text.\n" * 20
    found = items([*(Problem("number", "paper.tex", line, "x") for line in (2, 2, *range(3, 18))),
                   Problem("placeholder", "paper.tex", 19, "x"), Problem("placeholder", "paper.tex", 2, "x")])  # fmt: skip
    assert [item.text for item in found[-2:]] == [
        "and 5 more: lines 13, 14, 15, 16 and 17",
        "2 placeholders: lines 2 and 19",
    ]
    lines = put(tex, places(read(tex), found)).split("\n")
    assert lines[1] == "Some text.\\textsuperscript{\\textbf{[!1, 2, 14]}}"
    assert [MARK.search(lines[line - 1])[1] for line in (12, 13, 17, 19)] == ["12", "13", "13", "14"]


def test_the_box_stands_behind_the_title_that_is_set_and_not_behind_one_in_a_comment_or_in_the_preamble():
    tex = "\\let\\old\\maketitle\\begin{document}\n% \\maketitle\n\\maketitle\nOur words.\n\\end{document}\n"
    lines = marked(tex, [problem(tex, tex.index("words"))]).split("\n")
    assert lines[1] == "% \\maketitle" and lines[2].startswith("\\maketitle\\par\\noindent\\fbox")
    assert "[!1] line 4: it is wrong" in lines[2] and lines[3].startswith("Our words.\\textsuperscript")


def _whole():
    body = "\n\n".join(_body(case.tex) for case in mark_cases() if "S[table" not in case.tex)
    return f"{_PREAMBLE}\\begin{{document}}\n{body}\n\\end{{document}}\n"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
@pytest.mark.parametrize(
    "made, least", [(_whole, 80), (lambda: (PAPERS / "places.tex").read_text("utf-8"), 130)], ids=["cases", "places"]
)
def test_latex_takes_a_paper_with_marks_wherever_one_can_be(tmp_path, made, least):
    tex = made()
    possible = ends(read(tex))
    text = put(tex, dict.fromkeys(possible, "\\textsuperscript{\\textbf{[!1, 2]}}"))
    (tmp_path / "paper.tex").write_text(text)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", timeout=60)
    assert len(possible) > least and done.returncode == 0, done.stdout[-2000:]


def _body(tex):
    return tex.partition("\\begin{document}\n")[2].partition("\\section{Data}")[0]


_PREAMBLE = (
    "\\documentclass{article}\n\\usepackage{booktabs,natbib}\n\\usepackage[draft]{graphicx}\n\\newenvironment{axis}{}{}\n"
    "\\newcommand{\\fact}[1]{0.1}\n\\newcommand{\\myown}[1]{#1}\n\\newcommand{\\another}{a}\n\\newcommand{\\foo}{a}\n"
)
