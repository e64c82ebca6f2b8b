"""The evaluation surface of a change: lines that speak of data, seeds, lengths or metrics are found, and others are not."""

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.report.diff import surface, told, topics_by_line

OLD = """import torch
from harness import world

config = {"learning_rate": 0.1, "width": 64}


def fit(points):
    model = build(config["width"])
    for point in points:
        model.step(point)
    return model


fits = fit(world.points(0))
"""


def git_diff(old, new, name="experiment.py"):
    lines = difflib.unified_diff(old.splitlines(True), new.splitlines(True), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def touched(old, new, name="experiment.py"):
    return surface(git_diff(old, new, name), {name: old}, {name: new})


@pytest.mark.parametrize(
    ("was", "becomes", "topic"),
    [
        ("world.points(0)", "world.points(0, split='easy')", "data"),
        ("world.points(0)", "load_dataset('other')", "data"),
        ("world.points(0)", "world.points(torch.manual_seed(3))", "seeds"),
        ("world.points(0)", "world.points(AI_SCIENTIST_SEEDS)", "seeds"),
        ("for point in points:", "for point in points[: max_tokens]:", "lengths"),
        ('"width": 64', '"width": 64, "epochs": 50', "lengths"),
        ("return model", "return best_eval_score(model)", "metrics"),
        ("return model", "return testLoss", "data"),
        ("model.step(point)", "open('final_info.json')", "metrics"),
    ],
)
def test_a_line_that_speaks_of_the_evaluation_is_found(was, becomes, topic):
    found = touched(OLD, OLD.replace(was, becomes))
    assert [(t.sign, t.topic) for t in found] == [("+", topic)]
    new_line = OLD.replace(was, becomes).splitlines()[found[0].line - 1]
    assert new_line.strip() == found[0].text
    assert "heuristic" in told(found)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"learning_rate": 0.1', '"learning_rate": 0.2'),
        ("build(config", "build_deeper(config"),
        ("return model", "return model  # seeds, tokens and the test data stay"),
        ("for point in points:", "for point in points[: len(points)]:"),
        ("return model", 'return model, "a text that speaks of metrics and data"'),
    ],
)
def test_other_lines_comments_and_prose_are_not(was, becomes):
    assert touched(OLD, OLD.replace(was, becomes)) == []
    assert told([]) == ""


def test_a_line_that_is_taken_away_is_found_with_its_old_number():
    new = OLD.replace("    for point in points:\n", "    for point in sorted(points):\n")
    seeded = OLD.replace("import torch\n", "import torch\n\ntorch.manual_seed(0)\n")
    assert touched(OLD, new) == []
    assert [(t.sign, t.line, t.topic) for t in touched(seeded, OLD)] == [("-", 3, "seeds")]


def test_a_file_that_does_not_parse_is_read_word_by_word_without_its_comments():
    assert topics_by_line("def f(:\n    seed = 3  # tokens\n") == {2: ("seeds",)}


def test_a_changed_line_that_looks_like_a_header_is_a_line():
    old, new = "-- a/x\nseed = 1\n", "++ b/y\nseed = 2\n"
    found = surface(git_diff(old, new), {"experiment.py": old}, {"experiment.py": new})
    assert {(t.sign, t.line) for t in found} == {("-", 2), ("+", 2)}


@given(st.text(max_size=300))
def test_any_text_can_be_read(text):
    topics_by_line(text)
    surface(text, {"x": text}, {"x": text})
