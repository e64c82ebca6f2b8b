from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as e
from agent.core.fold import apply, fold
from agent.core.state import State, next_call
from tests.helpers import (
    HEAD,
    accepted,
    after,
    asked,
    committed,
    created,
    ended,
    entries,
    failed,
    good_run,
    launched,
    opened,
    ready,
    rejected,
    replied,
)

OTHER = "b" * 40
PLAN = e.PlanFrozen(plan={"primary": "fit.mse", "max_runs": 10}, sha256="0")
STORY = entries(
    created(("run_0", "run_0_zero")),
    opened(),
    launched("run_0"),
    ended("run_0"),
    accepted("run_0"),
    accepted("run_0_zero", 0),
    PLAN,
    *good_run(1),
    e.HumanNoted(slip="1", text="try less"),
    asked("0002-edit", "run_2"),
    replied("0002-edit"),
    rejected("0002-edit", "run_2"),
    asked("0003-edit", "run_2", 2),
    replied("0003-edit"),
    committed("0003-edit", "run_2", base="run_0"),
    launched("run_2"),
    ended("run_2", ending="timeout"),
    failed("run_2"),
    e.HumanEdited(files=("experiment.py",), saved=OTHER),
    e.HumanTook(files=("experiment.py",), head=OTHER),
    e.RunClosed(run="run_2", reason="enough", head=HEAD),
    asked("0004-edit", "run_3"),
    replied("0004-edit"),
    e.CoderCompleted(call="0004-edit", run="run_3", head=HEAD),
    asked("0005-notes", "run_1", action="notes"),
    replied("0005-notes"),
    committed("0005-notes", "run_1", starts_run=False, files=("notes/run_1.txt",)),
    e.StudyEnded(reason="completed", head=HEAD),
    opened(reopen=True, max_runs=20),
)


def test_the_same_journal_gives_the_same_state():
    assert fold(STORY) == fold(list(STORY))


@given(st.integers(0, len(STORY)))
def test_a_prefix_and_then_the_rest_is_the_whole(cut):
    state = fold(STORY[:cut])
    for entry in STORY[cut:]:
        state = apply(state, entry)
    assert state == fold(STORY)


def test_no_entry_changes_an_older_state():
    states = [State()]
    for entry in STORY:
        states.append(apply(states[-1], entry))
    for n, state in enumerate(states):
        assert state == fold(STORY[:n])


def test_what_the_story_has_come_to():
    state = fold(STORY)
    assert {r.name: r.status for r in state.runs.values()} == {
        "run_0": "good",
        "run_0_zero": "good",
        "run_1": "good",
        "run_2": "closed",
    }
    assert [r.name for r in state.tried] == ["run_1", "run_2"]
    assert state.runs["run_2"].parent == "run_0"
    assert state.noted == {"run_1"}
    assert state.hints == ()  # it was for the next prompt only
    assert not state.completed
    assert not state.ended
    assert state.settings.max_runs == 20
    assert (state.seq, state.last) == (len(STORY), STORY[-1].at)


def test_time_is_counted_in_sessions_only():
    first = entries(created(), opened(), accepted("run_0", 0), start=0, step=10)  # opened at 20, last at 30
    second = e.Entry(v=1, seq=4, at=90_000.0, event=opened())
    state = fold([*first, second])
    assert state.spent == 10  # created at 10 is before the session: only 20 to 30 count
    assert state.elapsed(90_005.0) == 15
    assert state.elapsed(0.0) == 10  # a clock that jumped back takes nothing away


def test_a_kept_hint_stays_and_the_other_goes_with_the_next_prompt():
    state = ready(e.HumanNoted(slip="1", text="once"), e.HumanNoted(slip="2", text="always", keep=True))
    assert [h.text for h in state.hints] == ["once", "always"]
    assert [h.text for h in after(state, asked("0001-edit", "run_1")).hints] == ["always"]


def test_the_tree_has_to_follow_each_new_head_until_it_is_settled():
    state = ready(asked("0001-edit", "run_1"), replied("0001-edit"))
    assert state.settled
    moved = after(
        state, e.EditCommitted(call="0001-edit", run="run_1", head=OTHER, files=("experiment.py",), starts_run=True)
    )
    assert (moved.head, moved.previous, moved.settled) == (OTHER, HEAD, False)
    again = after(moved, e.RunClosed(run="run_1", reason="x", head="c" * 40))
    assert (again.previous, again.settled) == (HEAD, False)  # the tree may still show the first of the three
    assert after(again, e.WorkspaceSettled(head=again.head)).settled


def test_a_run_that_was_only_asked_for_is_no_run_when_the_coder_is_done():
    state = after(
        ready(asked("0001-edit", "run_1"), replied("0001-edit")),
        e.CoderCompleted(call="0001-edit", run="run_1", head=HEAD),
    )
    assert "run_1" not in state.runs
    assert state.completed


def test_a_failed_run_goes_back_to_the_coder_and_an_environment_holds():
    state = ready(
        asked("0001-edit", "run_1"),
        replied("0001-edit"),
        committed("0001-edit", "run_1"),
        launched("run_1"),
        ended("run_1"),
    )
    back = after(state, failed("run_1"))
    assert (back.runs["run_1"].status, back.runs["run_1"].turns_since, back.held) == ("open", 0, "")
    held = after(state, failed("run_1", blame="environment", feedback="", evidence="no torch"))
    assert (held.runs["run_1"].status, held.held) == ("ready", "no torch")
    assert after(held, opened()).held == ""


@pytest.mark.parametrize(
    "ending",
    [
        accepted("run_1"),
        failed("run_1", blame="stopped", feedback=""),
        failed("run_1"),
        e.RunClosed(run="run_1", reason="x", head=HEAD),
    ],
)
def test_a_wish_to_end_the_run_ends_with_the_run(ending):
    state = ready(
        asked("0001-edit", "run_1"),
        replied("0001-edit"),
        committed("0001-edit", "run_1"),
        launched("run_1"),
        ended("run_1"),
    )
    state = after(state, e.HumanStopped(slip="1", what="run"))
    assert state.stopping == "run"
    assert after(state, ending).stopping == ""


def test_a_wish_to_end_the_study_outlives_a_run_but_not_the_session():
    state = ready(*good_run(1)[:5], e.HumanStopped(slip="1", what="study"))
    assert after(state, accepted("run_1")).stopping == "study"
    assert after(state, opened()).stopping == ""


def test_calls_are_numbered_through_whatever_they_are_for():
    state = ready(*good_run(1))
    assert next_call(state, "notes") == "0002-notes"
    assert next_call(after(state, asked("0002-notes", "run_1", action="notes")), "edit") == "0003-edit"


def test_states_are_comparable_and_steps_differ():
    states = [fold(STORY[:n]) for n in range(len(STORY))]
    assert all(a != b for a, b in pairwise(states))
