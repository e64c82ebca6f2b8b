"""What an audit knows of a study is taken from its state, template, idea and results."""

from agent.core.idea import parse_idea
from agent.writing.known import known_of
from tests.helpers import after, compared, good_run, ready, template

IDEA = parse_idea({"Name": "x", "Title": "T", "Experiment": "1. Try a weight of 0.25 on 640 units."}, "idea.json")


def known(state, told=()):
    made = template(
        profiles={"tiny": {"env": {"RATE": "0.003"}}}, metrics={"fit.mse": {"label": "Error", "direction": "down"}}
    )
    return known_of(state, made, IDEA, ["a.png"], ["good"], told)


def test_runs_have_their_verdicts_and_baselines_are_known_as_such():
    state = after(ready(*good_run(1)), compared("run_1", "better"))
    found = known(state)
    assert set(found.verdicts) == {"run_0", "run_1"} and found.baselines == {"run_0"}
    assert found.verdict("run_1", "") == "better" and found.metrics["fit.mse"] == "Error" and found.primary == "fit.mse"


def test_a_run_that_was_not_compared_is_known_and_has_no_verdict():
    state = ready(*good_run(1, judged=False))
    assert known(state).verdict("run_1", "") in ("", "–")


def test_settings_come_from_results_and_profile_and_the_idea_has_its_own():
    found = known(ready(), {"run_0": [{"lr": 0.125, "name": "adam 0.5"}, {"train": {"tokens": [4096]}}, True]})
    assert {0.003, 0.125, 0.5, 4096.0} <= found.settings
    assert {0.25, 640.0} <= found.idea
