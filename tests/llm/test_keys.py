import pytest

from agent.llm.keys import HIDDEN, hide, values

KEYS = {"OPENAI_API_KEY": "sk-abc-123456789", "HF_TOKEN": "hf-plain-value", "AWS_SECRET_ACCESS_KEY": "a/b+c==longer"}


@pytest.mark.parametrize("value", KEYS.values())
def test_a_key_of_the_environment_is_hidden_wherever_it_stands(value):
    assert hide(f"Bearer {value}, again {value}.", KEYS) == f"Bearer {HIDDEN}, again {HIDDEN}."


@pytest.mark.parametrize(
    "text", ["sk-proj-AbCdEf0123456789xyz", "gsk_0123456789abcdefABCDEF", "AIzaSyA0123456789_-abcdefghij"]
)
def test_what_looks_like_a_key_is_hidden_even_if_it_is_nobodys(text):
    assert hide(f"key {text}", {}) == f"key {HIDDEN}"


def test_a_key_that_holds_another_is_hidden_whole():
    found = {"A_KEY": "12345678", "B_KEY": "x12345678y"}
    assert hide("x12345678y", found) == HIDDEN
    assert values(found) == ["x12345678y", "12345678"]


def test_short_values_and_other_variables_are_left_alone():
    environment = {
        "SORT_KEY": "id",
        "PATH": "/usr/bin/something",
        "TOKENIZERS_PARALLELISM": "falsefalse",
        "KEYBOARD": "querty-long",
    }
    text = "id /usr/bin/something falsefalse querty-long"
    assert hide(text, environment) == text
