"""Verdicts: what may be called better, when nothing can be said, and what never changes one."""

import json
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from agent.core.compare import CONFIRM, SCREEN, Rules, Side, against, confirm, interval, p_better, screen
from agent.core.comparison import VERDICTS, Comparison
from agent.core.measures import Measure
from agent.core.result import Result, check_seeds, parse_result
from agent.core.template import classic
from tests.core.result_cases import TEMPLATE, assert_said, names, of_kind, reference, run_text
from tests.helpers import template

UP = template(metrics={"f.m": {"direction": "up", "role": "primary"}})
DOWN = template(metrics={"f.m": {"direction": "down", "role": "primary"}})
LOW, HIGH = [1.0, 1.1, 0.9, 1.05, 0.95], [3.0, 3.1, 2.9, 3.05, 2.95]


def side(name, values, first_seed=0, **more):
    seeds = tuple(range(first_seed, first_seed + len(values)))
    return Side(name, Result({"f.m": Measure.of(values, seeds)}, {}, {}, seeds={"f": seeds}, **more))


def measured(measure, name="run_1"):
    return Side(name, Result({"f.m": measure}, {}, {}))


def judged(run, base, rules=None, test=CONFIRM):
    rules = rules or Rules(UP, "f.m")
    return against(run if isinstance(run, Side) else side("run_1", run),
                   base if isinstance(base, Side) else side("run_0", base), rules, test)  # fmt: skip


# --- frozen cases --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", of_kind("protocol"), ids=names(of_kind("protocol")))
def test_another_protocol_or_a_broken_constraint_is_not_comparable_and_named(case):
    run = parse_result(run_text(case))
    assert isinstance(run, Result), run
    rules = Rules(TEMPLATE, "core.kl", tuple(case.get("varied", ())))
    found = screen(Side("run_1", run), Side("run_0", reference()), rules)
    assert_said(case["said"], found.reasons)
    assert (found.verdict == "not comparable") == bool(case["said"])
    if case.get("varied") and not case["said"]:
        assert found.varied
        assert found.varied[0] in found.why
    # fresh seeds do not make it comparable
    assert (confirm(found, Side("run_1", run), Side("run_0", reference()), rules).verdict == "not comparable") == bool(
        case["said"]
    )


@pytest.mark.parametrize("case", of_kind("result"), ids=names(of_kind("result")))
def test_results_that_do_not_fit_themselves_or_the_seeds_asked_for_are_problems(case):
    run = parse_result(run_text(case))
    assert_said(case["said"], run if isinstance(run, list) else check_seeds(run, case["asked"]))


# --- the rule ------------------------------------------------------------------------------------------------------------


def test_better_takes_a_screening_and_fresh_seeds_of_both_sides():
    screened = screen(side("run_1", HIGH[:3]), side("run_0", LOW), Rules(UP, "f.m"))
    assert screened.verdict == "unconfirmed"
    confirmed = confirm(screened, side("run_1", HIGH, 10), side("run_0", LOW, 10), Rules(UP, "f.m"))
    assert confirmed.verdict == "better"
    assert confirmed.stage == "confirmed"


def test_what_does_not_hold_on_fresh_seeds_is_within_noise_and_says_so():
    screened = screen(side("run_1", HIGH[:3]), side("run_0", LOW), Rules(UP, "f.m"))
    shaken = [v + d for v, d in zip(LOW, [0.03, -0.02, 0.01, -0.03, 0.02], strict=True)]
    again = confirm(screened, side("run_1", shaken, 10), side("run_0", LOW, 20), Rules(UP, "f.m"))
    assert again.verdict == "within noise"
    assert "not confirmed on fresh seeds" in again.why


def test_seeds_that_were_screened_on_confirm_nothing():
    screened = screen(side("run_1", HIGH[:3]), side("run_0", LOW), Rules(UP, "f.m"))
    again = confirm(screened, side("run_1", HIGH, 2), side("run_0", LOW, 10), Rules(UP, "f.m"))
    assert again.verdict == "unconfirmed"
    assert "2" in again.why


def test_what_had_not_screened_as_better_cannot_be_confirmed():
    screened = screen(side("run_1", [1.0, 1.02, 0.98]), side("run_0", LOW), Rules(UP, "f.m"))
    assert screened.verdict == "within noise"
    assert (
        confirm(screened, side("run_1", HIGH, 10), side("run_0", LOW, 10), Rules(UP, "f.m")).verdict == "within noise"
    )


def test_a_worse_run_is_worse_at_once():
    assert screen(side("run_1", LOW[:3]), side("run_0", HIGH), Rules(UP, "f.m")).verdict == "worse"
    assert screen(side("run_1", HIGH[:3]), side("run_0", LOW), Rules(DOWN, "f.m")).verdict == "worse"


