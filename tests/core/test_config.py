import pytest

from agent.core.config import Settings, settle
from agent.core.errors import InputProblem


def problems(*layers):
    with pytest.raises(InputProblem) as caught:
        settle(layers)
    return list(caught.value.problems)


def test_later_layers_win_and_keys_may_have_hyphens():
    settled = settle([("user", {"max_runs": 3, "max-time": "1h"}), ("command line", {"max_runs": 5})])
    assert (settled.max_runs, settled.max_time, settled.max_cost) == (5, 3600.0, 10.0)


def test_all_problems_come_at_once_with_their_place():
    said = problems(
        ("user", {"max_run": 3, "sandbox": "box"}), ("command line", {"max_runs": -1, "max_time": "soon", "zzz": 1})
    )
    assert said == [
        'user: max_run: unknown key (did you mean "max_runs"?)',
        "command line: zzz: unknown key",
        "command line: max_runs: input should be greater than or equal to 0, not -1",
        "command line: max_time: 'soon' is no duration; write it like 90s, 10m, 1h30m or 2d",
        "user: sandbox: input should be 'auto', 'bwrap', 'landlock', 'seatbelt' or 'none', not 'box'",
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"max_cost": float("nan")},
        {"max_cost": float("inf")},
        {"max_cost": 0},
        {"max_runs": 2.5},
        {"max_runs": True},
        {"max_runs": [3]},
        {"max_runs": 10**30},
        {"model": 5},
        {"results": None},
        {"max_time": float("nan")},
        {"max_time": True},
        {"attempts_per_run": 0},
        {"": 1},
    ],
)
def test_a_value_that_makes_no_sense_is_refused(given):
    assert len(problems(("command line", given))) == 1


@pytest.mark.parametrize("none", [None, "", "none"])
def test_a_limit_of_time_can_be_taken_away(none):
    assert settle([("a", {"max_time": "1h"}), ("b", {"max_time": none})]).max_time is None


def test_settings_go_through_json_unchanged():
    settings = Settings(model="replay:/x", max_time="8h", max_cost=None)
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
