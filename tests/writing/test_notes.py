"""Notes as people read them: references filled in, numbers that somebody typed marked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.facts import facts_of
from agent.core.references import references
from agent.writing.notes import MARK, filled, rendered
from tests.core.facts import study


@pytest.fixture(scope="module")
def facts():
    return facts_of(study.state(), study.template(), study.sources())


def test_references_are_filled_in_where_they_stand(facts):
    text = r"KL is \factpm{run_1.core.kl_nats}: run_1 \factverdict{run_1}{core.kl_nats} the baseline (\lit{0.05}{usual} level)."
    assert rendered(text, facts) == "KL is 0.2512 ± 0.0012: run_1 is within noise of the baseline (0.05 level)."


@pytest.mark.parametrize(("text", "said"), [
    (r"\fact{run_2.core.kl_nat}", "??[run_2.core.kl_nat, did you mean run_2.core.kl_nats?]"),
    (r"\fact{run_4.core.kl_nats}", "??[run_4.core.kl_nats, run_4 has no result: it never ran]"),
    (r"\factdiff{run_1}{run_0}", r"??[run_1, run_0, \factdiff needs 3 arguments in braces, and has 2]"),
    (r"\factp{run_1}{run_2}{core.mse}",
     "??[run_1, run_2, core.mse, run_1 was not compared with run_2: runs are, with their baseline]"),
])  # fmt: skip
def test_a_reference_to_nothing_says_what_was_probably_meant(facts, text, said):
    facts_text = rendered(f"a {text} b", facts)
    if "was not compared" in said or "has no metric" in facts_text:
        assert facts_text.startswith("a ??[run_1, run_2, core.mse, ")
    else:
        assert facts_text == f"a {said} b"


@pytest.mark.parametrize("text", [
    "KL fell to 0.2321", "it is 5 % better", "7.5% better", "12 percent", "about 3e-7 of it", "1,234.5 steps", "=0.91,", "(0.91)",
    "-0.12 nats",
])  # fmt: skip
def test_a_decimal_or_percentage_that_somebody_typed_is_marked(facts, text):
    assert rendered(text, facts).count(MARK.strip()) == 1


@pytest.mark.parametrize("text", [
    "run_1 and run_10", "3 runs of 5", "in 2026", "v1.5 and 1.2.3", "layer_0.5", "fig_0.png", "`lr = 0.35`", "```\nx = 0.35\n```",
    "decay of 0.2 as set", "the idea's 0.77", "2026-11-21 10:15:00.123",
])  # fmt: skip
def test_counts_names_code_settings_and_numbers_of_the_idea_are_not(facts, text):
    assert MARK.strip() not in rendered(text, facts, known=["use 0.77 of it"])


def test_a_table_stands_on_lines_of_its_own(facts):
    assert "\n| run_2 | **0.2321 ± 0.0004** |\n" in rendered(r"So: \facttable{run_0,run_2}{core.kl_nats} there.", facts)


REFERENCES = st.sampled_from(
    [r"\fact{run_1.core.kl_nats}", r"\factn{run_2}", r"\fact{run_x.y}", r"\factdiff{run_1}", r"\fact"]
)
PIECES = st.one_of(REFERENCES, st.text(st.characters(exclude_characters="\\", exclude_categories=["Cs"]), max_size=12))


@given(st.lists(PIECES, max_size=6))
def test_all_that_is_not_a_reference_stays_and_no_good_one_is_left(pieces):
    facts = _FACTS
    text = " ".join(pieces)
    made = filled(text, facts)
    assert r"\fact{run_1" not in made or "??[" in made
    rest = text
    for one in reversed(references(text)):
        rest = rest[: one.start] + rest[one.end :]
    assert len(made) >= len(rest) and filled(rest, facts) == rest
    unmarked = rendered(text, facts).replace(MARK, "")
    assert unmarked == made


_FACTS = facts_of(study.state(), study.template(), study.sources())