def test_less_than_the_smallest_effect_that_counts_is_within_noise_whatever_the_test_says():
    def rules(least):
        return Rules(template(metrics={"f.m": {"direction": "up", "role": "primary", "min_effect": least}}), "f.m")

    assert judged(HIGH, LOW, rules(1.99)).verdict == "better"
    assert judged(HIGH, LOW, rules(2.01)).verdict == "within noise"
    assert "2.01" in judged(HIGH, LOW, rules(2.01)).why
    assert judged(LOW, HIGH, rules(2.01)).verdict == "within noise"


@pytest.mark.parametrize(
    ("run", "base", "verdict", "why"),
    [
        (Measure(3.0), Measure(1.0), "unmeasured", "run_1 gives no standard error"),
        (Measure(3.0, 0.1, 5), Measure(1.0), "unmeasured", "run_0 gives no standard error"),
        (Measure(3.0, 0.1), Measure(1.0, 0.1, 5), "unmeasured", "over how many seeds"),
        (Measure(3.0, 0.1, 2), Measure(1.0, 0.1, 5), "unmeasured", "2 seeds of run_1; a verdict needs 3"),
        (Measure.of([3.0] * 5), Measure.of(LOW), "unmeasured", "all 5 seeds of run_1 gave one value"),
        (Measure.of(HIGH), Measure.of([1.0] * 5), "unmeasured", "all 5 seeds of run_0 gave one value"),
        (Measure(3.0, 0.0, 5), Measure(1.0, 0.1, 5), "unmeasured", "gave one value"),
        (Measure.of([3.0]), Measure.of(LOW), "single", "one seed of run_1"),
        (Measure.of(HIGH), Measure.of([1.0]), "single", "one seed of run_0"),
    ],
)
@pytest.mark.parametrize("test", [SCREEN, CONFIRM])
def test_without_measured_noise_there_is_no_verdict_and_the_reason_is_said(run, base, verdict, why, test):
    found = judged(measured(run), measured(base, "run_0"), test=test)
    assert found.verdict == verdict
    assert why in found.why


def test_a_classic_template_of_one_seed_is_unmeasured_and_says_why():
    run = parse_result('{"shakespeare": {"means": {"loss": 1.4, "time": 10}}}')
    base = parse_result('{"shakespeare": {"means": {"loss": 1.5, "time": 11}}}')
    found = screen(Side("run_1", run), Side("run_0", base), Rules(classic("nano", {}), "shakespeare.loss"))
    assert found.verdict == "unmeasured"
    assert "no standard error" in found.why
    assert found.of("shakespeare.loss").difference == pytest.approx(-0.1)


def test_a_metric_without_a_direction_has_a_difference_and_no_verdict():
    found = judged(HIGH, LOW, Rules(template(), "f.m"))
    assert found.verdict == ""
    assert "no direction" in found.why
    assert found.of("f.m").low == pytest.approx(2 - 0.115, abs=0.01)


def test_a_primary_metric_that_is_not_there_is_said():
    assert judged(HIGH, LOW, Rules(UP, "f.other")).verdict == "unmeasured"


def test_the_paired_difference_stands_beside_and_decides_nothing():
    wide = [0.0, 10.0, 20.0, 30.0, 40.0]
    found = judged([v + 1 + i * 0.001 for i, v in enumerate(wide)], wide)
    assert found.verdict == "within noise"
    paired = found.of("f.m").paired
    assert paired.n == 5
    assert paired.difference == pytest.approx(1.002)
    assert paired.stderr < 0.001


# --- one seed, many documents -------------------------------------------------------------------------------------------


def documents(shift, n=40):
    base = [math.sin(7 * i) for i in range(n)]
    run = [v + shift + 0.3 * math.cos(5 * i) for i, v in enumerate(base)]
    one = [Measure(sum(v) / n, None, 1, documents=tuple(v)) for v in (run, base)]
    return measured(one[0]), measured(one[1], "run_0")


def test_documents_of_one_seed_can_show_noise_and_never_that_a_run_is_better_or_worse():
    for test in (SCREEN, CONFIRM):
        assert judged(*documents(0.01), test=test).verdict == "within noise"
        assert judged(*documents(0.5), test=test).verdict == "unconfirmed"
        assert judged(*documents(-0.5), test=test).verdict == "single"
    found = judged(*documents(0.5))
    assert "40 documents" in found.why
    assert found == judged(*documents(0.5))  # resampling is always the same


def test_documents_that_are_not_the_same_ones_are_not_compared():
    run, base = documents(0.5)[0], documents(0.5, 39)[1]
    assert judged(run, base).verdict == "single"


# --- what never changes a verdict ----------------------------------------------------------------------------------------

whole = st.lists(st.integers(-1000, 1000).map(float), min_size=3, max_size=6)
FLIPPED = {"better": "worse", "worse": "better"}


