"""What a results file looks like, in few words: every kind of key is there, and it is bounded whatever the file holds."""

import json

from hypothesis import given
from hypothesis import strategies as st

from agent.writing.excerpt import LONGEST, excerpt, keys

RESULTS = {
    "fit": {
        "means": {"mse": 0.5, "slope": 1.0},
        "values": {"mse": [0.4, 0.5, 0.6], "slope": [1.0, 1.0, 1.0]},
        "n": 3,
        "config": {f"key_{number}": number for number in range(9)},
    },
    "probing": {"means": {"mse": 0.1, "slope": 0.2}, "values": {}, "n": 3, "config": {}},
}


def test_the_way_to_a_number_is_shown_and_long_lists_and_alike_families_are_not():
    said = excerpt(json.dumps(RESULTS).encode())
    assert '"means": {\n      "mse": 0.5\n      "slope": 1.0' in said
    assert '"values": {"mse": [0.4, 0.5, … 3 values], … the same keys as "means"}' in said
    assert "… and 4 more keys" in said and "key_5" not in said
    assert '"probing": {"means": {…}, … the same keys as "fit"}' in said


def test_a_curve_is_told_by_its_keys():
    assert keys(b'{"step": [1, 2], "loss": [3, 4], "unit": "nats"}') == "step (2 values), loss (2 values), unit"
    assert keys(json.dumps({f"k{n}": n for n in range(30)}).encode()).endswith("k19 and 10 more")


def test_what_is_no_json_or_nested_without_end_breaks_nothing():
    for data in (b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"a":' * 100_000):
        assert excerpt(data) == keys(data) == "(no JSON)"
    for deep in (b"[" * 900 + b"]" * 900, b'{"a":' * 900 + b"1" + b"}" * 900):
        assert len(excerpt(deep)) < 200 and len(keys(deep)) < 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(), inner, max_size=40),
    max_leaves=200,
)


@given(VALUES)
def test_whatever_the_file_holds_the_excerpt_is_bounded(value):
    data = json.dumps(value).encode()
    assert len(excerpt(data)) <= LONGEST + 2
    keys(data)
