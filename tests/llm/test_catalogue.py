"""What is known of a model, from litellm's real table."""

import os

import pytest

from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.llm.catalogue import look_up
from agent.llm.choose import choose


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_API_BASE", "_BASE_URL")) or name.startswith("AWS_"):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", ["claude-sonnet-4-5", "anthropic/claude-sonnet-4-5"])
def test_a_known_model_has_price_context_and_the_name_of_its_key(name):
    facts = look_up(Settings(model=name))
    assert (facts.provider, facts.missing_keys, facts.cache_marks) == ("anthropic", ("ANTHROPIC_API_KEY",), True)
    assert facts.price.input * 1e6 == pytest.approx(3.0)
    assert facts.price.cached < facts.price.input < facts.price.written < facts.price.output
    assert facts.context == 200_000


def test_a_price_that_is_given_wins_over_the_table():
    facts = look_up(Settings(model="gpt-4o", price="7/8"))
    assert (facts.price.input, facts.price_source) == (7e-6, "-c price")


@pytest.mark.parametrize("name", ["openai/some-local-model", "openrouter/new/unknown", "huggingface/x/y"])
def test_an_unknown_price_is_said_and_never_taken_for_nothing(name, monkeypatch):
    assert look_up(Settings(model=name)).price is None
    for key in ("OPENAI_API_KEY", "OPENROUTER_API_KEY", "HUGGINGFACE_API_KEY"):
        monkeypatch.setenv(key, "0123456789")
    with pytest.raises(InputProblem, match=r"price of .* is not known") as caught:
        choose(Settings(model=name))
    assert "-c price=" in caught.value.hint
    choose(Settings(model=name, max_cost=None))
    choose(Settings(model=name, price="0"))


@pytest.mark.parametrize("name", ["ollama/llama3", "ollama_chat/qwen3", "hosted_vllm/meta-llama/Llama-3"])
def test_models_that_the_user_runs_cost_nothing_and_need_no_key(name):
    facts = look_up(Settings(model=name))
    assert (facts.price.input, facts.price.output, facts.missing_keys) == (0.0, 0.0, ())


def test_a_server_of_ones_own_may_want_no_key():
    assert look_up(Settings(model="openai/mine", base_url="http://127.0.0.1:1/v1")).missing_keys == ()


@pytest.mark.parametrize("name", ["nonsense", "foo/bar", "gpt4o", "claude sonnet", "Ünïcode/x"])
def test_a_name_that_no_provider_has_is_refused_with_examples(name):
    with pytest.raises(InputProblem, match="no provider is known") as caught:
        choose(Settings(model=name))
    assert "base_url" in caught.value.hint


def test_a_missing_key_is_named_and_asked_for_in_the_environment():
    with pytest.raises(InputProblem, match="ANTHROPIC_API_KEY is not set") as caught:
        choose(Settings(model="claude-sonnet-4-5"))
    assert "export ANTHROPIC_API_KEY" in caught.value.hint


def test_the_longest_reply_is_what_the_model_can_give():
    assert look_up(Settings(model="deepseek/deepseek-chat", reply_tokens=100_000)).reply_tokens == 8192
    assert look_up(Settings(model="gpt-4o", reply_tokens=500)).reply_tokens == 500


def test_a_profile_of_aws_stands_for_its_keys(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert look_up(Settings(model="bedrock/anthropic.claude-3-5-sonnet-20240620-v1:0")).missing_keys == ()
