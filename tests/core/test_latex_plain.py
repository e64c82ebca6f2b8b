r"""A few words can be put at these places of a LaTeX text, and what is printed there stays what it was."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.latex_plain import ends
from agent.core.latex_text import read
from tests.writing.paper_cases import ENDING, PAPERS, PREAMBLE, cases

FILES = ("seen.tex", "unseen.tex", "later.tex", "marks.tex")
TEXTS = [
    *(re.sub("«[^»]*»|¡", "", case.tex) for file in FILES for case in cases(file)),
    (PAPERS / "negative.tex").read_text("utf-8"),
]
PIECES = [
    "word ", "\n", "\n\n", "0.5", "\\%", "%", "{", "}", "$", "$$", "\\(", "\\)", "[", "]", "\\item", "\\emph{", "\\foo ", "\\\\[2pt]",
    "\\begin{tabular}{lr}", "\\end{tabular}", "&", "\\caption{", "\\verb|a b|", "\\begin{equation}", "\\end{equation}", "\\label{a}",
    "\\begin{verbatim}", "\\end{verbatim}", ".", "~", "\\vskip 3pt plus 1pt", "\\fact{run_1.core.mse}", "\\resizebox{1cm}{!}{", "\\",
]  # fmt: skip


def printed(paper):
    """Without the warning that a number stands before a comment, which the words part."""
    return paper.text.replace("Zz", "", 1).replace("%", "")


def faults(paper):
    return [(fault.kind, fault.what) for fault in paper.faults if "unescaped %" not in fault.what]


def inserted(tex, at, text="Zz"):
    return tex[:at] + text + tex[at:]


@pytest.mark.parametrize("tex", TEXTS)
def test_nothing_but_the_words_is_added_to_what_is_printed(tex):
    before = read(tex)
    for at in ends(before):
        after = read(inserted(tex, at))
        assert printed(after) == printed(before)
        assert [(use.name, use.words) for use in after.uses] == [(use.name, use.words) for use in before.uses]


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_of_any_text_nothing_is_broken_that_was_whole(text):
    tex = f"{PREAMBLE}{text}\n{ENDING}"
    before = read(tex)
    for at in ends(before):
        after = read(inserted(tex, at))
        assert printed(after) == printed(before)
        assert faults(after) == faults(before)


def test_there_is_no_place_in_the_preamble():
    tex = "\\documentclass{article}\n\\title{Our words}\nstray words\n\\begin{document}\nOne.\n\\end{document}\n"
    assert [tex[:at].rpartition("\n")[2] for at in ends(read(tex))] == ["One."]
