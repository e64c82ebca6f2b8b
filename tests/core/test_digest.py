import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as e
from agent.core.digest import HISTORY, LATEST, cell, difference, history, latest, number, primary_metric
from tests.helpers import HEAD, accepted, after, good_run, ready, template

TOY = template(
    primary="fit.mse",
    metrics={
        "fit.mse": {"direction": "down", "role": "primary", "target": 0.5},
        "fit.gap": {"role": "constraint", "tolerance": 1},
        "training.seconds": {"role": "cost", "digits": 1},
    },
)


def many(runs, metrics=1, name="fit.m{}", words="Try the number {}"):
    measured = {"fit.mse": {"mean": 1.0, "stderr": 0.1, "n": 3}}
    measured |= {name.format(i): {"mean": float(i), "stderr": None, "n": None} for i in range(metrics - 1)}
    state = ready(max_runs=1000)
    for i in range(1, runs + 1):
        state = after(state, *good_run(i, judged=False, metrics=measured))
    return state


def test_a_run_is_shown_against_the_baseline_with_the_primary_metric_first_and_costs_last():
    metrics = {
        m: {"mean": v, "stderr": None, "n": 1}
        for m, v in {"training.seconds": 3, "fit.gap": 2, "fit.a": 7, "fit.mse": 1.5}.items()
    }
    state = after(ready(), *good_run(1, judged=False, metrics=metrics))
    assert latest(state, TOY, state.runs["run_1"]).splitlines() == [
        "metric | better | baseline | this run | difference",
        "fit.mse (primary) | down, target 0.5 | 2.0000 ± 0.1000 | 1.5000 | −0.5000",
        "constraints: fit.gap 2.0000",
        "cost: training.seconds 3.0",
        "also: fit.a 7.0000",
    ]


def test_failed_runs_are_in_the_history_with_their_reason():
    state = after(ready(), *good_run(1, judged=False), e.RunClosed(run="run_1", reason="it broke", head=HEAD))
    assert "run_1 | Try it | failed | it broke" in history(state, TOY)


def test_200_runs_fit_the_budget_and_the_newest_and_the_baseline_stay():
    text = history(many(200), TOY)
    assert len(text) <= HISTORY
    lines = text.splitlines()
    assert lines[0].startswith("run | what changed")
    assert "lines left out" in lines[1]
    assert lines[2].startswith("run_0 ")
    assert lines[-1].startswith("run_200 ")


def named(text):
    """How many metrics a digest names: in lines of the table, among the constraints, in the line of the others."""
    lines = text.splitlines()
    rows = sum(" | " in line for line in lines) - 1
    return rows + sum(line.count(";") + 1 for line in lines if line.startswith(("also: ", "constraints: ", "cost: ")))


def test_500_metrics_fit_the_budget_and_the_rest_is_counted():
    state = many(1, 500)
    text = latest(state, TOY, state.runs["run_1"])
    assert len(text) <= LATEST
    assert text.splitlines()[1].startswith("fit.mse (primary)")
    assert text.endswith(f"… and {500 - named(text)} more metrics in run_1/final_info.json")


@pytest.mark.parametrize("length", [100, 300, 1000, 5000])
def test_long_names_fit_the_budget_and_the_least_important_metric_gives_way(length):
    state = many(1, 40, "fit." + "x" * length + "{:03d}")
    text = latest(state, TOY, state.runs["run_1"])
    assert len(text) <= LATEST
    assert "fit.mse (primary)" in text
    assert f"… and {40 - named(text)} more metrics" in text
    assert len(history(state, TOY)) <= HISTORY


def test_a_primary_metric_of_any_length_leaves_room():
    name = "fit." + "y" * 10_000
    state = after(
        ready(),
        e.PlanFrozen(plan={"primary": name, "max_runs": 3}, sha256="0"),
        accepted("run_0", 0, metrics={name: {"mean": 1.0}}),
    )
    assert len(history(state, TOY)) <= HISTORY
    assert len(latest(state, TOY, state.runs["run_0"])) <= LATEST


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 12))
def test_a_number_is_short_and_never_rounds_to_nothing(value, digits):
    text = number(value, digits)
    assert len(text) <= 24
    assert (float(text) == 0) == (value == 0)


def test_differences_have_a_sign_and_what_is_missing_a_dash():
    state = after(ready(), *good_run(1, judged=False, mean=2.5))
    run, base = state.runs["run_1"], state.runs["run_0"]
    assert difference(run, base, "fit.mse", TOY) == "+0.5000"
    assert difference(base, run, "fit.mse", TOY) == "−0.5000"
    assert difference(run, base, "fit.none", TOY) == "–"
    assert cell(run, "fit.none", TOY) == "–"


def test_the_ideas_primary_metric_comes_before_the_templates_and_the_baselines_first():
    reference = ready().reference
    assert primary_metric(TOY, "a.b", reference) == "a.b"
    assert primary_metric(TOY, "", reference) == "fit.mse"
    assert primary_metric(template(), "", reference) == "fit.mse"
    assert primary_metric(template(), "", None) == ""
