"""Which figures a text names: cases that were written before the program."""

import json
from pathlib import Path

import pytest

from agent.writing import figure_notes

CASES = json.loads((Path(__file__).parent / "figure_notes.json").read_text("utf-8"))["cases"]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_text_names_the_figures_that_the_case_says_and_no_others(number):
    case = CASES[number]
    missing, unknown = figure_notes.missing_and_unknown(case["text"], case["figures"])
    assert (list(missing), list(unknown)) == (case["missing"], case["invented"])
