"""A quote of half a line is answered with the line that holds it, and changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.edits import Applied, Block, Rejected, apply
from agent.core.part_of_line import holding

LONG = (
    "Sparse autoencoders turn activations into features that people can read. We add a penalty on changes between neighbouring "
    "tokens and ask whether it improves the reconstruction at equal sparsity. It does not, in any of the four runs."
)
TEX = f"\\section{{Introduction}}\n{LONG}\n\n\\section{{Method}}\nThe loss has two terms.\nThe second is new, and has a weight.\n"


def answer(search, text=TEX, name="latex/paper.tex"):
    found = apply([Block(name, search, "Other words.\n", 1)], {name: text})
    assert isinstance(found, Rejected)
    return found.problems[0].message


@pytest.mark.parametrize(
    "search, lines",
    [
        ("We add a penalty on changes between neighbouring tokens\n", "line 2"),
        ("  It does not, in any of the four runs.\n", "line 2"),
        ("has two terms.\nThe second is new,\n", "lines 5–6"),
        ("It does not, in any of the four runs.\n\n\\section{Method}\n", "lines 2–4"),
        ("add a penalty on changes\nbetween neighbouring tokens and ask\n", "line 2"),
    ],
)
def test_a_part_of_a_line_is_answered_with_the_whole_of_it(search, lines):
    said = answer(search)
    assert f"It is a part of {lines}:" in said and "SEARCH has to be whole lines" in said and "Nothing" not in said
    assert "line 2" not in lines or LONG in said


def test_a_part_with_a_slip_in_it_is_answered_with_the_line_that_holds_the_rest():
    said = answer(
        "tokens and ask whether it improves the reconstruction at equal cost of compute.\n", f"{LONG}\n", "notes.md"
    )
    assert "Something like it is a part of line 1" in said


@pytest.mark.parametrize(
    "search", ["in the study of whales and of their songs\n", "The loss has two terms!\n", "words\n"]
)
def test_what_is_no_part_or_too_short_to_mean_one_is_answered_as_before(search):
    assert "a part of" not in answer(search)


def test_a_part_that_stands_in_two_lines_means_neither():
    assert holding(["the same words, first", "the same words, then"], ["the same words"]) is None


LINES = st.lists(st.text(alphabet="abc de", max_size=30), min_size=1, max_size=8)


@given(LINES, st.data())
def test_the_lines_found_hold_the_quote_and_more(lines, data):
    text = " ".join(" ".join(lines).split())
    start = data.draw(st.integers(0, len(text)))
    quote = text[start : data.draw(st.integers(start, len(text)))].strip()
    if found := holding(lines, [quote]):
        held = " ".join(" ".join(lines[slice(*found)]).split())
        assert quote in held and len(held) > len(quote)
        assert text.count(quote) == 1


def test_whole_lines_still_apply():
    assert isinstance(apply([Block("a.md", f"{LONG}\n", "Short.\n", 1)], {"a.md": f"{LONG}\nMore.\n"}), Applied)
