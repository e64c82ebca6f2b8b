"""Runs without an effect, metrics that never change and terms that weigh nothing: each is found, and nothing else is."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import effect
from agent.core.compare import Rules, Side, screen
from agent.core.comparison import Comparison
from agent.core.effect import same_results, small_terms, stale_metrics, warnings
from agent.core.measures import Measure
from agent.core.result import Result, parse_result
from tests.core.result_cases import CASES, TEMPLATE, assert_said, edited, names, of_kind, reference, result, run_text


@pytest.mark.parametrize("case", of_kind("effect"), ids=names(of_kind("effect")))
def test_results_of_another_run_are_known_for_what_they_are(case):
    run = parse_result(run_text(case))
    assert isinstance(run, Result), run
    others = {"run_0": reference()}
    others |= {name: result(edited(CASES["run"], change)) for name, change in case.get("earlier", {}).items()}
    same = same_results(run, others, TEMPLATE)
    assert_said(case["said"], warnings("run_9", same, (), {}))
    whole = next((s.run for s in same if s.all), "")
    verdict = screen(Side("run_9", run), Side("run_0", others["run_0"]), Rules(TEMPLATE, "core.kl"), whole).verdict
    assert (verdict == "no effect") == (case["verdict"] == "no effect")


@pytest.mark.parametrize("case", of_kind("stale"), ids=names(of_kind("stale")))
def test_a_metric_that_never_changes_is_named(case):
    results = {name: result(families) for name, families in case["results"].items()}
    assert_said(case["said"], warnings("run_9", (), stale_metrics(results, TEMPLATE), {}))


@pytest.mark.parametrize("case", of_kind("terms"), ids=names(of_kind("terms")))
def test_a_loss_term_that_weighs_nothing_is_named(case):
    found = small_terms(result({"loss_share": {"means": case["shares"]}}))
    said = warnings("run_9", (), (), found)
    assert_said(case["said"], said)
    assert len(said) == sum(share < 0.001 for share in case["shares"].values())


def test_a_term_that_weighs_nothing_in_the_baseline_either_is_said_to():
    said = warnings("run_1", (), (), {"auxiliary": 0.0, "temporal": 0.00003}, usual=["auxiliary"])
    assert said[0].endswith("temporal is 0.003 % of the loss: it changes next to nothing")
    assert said[1].endswith("auxiliary is 0 % of the loss, as in the baseline")


values = st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=5, unique=True)


def made(columns, seeds=None):
    return Result({f"f.m{i}": Measure.of(c, tuple(seeds or range(len(c)))) for i, c in enumerate(columns)}, {}, {})


@given(st.lists(values, min_size=1, max_size=6), st.integers(1, 3))
def test_a_copy_is_found_on_any_common_seeds_and_in_any_order_of_them(columns, kept):
    whole, part = made(columns), made([c[-kept:] for c in columns], None)
    part = Result({m: Measure.of(v.values, tuple(range(len(columns[i]) - kept, len(columns[i]))))
                   for i, (m, v) in enumerate(part.measures.items())}, {}, {})  # fmt: skip
    assert same_results(part, {"run_0": whole}, TEMPLATE)[0].all
    turned = Result({m: Measure.of(v.values[::-1], v.seeds[::-1]) for m, v in whole.measures.items()}, {}, {})
    assert same_results(turned, {"run_0": whole}, TEMPLATE)[0].all


@given(st.lists(values, min_size=2, max_size=6))
def test_a_bit_more_in_each_metric_is_no_copy(columns):
    moved = [[v + (abs(v) + 1) * 1e-9 for v in c] for c in columns]
    assert not same_results(made(moved), {"run_0": made(columns)}, TEMPLATE)


def test_cost_metrics_are_never_part_of_it():
    run = result({"core": {"means": {"kl": 1.0}}, "training": {"means": {"seconds": 5}}})
    other = result({"core": {"means": {"kl": 1.0}}, "training": {"means": {"seconds": 6}}})
    assert same_results(run, {"run_1": other}, TEMPLATE)[0].all
    assert not same_results(result({"core": {"means": {"kl": 2.0}}, "training": {"means": {"seconds": 6}}}),
                            {"run_1": other}, TEMPLATE)  # fmt: skip


def test_the_frozen_cases_are_all_read():
    kinds = {"protocol", "result", "effect", "stale", "terms"}
    assert {case["kind"] for case in CASES["cases"]} == kinds
    assert json.dumps(CASES).count('"unseen"') > len(CASES["cases"]) / 2


def test_what_a_verdict_of_no_effect_says_already_is_no_warning_for_people_and_everything_else_is():
    told = (
        "22 of 26 metrics of run_2 are those of run_0 to the bit (fit.mse …): the change did not reach what they measure",
        "the loss term temporal is 0 % of the loss: it changes next to nothing",
        "fit.frac is 1 in all of run_0, run_1: either its evaluation does not see the changes, or it is at its end",
    )
    control = Comparison("run_2", "run_0", "screen", "fit.mse", "no effect")
    assert effect.untold("run_2", told, control) == told[2:]
    assert effect.untold("run_2", told, replace(control, verdict="worse")) == told
    assert effect.untold("run_2", told, None) == told
