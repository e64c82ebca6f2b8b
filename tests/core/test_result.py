import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.core.result import Measure, Result, identity, missing_metrics, parse_result


def parsed(data):
    return parse_result(data if isinstance(data, str) else json.dumps(data))


def test_means_stderrs_seeds_protocol_and_configuration_are_read():
    result = parsed(
        {
            "core": {
                "means": {"mse": 0.5, "ev": 1},
                "stderrs": {"mse": 0.1155},
                "n": 3,
                "values": {"mse": [0.3, 0.5, 0.7]},
                "seeds": [4, 5, 6],
                "protocol": {"eval": {"tokens": 9}},
                "details": {"x": "text"},
            },
            "training": {"means": {"seconds": 2}, "config": {"lr": 0.1}},
        }
    )
    assert result == Result(
        {
            "core.mse": Measure(0.5, 0.1155, 3, (0.3, 0.5, 0.7), (4, 5, 6)),
            "core.ev": Measure(1.0, None, 3, (), (4, 5, 6)),
            "training.seconds": Measure(2.0),
        },
        {"core": {"eval": {"tokens": 9}}},
        {"training": {"lr": 0.1}},
        {"core": {"x": "text"}},
        {"core": (4, 5, 6)},
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("NaN", "nan is not a finite number"),
        ("-Infinity", "-inf is not a finite number"),
        ("1e999", "inf is not a finite number"),
        ("1" + "0" * 400, "a number too large is not a finite number"),
        ('"0.5"', '"0.5" is not a number'),
        ("true", "true is not a number"),
        ("null", "null is not a number"),
        ("[0.5]", "[0.5] is not a number"),
        ('{"a": 1}', '{"a": 1} is not a number'),
    ],
)
def test_what_is_no_finite_number_is_named_with_its_path(value, said):
    assert parsed(f'{{"core": {{"means": {{"mse": {value}}}}}}}') == [f"core.means.mse: {said}"]


def test_a_stderr_is_checked_like_a_mean():
    core = {"means": {"a": 1, "b": 1, "c": 1}, "stderrs": {"a": math.nan, "b": -0.5, "c": "x", "d": 1}, "n": 0}
    assert parsed({"core": core}) == [
        "core.n: must be a whole number of seeds",
        "core.stderrs.a: nan is not a finite number",
        "core.stderrs.b: -0.5 is negative",
        'core.stderrs.c: "x" is not a number',
        "core.stderrs.d: there is no such mean",
    ]


def test_stderrs_without_means_are_no_metrics():
    assert parsed({"core": {"stderrs": {"mse": 0.1}, "n": 3}}) == ["core.means: missing, but there are stderrs"]


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_the_number_of_seeds_is_a_whole_number(n):
    assert parsed({"core": {"means": {"a": 1}, "n": n}}) == ["core.n: must be a whole number of seeds"]


def test_all_problems_come_at_once_and_nothing_is_guessed_around():
    said = parsed({"a": 1, "b": {"means": 3}, "c": {"means": {"x": "?"}}, "d": {"means": {"ok": 1}, "protocol": []}})
    assert said == [
        "a: a family must be an object, not int",
        "b.means: must be an object of numbers",
        'c.means.x: "?" is not a number',
        "d.protocol: must be an object",
    ]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "null", "{}", "\0", "9" * 5000, "[" * 100_000, '{"a": {}}', '{"a": {"means": {}}}']
)
def test_what_holds_no_results_is_one_problem(text):
    assert len(parsed(text)) == 1


def test_of_a_family_without_means_every_number_outside_configuration_is_a_metric():
    result = parsed(
        {
            "sae bench": {
                "a": {"b/c": 1, "list": [1], "note": "x", "flag": True, "none": None},
                "eval_config": {"k": 5},
                "details": {"k": 5},
                "d": 2,
            }
        }
    )
    assert {m: v.mean for m, v in result.measures.items()} == {"sae_bench.a.b_c": 1.0, "sae_bench.d": 2.0}


def test_a_number_that_is_not_finite_is_found_however_deep():
    assert parsed('{"f": {"a": {"b": {"c": NaN}}}}') == ["f.a.b.c: nan is not a finite number"]


def test_deep_nesting_ends_in_a_result_or_a_problem():
    for depth in (200, 900, 3000):
        nested = "1"
        for _ in range(depth):
            nested = f'{{"a": {nested}}}'
        for text in (f'{{"f": {nested}}}', f'{{"f": {{"means": {{"m": {nested}}}}}}}'):
            assert parsed(text)