@given(whole, whole)
def test_the_two_sides_swapped_better_becomes_worse(run, base):
    there, back = judged(run, base), judged(base, run)
    assert back.verdict == FLIPPED.get(there.verdict, there.verdict)
    a, b = there.of("f.m"), back.of("f.m")
    assert a.difference == -b.difference
    assert (a.p, a.p_worse) == (b.p_worse, b.p)


@given(whole, whole, st.integers(-8, 8), st.sampled_from([SCREEN, CONFIRM]))
def test_another_unit_changes_no_verdict(run, base, power, test):
    scaled = [[v * 2.0**power for v in values] for values in (run, base)]
    assert judged(*scaled, test=test).verdict == judged(run, base, test=test).verdict


@given(whole, whole, st.integers(-4096, 4096), st.sampled_from([SCREEN, CONFIRM]))
def test_a_constant_added_to_both_sides_changes_no_verdict(run, base, constant, test):
    before = judged(run, base, test=test)
    assume(not any(math.isclose(p, level, rel_tol=1e-6) for p in (before.of("f.m").p or 0, before.of("f.m").p_worse or 0)
                   for level in (0.1, 0.025)))  # fmt: skip
    moved = [[v + constant for v in values] for values in (run, base)]
    assert judged(*moved, test=test).verdict == before.verdict


@given(whole, whole, st.sampled_from([SCREEN, CONFIRM]))
def test_the_other_direction_of_the_negative_values_is_the_same_question(run, base, test):
    turned = [[-v for v in values] for values in (run, base)]
    assert judged(*turned, rules=Rules(DOWN, "f.m"), test=test).verdict == judged(run, base, test=test).verdict


@given(whole, whole, st.randoms())
def test_the_order_of_the_seeds_changes_nothing(run, base, random):
    shuffled = list(range(len(run)))
    random.shuffle(shuffled)
    mixed = Side("run_1", Result({"f.m": Measure.of([run[i] for i in shuffled], shuffled)}, {}, {}))
    assert judged(mixed, base).verdict == judged(run, base).verdict


@given(whole, whole)
def test_the_numbers_are_those_of_scipys_own_test(run, base):
    assume(len(set(run)) > 1 and len(set(base)) > 1)
    theirs = stats.ttest_ind(run, base, equal_var=False, alternative="greater")
    both = stats.ttest_ind(run, base, equal_var=False).confidence_interval(0.95)
    ours, other = Measure.of(run), Measure.of(base)
    sufficient = (ours.mean, ours.stderr, ours.n, other.mean, other.stderr, other.n)
    assert p_better(*sufficient) == pytest.approx(theirs.pvalue, abs=1e-9)
    assert interval(*sufficient) == pytest.approx((both.low, both.high), rel=1e-6, abs=1e-6)


@given(whole, whole, st.sampled_from([SCREEN, CONFIRM]))
def test_a_comparison_comes_back_from_json_as_it_was(run, base, test):
    found = judged(run, base, test=test)
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.verdict in VERDICTS
    assert found.why


@given(
    st.lists(st.floats(-1e99, 1e99), min_size=1, max_size=5), st.lists(st.floats(-1e99, 1e99), min_size=1, max_size=5)
)
def test_no_finite_values_break_it_or_bring_what_json_cannot_hold(run, base):
    json.dumps(judged(run, base).to_json(), allow_nan=False)


def test_the_frozen_plan_goes_before_what_the_template_says_by_now():
    assert (
        judged(HIGH, LOW, Rules.of(UP, {"primary": "f.m", "direction": "down", "min_effect": 0.0})).verdict == "worse"
    )
    assert (
        judged(HIGH, LOW, Rules.of(UP, {"primary": "f.m", "direction": "up", "min_effect": 3.0})).verdict
        == "within noise"
    )
    assert judged(HIGH, LOW, Rules.of(UP, {"primary": "f.m"})).verdict == "better"


def test_a_metric_beside_the_primary_one_is_not_better_without_having_screened_so_either():
    def both(name, primary, other, first_seed=0):
        seeds = tuple(range(first_seed, first_seed + 5))
        return Side(name, Result({"f.m": Measure.of(primary, seeds), "f.o": Measure.of(other, seeds)}, {}, {}))

    made = template(metrics={m: {"direction": "up", "role": "primary"} for m in ("f.m", "f.o")})
    rules = Rules(made, "f.m")
    noise = [1.02, 1.0, 0.98, 1.01, 0.99]
    screened = screen(both("run_1", HIGH, noise), both("run_0", LOW, LOW), rules)
    again = confirm(screened, both("run_1", LOW, HIGH, 10), both("run_0", LOW, LOW, 10), rules)
    assert screened.of("f.o").verdict == "within noise"
    assert again.verdict == "no effect"  # the primary metric, on fresh seeds
    assert again.of("f.o").verdict == "within noise"


def test_keys_of_a_later_version_are_passed_over():
    found = judged(HIGH, LOW)
    assert Comparison.from_json({**found.to_json(), "novel": 1}) == found
