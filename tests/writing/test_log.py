"""Each log of a failing paper says what is wrong in a short sentence, with its file and line, and little beside it."""

from pathlib import Path

import pytest

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
