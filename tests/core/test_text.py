import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.text import did_you_mean, duration, is_text, plural, seconds, shorten, slug


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("2d", 172800),
        ("1.5h", 5400),
        (" 8h ", 28800),
        ("45", 45),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_a_duration_is_read_as_people_write_it(said, meant):
    assert seconds(said) == meant


@pytest.mark.parametrize(
    "said",
    ["", "h", "10 m", "-5s", "0", "0s", 0, -1, True, "1y", "ten", float("nan"), float("inf"), "4000d", "1h30", None],
)
def test_anything_else_is_no_duration(said):
    with pytest.raises(ValueError, match="duration"):
        seconds(said)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text):
    try:
        assert seconds(text) > 0
    except ValueError:
        pass


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0.0 s"), (0.44, "0.4 s"), (9.96, "10 s"), (59.6, "1 m 00 s"), (185, "3 m 05 s"), (7620, "2 h 07 m")],
)
def test_a_duration_is_shown_as_people_read_it(value, shown):
    assert duration(value) == shown


def test_a_near_word_is_offered_and_a_short_list_otherwise():
    assert did_you_mean("sedes", ["seeds", "env"]) == ' (did you mean "seeds"?)'
    assert did_you_mean("zzz", ["seeds", "env"]) == " (known: env, seeds)"
    assert did_you_mean("zzz", map(str, range(100))) == ""
    assert did_you_mean("zzz", []) == ""


@given(st.text(max_size=200))
def test_a_slug_is_a_plain_folder_name(text):
    assert set(slug(text)) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert len(slug(text)) <= 48
    assert not slug(text).startswith("_")
    assert not slug(text).endswith("_")


@given(st.text(max_size=300), st.integers(2, 50))
def test_what_is_shortened_is_one_line_without_control_characters(text, longest):
    short = shorten(text, longest)
    assert len(short) <= longest
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in short)
    assert len(short.splitlines()) <= 1
    assert is_text(short)


def test_plurals():
    assert (plural(1, "run"), plural(2, "run"), plural(0, "reply", "replies")) == ("1 run", "2 runs", "0 replies")
