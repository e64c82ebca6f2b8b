"""Which figures a text names: cases that were written before the program."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as e
from agent.core.state import State
from agent.writing import figure_notes

CASES = json.loads((Path(__file__).parent / "figure_notes.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_text_names_the_figures_that_the_case_says_and_no_others(number):
    case = CASES[number]
    missing, unknown = figure_notes.missing_and_unknown(case["text"], case["figures"])
    assert (list(missing), list(unknown)) == (case["missing"], case["invented"])


def drawn(names, ending="png"):
    return State(figures={f"figures/{name}.{ending}": e.Shown() for name in names})


def test_a_figure_is_asked_for_by_the_file_that_there_is():
    assert figure_notes.problems("", drawn(["own"])) == (
        "own.png is not named; write of each figure, with its file name",
    )
    (said,) = figure_notes.problems("", drawn(["a", "b"], "pdf"))
    assert said.startswith("a.pdf and b.pdf are not named")


NAMES = st.lists(
    st.from_regex(r"[A-Za-z0-9][\w-]{0,8}(\.[0-9_-]{1,4}){0,2}", fullmatch=True), unique=True, min_size=1, max_size=6
)
FORMS = st.sampled_from(
    ["{}.png", "{}.pdf", "figures/{}.png", "figures/{}", "./{}.png", "`{}.png`", "({}.pdf)", "{}.png,"]
)


@given(NAMES, st.data())
def test_a_figure_is_found_in_every_form_of_its_file_name_and_missed_where_it_is_left_out(names, data):
    left_out = data.draw(st.sampled_from(names))
    text = " and ".join(data.draw(FORMS).format(name) for name in names if name != left_out)
    assert figure_notes.missing_and_unknown(text, names) == ((left_out,), ())
    assert figure_notes.missing_and_unknown(f"{text} and {left_out}.png.", names) == ((), ())


@given(st.text(), NAMES)
def test_any_text_can_be_looked_through(text, names):
    missing, unknown = figure_notes.missing_and_unknown(text, names)
    assert set(missing) <= set(names) and bool(figure_notes.problems(text, drawn(names))) == bool(missing or unknown)
