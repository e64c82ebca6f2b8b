"""Each log of a failing paper says what is wrong in a short sentence, with its file and line, and little beside it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.writing.log import problems
from tests.writing.log_cases import LOGS

FOLDER = Path(__file__).parent / "logs"


def told(name):
    texts = {"paper.tex": (FOLDER / f"{name}.tex").read_text("utf-8")}
    blg = FOLDER / f"{name}.blg"
    log = (FOLDER / f"{name}.log").read_text("utf-8", "replace")
    return problems(log, blg.read_text("utf-8") if blg.exists() else "", texts)


@pytest.mark.parametrize("name", LOGS)
def test_what_a_log_says_is_told_with_file_and_line(name):
    found = told(name)
    expected = LOGS[name]
    if name.startswith("bibtex"):  # made without the last passes, in which the other entries are found
        found = [p for p in found if "citation good" not in p.what]
    assert [(p.file, p.line) for p in found][: len(expected)] == [(file, line) for file, line, _ in expected], list(
        map(str, found)
    )
    assert all(words in p.what for p, (_, _, words) in zip(found, expected, strict=False)), list(map(str, found))
    assert len(found) <= len(expected) + 1, list(map(str, found))
    assert all(len(str(p)) < 200 for p in found)


def test_a_reference_to_a_fact_that_does_not_exist_is_no_fault_of_latex():
    error = "./paper.tex:7: Package facts Error: Unknown fact:"
    log = f"{error} run_9.a.\n\nl.7 \\fact{{run_9.a}}\n\n{error} b.\n"
    assert [(p.kind, p.line, p.what) for p in problems(log)] == [
        ("fact", 7, "there is no fact run_9.a"), ("fact", 7, "there is no fact b")]  # fmt: skip


def test_an_error_that_no_row_knows_is_quoted():
    (problem,) = problems("./paper.tex:12: Package foo Error: Something odd.\nl.12 \\foo\n")
    assert str(problem) == "paper.tex:12: Package foo Error: Something odd"


@given(st.text(alphabet="./paper.tex:12!l \\{}$\n`'()\"-MisingdERo", max_size=200), st.text(max_size=60))
def test_any_log_can_be_read(log, blg):
    assert all(problem.what for problem in problems(log, blg, {"paper.tex": "x\n"}))
