"""What is asked for about figures once the runs are over, rule by rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import after_runs
from agent.core import events as e
from agent.core.actions import Aside, Ask, Conclude, RestorePlot
from agent.core.policy import decide
from tests.core.test_policy import World
from tests.helpers import HEAD, after, asked, committed, good_run, ready, rejected, replied

NOTED = (asked("0002-notes", "run_1", 1, "notes"), replied("0002-notes"), committed("0002-notes", "run_1", False, ("notes/run_1.txt",)),
         e.WorkspaceSettled(head=HEAD))  # fmt: skip
OVER = (*good_run(1), *NOTED)
OTHER = "b" * 40


def over(*more, parts=("title",), plots=True, max_runs=1, **settings):
    return ready(*OVER, *more, parts=parts, plots=plots, max_runs=max_runs, **settings)


def plot_asked(turn=1, *then):
    call = f"{turn + 2:04d}-plot"
    return (asked(call, "plot.py", turn, "plot"), replied(call), *then)


def plot_changed(turn=1):
    return plot_asked(turn, committed(f"{turn + 2:04d}-plot", "plot.py", False, ("plot.py",)))


def plot_failed(attempt=1):
    return e.SideFailed(what="plot", attempt=attempt, evidence="KeyError: 'x'", feedback="line 3")


def drawn(*files, attempt=1, what="plot", head=HEAD):
    return e.FiguresDrawn(what=what, attempt=attempt, head=head, files=files or ("figures/a.png", "figures/a.pdf"))


def figures_asked(turn, *then, call="0009-figures"):
    return (asked(call, "figures", turn, "figures"), replied(call), *then)


def test_plot_py_is_asked_for_after_the_notes_and_before_the_paper():
    assert decide(ready(*good_run(1), parts=("title",), plots=True, max_runs=1), 0).action == "notes"
    assert decide(over(), 0) == Ask("0003-plot", "plot", "plot.py", 1)
    assert decide(over(plots=False), 0).action == "revise"


@pytest.mark.parametrize("less", [{"parts": ()}, {"paper": False}, {"plots": False, "parts": ()}])
def test_without_a_paper_no_figures_are_asked_for(less):
    assert isinstance(decide(over(drawn(), **less), 0), Conclude)


def test_out_of_time_and_without_money_for_writing_nothing_is_asked():
    assert isinstance(decide(over(max_time=100.0), 101), Conclude)
    reached = e.BudgetReached(call="0003-plot", phase="writing", needed=1.0, left=0.5)
    assert isinstance(decide(over(reached), 0), Conclude)


def test_a_changed_plot_is_run_and_when_it_has_made_figures_their_notes_are_next():
    state = over(*plot_changed())
    assert decide(state, 0) == Aside("plot", 1)
    state = after(state, drawn())
    assert decide(state, 0) == Ask("0004-figures", "figures", "figures", 1)


def test_figures_that_serve_are_left_and_the_experiments_do_not_count_as_completed_by_that():
    state = over(*plot_asked(1, e.FiguresKept(call="0003-plot")))
    assert decide(state, 0).action == "revise" and not state.completed


def test_replies_are_bounded_and_a_plot_that_works_is_not_taken_back():
    state = over(
        *(event for turn in (1, 2, 3) for event in plot_asked(turn, rejected(f"{turn + 2:04d}-plot", "plot.py", "no")))
    )
    assert decide(state, 0).action == "revise"
    assert after_runs.TURNS == {"plot": 3, "figures": 2}


def test_a_plot_that_fails_at_the_end_of_its_round_is_taken_back_once():
    state = over()
    for turn in (1, 2, 3):
        assert decide(state, 0).turn == turn
        state = after(state, *plot_changed(turn), plot_failed(turn))
        assert "KeyError" in state.round_of("plot").problems[0] and not state.told
    assert decide(state, 0) == RestorePlot()
    state = after(state, e.PlotRestored(head=HEAD, replies=3, evidence="KeyError"))
    assert decide(state, 0).action == "revise" and state.plot_given_up == "KeyError"


def test_what_it_goes_back_to_is_the_commit_in_which_it_last_worked():
    assert over().plot_worked == HEAD
    state = after(over(*plot_changed()), drawn(head=OTHER))
    assert state.plot_worked == OTHER
    assert after(state, e.WorkspaceSettled(head=OTHER), plot_failed(2)).plot_worked == OTHER


def test_a_plot_that_makes_no_image_or_takes_the_tools_names_is_not_done():
    for event, said in (
        (e.FiguresDrawn(attempt=1, head=HEAD, files=()), "left no image"),
        (
            e.FiguresDrawn(attempt=1, head=HEAD, files=("figures/a.png",), left_out=("figures/default_a.png",)),
            "default_",
        ),
    ):
        state = after(over(*plot_changed()), event)
        assert said in state.round_of("plot").problems[0]
        assert decide(state, 0) == Ask("0004-plot", "plot", "plot.py", 2)


def test_a_plot_that_nobody_can_run_does_not_hold_up_the_paper():
    state = over(*plot_changed())
    for attempt in (1, 2, 3):
        assert decide(state, 0) == Aside("plot", attempt)
        state = after(state, e.SideFailed(what="plot", attempt=attempt, evidence="killed"))
    assert decide(state, 0).action == "revise"


def test_notes_on_figures_are_asked_for_twice_at_most_and_not_where_there_are_none():
    kept = plot_asked(1, e.FiguresKept(call="0003-plot"))
    state = over(drawn(), *kept)
    assert decide(state, 0).action == "figures"
    for turn in (1, 2):
        state = after(
            state, *figures_asked(turn, rejected(f"x{turn}", "figures", "a.png is not named"), call=f"x{turn}")
        )
    assert decide(state, 0).action == "revise"
    assert decide(over(*kept), 0).action == "revise"


def test_taken_notes_end_the_matter_until_results_or_figures_change():
    done = figures_asked(1, committed("0009-figures", "figures", False, ("notes/figures.txt",)))
    state = over(drawn(), *plot_asked(1, e.FiguresKept(call="0003-plot")), *done)
    assert decide(state, 0).action == "revise"
    assert decide(after(state, drawn("figures/default_runs.png", what="default")), 0).action == "figures"
    more = after(state, e.RunClosed(run="run_1", reason="x", head=HEAD))
    assert more.rounds == {}


def test_a_plot_that_the_coder_made_in_the_experiments_is_no_answer_to_a_request():
    state = over(drawn())
    assert decide(state, 0).action == "plot" and "plot" not in state.rounds
    state = over(plot_failed())
    assert "KeyError" in state.told and "KeyError" in state.plot_broken
    assert decide(state, 0).action == "plot"


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
@settings(max_examples=300, deadline=None)
def test_whatever_comes_of_it_a_study_ends_without_a_broken_plot_and_after_a_bounded_number_of_replies(dice):
    world = World(dice, 0.0, max_runs=1)
    world.state = over(drawn())
    stop, _ = world.live(80)
    state = world.state
    assert stop.exit_code == 0
    for action, most in after_runs.TURNS.items():
        assert sum(call.action == action for call in state.calls.values()) <= most
    assert not state.plot_broken or "plot" in state.due  # it could not be run at all
    plot, reading = state.round_of("plot"), state.round_of("figures")
    assert plot.done or plot.turns == after_runs.TURNS["plot"] or "plot" in state.due
    assert reading.done or reading.turns == after_runs.TURNS["figures"] or not state.figures
