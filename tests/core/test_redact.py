import os
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.redact import HIDDEN, Stream, hide, no_words, values, without

KEYS = {"OPENAI_API_KEY": "sk-abc-123456789", "HF_TOKEN": "hf-plain-value", "AWS_SECRET_ACCESS_KEY": "a/b+c==longer"}
SHAPES = (
    rb"\b(?:sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{12,})"
)


@pytest.mark.parametrize("value", KEYS.values())
def test_a_key_of_the_environment_is_hidden_wherever_it_stands(value):
    assert hide(f"Bearer {value}, again {value}.", KEYS) == f"Bearer {HIDDEN}, again {HIDDEN}."


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-AbCdEf0123456789xyz", "gsk_0123456789abcdefABCDEF", "AIzaSyA0123456789_-abcdefghij",
        "hf_abcdefghijklmnopqrstuv", "AKIAABCDEFGHIJKL",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_is_hidden_where_it_is_only_read(text):
    assert hide(f"key {text}, no disk-{'x' * 30}", {}) == f"key {HIDDEN}, no disk-{'x' * 30}"
    assert without(f"key {text}", {}) == f"key {text}"


def test_a_key_that_holds_another_is_hidden_whole():
    found = {"A_KEY": "12345678", "B_KEY": "x12345678y"}
    assert hide("x12345678y", found) == HIDDEN
    assert values(found) == (b"x12345678y", b"12345678")


def test_short_values_and_other_variables_are_left_alone():
    environment = {
        "SORT_KEY": "id",
        "PATH": "/usr/bin/something",
        "TOKENIZERS_PARALLELISM": "falsefalse",
        "KEYBOARD": "querty-long",
    }
    text = "id /usr/bin/something falsefalse querty-long"
    assert hide(text, environment) == text


@pytest.mark.parametrize(
    "name", ["MY_TOKEN", "DB_PASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "SOME_SECRET"]
)
def test_whatever_the_environment_calls_a_secret_is_hidden(name):
    assert hide("It is correct horse battery.", {name: "correct horse battery"}) == f"It is {HIDDEN}."


def test_what_has_to_work_keeps_words_that_are_keys_elsewhere():
    environment = {
        "OPENAI_API_KEY": "anything",
        "SORT_KEY": "created_at",
        "PIN_SECRET": "12345678",
        "DB_PASSWORD": "hunter2hunter",
    }
    text = "anything created_at 0.12345678"
    assert without(text, environment) == text
    assert without(f"{text} hunter2hunter", environment) == f"{text} {HIDDEN}"
    assert hide(text, environment) == f"{HIDDEN} {HIDDEN} 0.{HIDDEN}"


def test_a_key_is_found_in_json_and_in_bytes_and_between_halves_of_characters():
    environment = {"DB_PASSWORD": 'quote"back\\slash9'}
    assert without('{"a": "quote\\"back\\\\slash9"}', environment) == f'{{"a": "{HIDDEN}"}}'
    assert without(b'\xff\xfequote"back\\slash9\x00', environment) == b"\xff\xfe[key]\x00"
    assert without('\ud800quote"back\\slash9', environment) == f"\ud800{HIDDEN}"


def test_of_a_key_with_several_lines_each_long_line_is_hidden():
    environment = {"TLS_KEY": "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n-----END KEY-----\n"}
    assert hide("line MIIEvQIBADANBgkqhkiG9w0\nshort", environment) == f"line {HIDDEN}\nshort"


def test_encodings_are_not_claimed():
    import base64

    told = base64.b64encode(b"sk-abc-123456789").decode()
    assert hide(told, KEYS) == told


# ---- the stream

ALPHABET = [
    "a",
    "ab",
    "aba",
    "sk-",
    "gsk_",
    "AIza",
    "hf_",
    "AKIA",
    "A" * 11,
    "x1" * 8,
    "-",
    "_",
    " ",
    "é",
    "secret7",
    "secret77x",
]
TEXTS = st.lists(st.sampled_from(ALPHABET), max_size=30).map(lambda parts: "".join(parts).encode())
SECRETS = st.lists(
    st.sampled_from([b"secret7", b"secret77", b"abab", b"ababc", b"ba", b"aba", "éé".encode()]), unique=True
)


def reference(text, keys):
    """As two substitutions over the whole."""
    if keys:
        text = re.sub(b"|".join(map(re.escape, keys)), b"[key]", text)
    return re.sub(SHAPES, b"[key]", text)


@given(TEXTS, SECRETS, st.lists(st.integers(0, 300)))
def test_however_a_stream_is_cut_the_result_is_that_of_the_whole(text, secrets, cuts):
    keys = sorted(secrets, key=lambda key: (-len(key), key))
    stream, told, at = Stream(keys), b"", 0
    for cut in [*sorted(min(cut, len(text)) for cut in cuts), len(text)]:
        told, at = told + stream.feed(text[at:cut]), cut
    assert told + stream.end() == reference(text, keys)


@given(st.binary(max_size=200), st.integers(1, 7))
def test_bytes_that_are_no_text_pass_as_they_are(data, size):
    stream = Stream([b"key-0123456789"])
    told = b"".join(stream.feed(data[at : at + size]) for at in range(0, len(data), size)) + stream.end()
    assert told == reference(data, [b"key-0123456789"])


def test_nothing_is_held_back_that_is_no_beginning_of_a_key():
    stream = Stream([b"key-0123456789"])
    assert stream.feed(b"step 1 of 10\n") == b"step 1 of 10\n"
    assert stream.feed(b"my key-0123") == b"my "
    assert stream.feed(b" and more") == b"key-0123 and more"


def test_a_key_without_end_is_swallowed_and_not_kept():
    stream = Stream([])
    told = stream.feed(b"see sk-" + b"x" * 20) + b"".join(stream.feed(b"y" * 1000) for _ in range(100))
    assert told == b"see [key]"
    assert stream.feed(b"y then") + stream.end() == b" then"


@pytest.mark.parametrize(
    ("what", "piece"),
    [
        ("a flood of lines", b"epoch 17 loss 0.123456 accuracy 0.98\n" * 1700),
        ("an endless line", b"x" * 65536),
        ("nothing but keys", b"key-of-twenty-chars7" * 3200),
        ("nothing but shapes", (b"sk-" + b"a" * 20 + b" ") * 2700),
    ],
)
def test_a_flood_is_read_faster_than_it_comes(what, piece):
    """20 MB in pieces as a pipe gives them, with ten keys in the environment."""
    keys = sorted([b"key-of-twenty-chars7", *(os.urandom(16).hex().encode() for _ in range(9))], key=lambda k: -len(k))
    stream, count = Stream(keys), 20_000_000 // len(piece)
    began = time.process_time()
    for _ in range(count):
        stream.feed(piece)
    seconds = time.process_time() - began
    print(f"{what}: {20 / seconds:.0f} MB/s")
    assert seconds < 6.0, f"{seconds:.1f} s"


def test_only_what_is_long_or_mixed_is_no_word():
    assert no_words([b"created_at_long_enough", b"anything", b"12345678", b"hunter22"]) == (
        b"created_at_long_enough",
        b"hunter22",
    )
