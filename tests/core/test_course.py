import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.course import FIRST, GROWN_IN_A_ROW, IN_A_ROW, Course


def course(*reports, stall=None):
    """Reports a second apart: losses, or whole lines."""
    one = Course(stall)
    for second, report in enumerate(reports):
        line = report if isinstance(report, (str, dict)) else {"step": second, "of": 100, "loss": report}
        one.hear(line if isinstance(line, str) else json.dumps(line), float(second))
    return one


NAN = float("nan")


@pytest.mark.parametrize("bad", [NAN, float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_some_times_in_a_row_is_the_end(bad):
    assert course(1.0, *[bad] * (IN_A_ROW - 1)).trouble == ""
    assert course(1.0, *[bad] * IN_A_ROW).trouble == f"loss is {bad} in 3 reports in a row (step 3)"


def test_one_overflow_between_good_reports_is_none():
    assert course(*[1.0, NAN, NAN] * 20).trouble == ""


def test_a_loss_beyond_all_measure_is_the_end():
    said = course(*[2.0] * FIRST, *[5000.0] * GROWN_IN_A_ROW).trouble
    assert said == "loss has grown to 5000, from 2 at first (step 9)"


@pytest.mark.parametrize(
    "losses",
    [
        [0.0] * 5 + [900.0] * 50,  # began at nothing, as a KL does
        [2.0] * 5 + [5000.0, 1.0] * 20,  # spikes
        [1e6] * 5 + [1e8] * 50,  # large from the start
        [-3.0] * 5 + [-900.0] * 50,
        [10.0 * 1.02**n for n in range(300)],  # grows, and still it is not for us to say
    ],
)
def test_a_loss_that_only_looks_bad_is_left_alone(losses):
    assert course(*losses).trouble == ""


def test_seeds_are_told_apart():
    lines = [{"seed": seed, "step": n, "loss": NAN if seed else 1.0} for n in range(2) for seed in range(2)]
    assert course(*lines).trouble == ""
    assert course(*lines, {"seed": 1, "step": 2, "loss": NAN}).trouble.startswith("loss is nan")


def test_only_losses_count():
    assert course(*[{"step": n, "accuracy": NAN, "l0": 1e9} for n in range(9)]).trouble == ""
    assert course(*[{"step": n, "val_Loss": NAN} for n in range(3)]).trouble.startswith("val_Loss")


def test_silence_after_signs_of_life_is_a_stall():
    running = course(1.0, 0.9, stall=60.0)
    assert not running.stalled(60.9)
    assert running.stalled(61.1)


def test_a_program_that_never_reports_or_is_done_with_its_steps_does_not_stall():
    assert not Course(60.0).stalled(1e9)
    assert not course({"step": 100, "of": 100, "loss": 1.0}, stall=60.0).stalled(1e9)
    assert not course(1.0, stall=None).stalled(1e9)


@given(st.text(max_size=60))
def test_any_line_is_heard_without_complaint(line):
    course(line, '{"step": 1}', line)
