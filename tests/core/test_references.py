"""References are found in any text, at their place, and nothing else is."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.references import ARITY, references

CASES = json.loads((Path(__file__).parent / "facts" / "references.json").read_text())
WORDS = st.text(st.sampled_from("abz_019. ,"), max_size=12)
ARGUMENTS = st.recursive(WORDS, lambda inner: st.builds(lambda a, b: f"{a}{{{b}}}", WORDS, inner), max_leaves=3)
PROSE = st.text(st.characters(exclude_characters="\\{}%", exclude_categories=["Cs"]), max_size=30)


@pytest.mark.parametrize("case", CASES, ids=[case["text"][:40] for case in CASES])
def test_references_of_a_text(case):
    found = references(case["text"], case.get("latex", False))
    assert [[one.macro, list(one.arguments), one.line, one.column] for one in found] == case["found"]
    assert all(bool(one.problem) == case.get("problem", False) for one in found)


@given(st.text(st.sampled_from("\\{}% \nabfctverb*|[]"), max_size=80), st.booleans())
def test_no_text_makes_it_fail_and_positions_are_in_the_text(text, latex):
    for one in references(text, latex):
        assert text[one.start : one.end].startswith(f"\\{one.macro}")
        assert text.splitlines(keepends=True) and text.split("\n")[one.line - 1][one.column - 1] == "\\"


@st.composite
def texts_with_references(draw):
    parts, put_in = [draw(PROSE)], []
    for macro in draw(st.lists(st.sampled_from(sorted(ARITY)), max_size=5)):
        arguments = [draw(ARGUMENTS) for _ in range(ARITY[macro])]
        put_in.append((macro, tuple(arguments)))
        parts += [f"\\{macro}" + "".join(f"{{{a}}}" for a in arguments), f" {draw(PROSE)}"]
    return "".join(parts), put_in


@given(texts_with_references(), st.booleans())
def test_what_was_put_in_is_found_in_order(made, latex):
    text, put_in = made
    found = references(text, latex)
    assert [(one.macro, [a.split() for a in one.arguments]) for one in found] == [
        (macro, [a.split() for a in arguments]) for macro, arguments in put_in
    ]
    assert all(not one.problem for one in found)
    assert "".join(text[one.start : one.end] for one in found) == "".join(
        f"\\{m}" + "".join(f"{{{a}}}" for a in args) for m, args in put_in
    )