def test_two_metrics_of_one_name_are_a_problem():
    assert parsed({"f": {"means": {"a b": 1, "a_b": 2}}}) == [
        'f.a_b: its name "f.a_b" is that of another metric; only A-Z, a-z, 0-9, ".", "-" and "_" count'
    ]
    assert len(parsed({"f": {"means": {"a.b": 1}}, "f.a": {"means": {"b": 2}}})) == 1


def test_a_metric_without_a_name_is_a_problem():
    assert parsed({"f": {"means": {"": 1}}}) == ["f.means: a metric without a name"]
    assert parsed({"": {"means": {"a": 1}}}) == ["a family without a name"]


def test_half_characters_in_names_do_not_reach_the_problems():
    said = parsed('{"f\\ud800": {"means": {"a": "\\udfff"}}, "g": {"means": {"\\ud800": "x"}}}')
    "".join(said).encode()


def test_metrics_that_the_baseline_has_are_missed():
    result = parsed({"f": {"means": {"a": 1, "new": 2}}})
    assert missing_metrics(result, ["f.a"]) == []
    assert missing_metrics(result, ["f.b", "f.a", "a.a"]) == [
        "a.a: the baseline has this metric, the run has not",
        "f.b: the baseline has this metric, the run has not",
    ]


def test_an_identity_holds_plain_characters_only():
    assert identity("a b.c/d\n.é.x-1_") == "a_b.c_d_._.x-1_"


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["means", "stderrs", "n", "config", "protocol", "a", "", "b c"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_any_json_gives_finite_measures_or_problems(data):
    result = parsed(data)
    if isinstance(result, Result):
        assert result.measures
        assert all(
            math.isfinite(m.mean) and (m.stderr is None or 0 <= m.stderr < math.inf) for m in result.measures.values()
        )
    else:
        assert result
        assert all(isinstance(p, str) and p for p in result)


def test_the_example_of_the_contract_is_a_result():
    core = {
        "means": {"explained_variance": 0.8431}, "stderrs": {"explained_variance": 0.0012}, "n": 3,
        "values": {"explained_variance": [0.8419, 0.8452, 0.8422]}, "seeds": [0, 1, 2],
        "protocol": {"eval": {"dataset": "d", "tokens": 65536}, "train": {"tokens": 512000}}, "details": {},
    }  # fmt: skip
    training = {"means": {"seconds": 11.2}, "config": {"lr": 0.0003}}
    assert isinstance(parsed({"core": core, "training": training}), Result)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6), st.integers(2, 8), st.integers(1, 4))
def test_figures_rounded_to_any_digits_fit_their_values(values, places, seen):
    """Values, mean and standard error, each rounded on its own, are never a problem."""
    exact = Measure.of(values)
    family = {
        "means": {"m": round(exact.mean, places)},
        "stderrs": {} if exact.stderr is None else {"m": round(exact.stderr, seen)},
        "values": {"m": [round(v, places) for v in values]},
    }
    assert isinstance(parsed({"f": family}), Result)


@given(st.lists(st.floats(0.5, 2), min_size=3, max_size=6, unique=True), st.sampled_from([0.9, 1.1, 0.577]))
def test_a_mean_or_a_standard_error_that_is_off_by_a_tenth_is_a_problem(values, factor):
    values = [v / 7 + 0.0123456789 for v in values]  # with all their digits: what is rounded is allowed for
    exact = Measure.of(values)
    assume(exact.stderr > 1e-4)
    for means, stderrs in ((factor, 1), (1, factor)):
        family = {"means": {"m": exact.mean * means}, "stderrs": {"m": exact.stderr * stderrs}, "values": {"m": values}}
        assert len(parsed({"f": family})) == 1


def test_a_curve_is_read_from_details_and_what_is_none_is_passed_over():
    curve = {"step": [1, 2], "loss": [3.0, 1.5], "odd": [1], "text": "x"}
    assert parsed({"f": {"means": {"m": 1}, "details": {"curve": curve}}}).curve == {"step": (1, 2), "loss": (3, 1.5)}
    for none in (5, {"step": [1, 2]}, {"step": [], "loss": []}, {"step": [1, "x"], "loss": [1, 2]}):
        assert parsed({"f": {"means": {"m": 1}, "details": {"curve": none}}}).curve is None
