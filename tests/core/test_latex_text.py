"""What is printed of a LaTeX text, where it stands, and what is not closed."""

import time

from hypothesis import given
from hypothesis import strategies as st

from agent.core.latex_paper import FACT
from agent.core.latex_text import read


def text(source):
    return " ".join(read(source).text.split())


def test_what_is_not_printed_is_not_in_the_text():
    assert (
        text("A % comment 1\nB \\label{x1} \\cite[p.~2]{y2} \\includegraphics[width=0.5\\linewidth]{z3} C") == "A B C"
    )
    assert text("\\newcommand{\\x}[1]{9 #1} \\def\\y{8} \\setlength{\\z}{7pt} \\vspace*{-2mm}D") == "D"
    assert text("\\begin{tabular}{p{3cm}r} E & F \\\\[2mm] \\end{tabular}") == "E F"
    assert text("\\verb|1 % 2| \\begin{verbatim}\n3\n\\end{verbatim} G") == "G"


def test_what_is_printed_is_there_with_its_signs():
    assert (
        text("\\textbf{1.5}~GB of 2{,}048, 40\\% and $3\\times10^{-4} \\pm x$")
        == "1.5 GB of 2,048, 40% and 3×10^-4 ± x"
    )
    assert text("\\multicolumn{2}{c}{seen} \\textcolor{red}{too} \\href{http://a.b/1%202}{link}") == "seen too link"


def test_a_sourced_number_is_a_sign_of_its_own():
    assert text("It is \\fact{run_1.core.mse} and \\lit{0.05}{why \\emph{so}}\\%.") == f"It is {FACT} and {FACT}%."


def test_the_preamble_is_not_printed_but_the_title():
    paper = read("\\documentclass{article}\n\\title{A title}\n\\begin{document}\nText\n\\end{document} after")
    assert (
        "A title" in paper.text and "Text" in paper.text and "article" not in paper.text and "after" not in paper.text
    )
    assert paper.section(paper.source.index("A title")) == "Title"


def test_each_place_has_its_section():
    paper = read("\\begin{abstract}a\\end{abstract}\\section{One}b\\subsection{Deep}c\\section*{Two}d")
    assert [paper.section(paper.place(paper.text.index(letter))) for letter in "abcd"] == [
        "Abstract",
        "One",
        "One",
        "Two",
    ]


@given(st.text(alphabet="ab1.\\{}$%&_#[]\n ~", max_size=60))
def test_any_text_can_be_read_and_each_character_knows_its_place(source):
    paper = read(source)
    assert len(paper.text) == len(paper.places) and list(paper.places) == sorted(paper.places)
    assert all(0 <= place <= len(source) for place in paper.places)


def test_a_text_of_open_braces_is_read_in_good_time():
    """Each \\cite looks for its end, which is not there."""
    before = time.process_time()
    assert len(read("\\cite{" * 4000).faults) == 4000
    assert time.process_time() - before < 5
