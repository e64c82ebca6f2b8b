import json

import pytest

from agent.core.errors import InputProblem
from agent.core.idea import choose_idea, parse_idea

LONG = {
    "Name": "adaptive_dual_scale",
    "Title": "Adaptive\n  dual scale",
    "Experiment": "1. a\n2. b",
    "Technical_Details": "x = 1",
    "Implementation_Plan": "first this",
    "Abstract": "short",
    "Interestingness": 8,
    "Interestingness_Evaluation": "why",
    "Feasibility": 7,
    "Novelty": 9,
    "Research_Impact": 6,
    "Expected_Research_Impact": "much",
    "Overall_Score": 7.5,
    "novel": True,
}
SHORT = {"Name": "n", "Title": "t", "Experiment": "e", "Interestingness": 4, "Feasibility": 10, "Novelty": 1}
NEWER = {
    "Name": "newer",
    "Title": "t",
    "Short Hypothesis": "h",
    "Related Work": "r",
    "Abstract": "a",
    "Experiments": ["first", {"what": "second", "how": "so"}],
    "Risk Factors and Limitations": ["one", "two"],
}


def problems(data):
    with pytest.raises(InputProblem) as caught:
        parse_idea(data, "idea.json")
    return list(caught.value.problems)


def test_the_long_form_is_read_and_all_of_it_that_helps_reaches_the_coder():
    idea = parse_idea(LONG, "f")
    assert (idea.name, idea.title, idea.experiment) == ("adaptive_dual_scale", "Adaptive dual scale", "1. a\n2. b")
    assert dict(idea.details()) == {
        "Technical Details": "x = 1",
        "Implementation Plan": "first this",
        "Abstract": "short",
        "Expected Research Impact": "much",
    }


def test_the_short_form_is_read():
    assert parse_idea(SHORT, "f").details() == []


def test_the_newer_form_is_read_and_lists_become_numbered_text():
    idea = parse_idea(NEWER, "f")
    assert idea.experiment == "1. first\n2. what: second; how: so"
    assert dict(idea.details())["Risk Factors and Limitations"] == "1. one\n2. two"
    assert dict(idea.details())["Hypothesis"] == "h"


def test_case_blanks_and_underscores_of_a_key_do_not_matter():
    idea = parse_idea(
        {"name": "N", "TITLE": "t", "experiment": "e", "technical details": "d", "implementation-plan": "p"}, "f"
    )
    assert [heading for heading, _ in idea.details()] == ["Technical Details", "Implementation Plan"]


def test_unknown_fields_are_kept_and_shown():
    idea = parse_idea({**SHORT, "Budget": {"gpus": 2}, "Tags": ["a", "b"], "Nothing": None}, "f")
    assert idea.fields["Budget"] == {"gpus": 2}
    assert dict(idea.details()) == {"Budget": "gpus: 2", "Tags": "1. a\n2. b"}


def test_all_wrong_types_are_named_at_once():
    said = problems({**LONG, "Title": 5, "Interestingness": "high", "novel": "yes", "Template": ["x"], "Novelty": True})
    assert said == [
        "Title must be a text, not a number",
        "Interestingness must be a number, not a text",
        "Novelty must be a number, not true/false",
        "novel must be true or false, not a text",
        "Template must be a text, not a list",
    ]


def test_each_wrong_field_is_named_once():
    assert problems({"Name": 0, "Title": {}, "Experiment": 1.5}) == [
        "Name must be a text, not a number",
        "Title must be a text, not an object",
        "Experiment must be a text or a list, not a number",
    ]


@pytest.mark.parametrize("empty", [None, "", "  \n", []])
def test_an_empty_field_is_a_missing_one(empty):
    assert problems({**SHORT, "Experiment": empty}) == ["Experiment is missing"]


def test_missing_fields_are_all_named():
    assert problems({}) == ["Name is missing", "Title is missing", "Experiment is missing"]


def test_a_field_given_twice_is_not_chosen_from():
    assert problems({**SHORT, "title": "another"}) == ['Title stands twice ("Title" and "title")']


@pytest.mark.parametrize("data", [5, "text", None, True, 1.5])
def test_what_is_no_object_is_no_idea(data):
    with pytest.raises(InputProblem, match="not an idea"):
        choose_idea(data, "", "f")


def test_a_name_must_give_a_folder_name():
    assert "becomes a folder name" in problems({**SHORT, "Name": "日本/…"})[0]


def test_half_a_character_is_no_text():
    assert problems(json.loads('{"Name": "n", "Title": "\\ud800 x", "Experiment": "e"}')) == [
        "Title holds half a character (a lone surrogate); it is not valid text"
    ]


def test_an_idea_that_is_nested_without_end_is_refused():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert "nested too deeply" in problems({**SHORT, "More": deep})[0]


def test_one_idea_of_a_list_is_chosen_by_name_or_number():
    ideas = [SHORT, NEWER]
    assert choose_idea(ideas, "newer", "f").name == "newer"
    assert choose_idea(ideas, "1", "f").name == "n"
    assert choose_idea([SHORT], "", "f").name == "n"


@pytest.mark.parametrize("wanted", ["", "3", "0", "nobody"])
def test_a_list_without_a_choice_names_its_ideas(wanted):
    with pytest.raises(InputProblem) as caught:
        choose_idea([SHORT, NEWER], wanted, "f.json")
    assert "Names: n, newer" in caught.value.hint


def test_a_name_that_two_ideas_bear_asks_for_a_number():
    with pytest.raises(InputProblem, match="2 of them are 'n'"):
        choose_idea([SHORT, SHORT], "n", "f")


def test_an_empty_list_and_a_choice_from_one_idea_are_refused():
    for data, wanted in ([], ""), ([], "x"), (SHORT, "x"):
        with pytest.raises(InputProblem):
            choose_idea(data, wanted, "f")


def test_a_list_of_other_things_is_refused():
    with pytest.raises(InputProblem, match="holds 2 ideas"):
        choose_idea([1, 2], "", "f")
    with pytest.raises(InputProblem, match="not an idea"):
        choose_idea([1, 2], "2", "f")
