import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import price
from agent.core.config import Settings, settle
from agent.core.errors import InputProblem
from agent.core.price import Price


@pytest.mark.parametrize(
    ("written", "kept"),
    [("3/15", "3/15"), ([3, 15], "3/15"), ("3 / 15 / 0.3", "3/15/0.3"), (0, "0/0"), ("0", "0/0"), ("", ""), (None, "")],
)
def test_a_price_can_be_written_in_several_ways(written, kept):
    assert Settings(price=written).price == kept
    assert Settings(price=kept).price == kept


@pytest.mark.parametrize("wrong", ["cheap", "3", "1/2/3/4", "-1/2", "nan/1", "inf/1", {"in": 3}, True])
def test_a_price_that_cannot_be_read_is_refused_with_an_example(wrong):
    with pytest.raises(InputProblem) as caught:
        settle([("command line", {"price": wrong})])
    assert "such as 3/15" in caught.value.problems[0]


def test_cached_and_written_tokens_are_part_of_the_prompts_tokens():
    dear = Price(input=1.0, output=10.0, cached=0.1, written=2.0)
    usage = {"prompt_tokens": 100, "cached_tokens": 50, "cache_written_tokens": 20, "completion_tokens": 3}
    assert dear.cost(usage) == pytest.approx(30 * 1.0 + 50 * 0.1 + 20 * 2.0 + 3 * 10.0)


def test_without_a_price_for_cached_tokens_they_cost_what_others_cost():
    assert price.given("3/15").cost({"prompt_tokens": 1_000_000, "cached_tokens": 900_000}) == pytest.approx(3.0)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_report_of_a_provider_makes_a_price_negative(prompt, cached, written, completion):
    usage = {
        "prompt_tokens": prompt,
        "cached_tokens": cached,
        "cache_written_tokens": written,
        "completion_tokens": completion,
    }
    assert Price(1.0, 1.0, 0.5, 1.5).cost(usage) >= 0
