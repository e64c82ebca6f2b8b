"""Parts of a paper: found, replaced, and read from a reply."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.paper import ABSTRACT, DRAFTED, REVISED, STEPS, WORDS, first_line, parts, told, with_part

SKELETON = (Path(__file__).parents[2] / "templates/sae/latex/paper.tex").read_text()
CLASSIC = r"""\documentclass{article}
\title{TITLE HERE}
\begin{document}
\maketitle
\begin{abstract}
ABSTRACT HERE
\end{abstract}

\section{Introduction}
\label{sec:intro}
INTRO HERE

\section{Related Work}
RELATED WORK HERE

\section{Background}
\section{Method}
METHOD HERE
\section{Experimental Setup}
SETUP
\section{Results}
\subsection{One}
R
% Conclusions
\section{Conclusions and Future Work}
C

\bibliography{references}
\end{document}
"""


@pytest.mark.parametrize("tex", [SKELETON, CLASSIC], ids=["the SAE template's", "a classic one"])
def test_every_part_is_found_and_replacing_it_changes_nothing_else(tex):
    before = parts(tex)
    assert set(before) == {"title", ABSTRACT, *WORDS}
    for part in before:
        after = with_part(tex, part, "Some \\textbf{new} text.")
        assert parts(after) == {**before, part: "Some \\textbf{new} text."}
        kept = [line for line in tex.splitlines() if line.startswith(("%", "\\section"))]
        assert [line for line in after.splitlines() if line.startswith(("%", "\\section"))] == kept


def test_comments_that_announce_the_next_heading_stay():
    after = with_part(CLASSIC, "results", "New.")
    assert "New.\n% Conclusions\n\\section{Conclusions" in after


def test_the_first_line_of_a_part_is_counted_in_the_whole_file():
    assert CLASSIC.splitlines()[first_line(CLASSIC, "introduction") - 1] == "INTRO HERE"


def test_the_order_is_drafts_and_refinements_then_all_once_more():
    assert len(STEPS) == 25
    assert [s.part for s in STEPS if s.action == "draft"] == [*DRAFTED, "related"]
    assert [s.part for s in STEPS if s.action == "revise"] == ["title", *REVISED]
    assert len(set(STEPS)) == 25


@pytest.mark.parametrize(
    ("reply", "part", "expected"),
    [
        ("Here.\n```latex\nText of it.\n```\nDone.", "method", {"method": "Text of it.\n"}),
        ("```\n\\section{Method}\n\\label{sec:m}\nText.\n```", "method", {"method": "Text.\n"}),
        ("```latex\n\\title{A {B} c}\n\\begin{abstract}\nShort.\n\\end{abstract}\n```", ABSTRACT,
         {"title": "A {B} c", ABSTRACT: "\nShort.\n"}),
        ("```latex\nShort.\n```", ABSTRACT, {ABSTRACT: "Short.\n"}),
        ("```latex\n\\title{New}\n```", "title", {"title": "New"}),
    ],
)  # fmt: skip
def test_a_reply_gives_the_text_of_its_part(reply, part, expected):
    assert told(reply, part) == expected


@pytest.mark.parametrize(
    ("reply", "part", "said"),
    [
        ("Text without a fence.", "method", "no block"),
        ("```latex\na\n```\n```latex\nb\n```", "method", "2 blocks"),
        ("```latex\n\n```", "method", "empty"),
        ("```latex\n\\section{Results}\nx\n```", "method", r"`\section{Results}` does not belong"),
        ("```latex\n\\documentclass{article}\n```", "method", "does not belong"),
        ("```latex\nNew title\n```", "title", r"\title{…}"),
        ("```latex\n\\section{Method}\n```", "method", "no text"),
    ],
)
def test_a_reply_that_gives_no_text_is_told_why(reply, part, said):
    answer = told(reply, part)
    assert isinstance(answer, str) and said in answer


@given(st.text(max_size=300), st.sampled_from(["title", ABSTRACT, *WORDS]))
def test_any_reply_and_any_paper_can_be_read(text, part):
    told(text, part)
    told(f"```latex\n{text}\n```", part)
    parts(text)
