"""The rules one by one, and then a world that answers anything: every study ends, whatever the coder and the jobs do."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core import after_runs, again, ledger, paper
from agent.core import events as e
from agent.core.actions import (
    Aside,
    Ask,
    Await,
    Build,
    CloseRun,
    Compare,
    Conclude,
    Draw,
    FreezePlan,
    Judge,
    Launch,
    Prefetch,
    ReadReply,
    Settle,
    Stop,
)
from agent.core.after_runs import DRAWN_LOST, NOTES_TURNS
from agent.core.calls import KINDS, MOST_TRIES
from agent.core.fold import fold
from agent.core.policy import SIDES_LOST, decide
from agent.core.prefetch import KINDS as FETCH_KINDS
from agent.core.state import FRESH
from agent.core.triage import AGAIN, CODER, STOPPED
from tests.helpers import (
    HEAD,
    accepted,
    after,
    asked,
    committed,
    compared,
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

LOST_JOBS = again.KINDS["lost"].tries
PLAN = e.PlanFrozen(plan={"primary": "fit.mse", "max_runs": 10}, sha256="0")
START = (asked("0001-edit", "run_1"), replied("0001-edit"), committed("0001-edit", "run_1"))
START2 = (asked("0002-edit", "run_2"), replied("0002-edit"), committed("0002-edit", "run_2"))
JOB = (*START, launched("run_1"))


def completed(call, run, head=HEAD):
    return e.CoderCompleted(call=call, run=run, head=head)


# --- rule by rule ------------------------------------------------------------------------------------------------------


def test_baselines_come_first_one_by_one():
    state = fold(entries(created(("run_0", "run_0_zero")), opened()))
    assert decide(state, 0) == Launch("run_0", 1)
    state = after(state, launched("run_0"), ended("run_0"), accepted("run_0"))
    assert decide(state, 0) == Launch("run_0_zero", 1)


def test_data_comes_before_all_that_costs_and_only_once():
    state = fold(entries(created(prefetch="harness/data.py:fetch"), opened()))
    assert decide(state, 0) == Prefetch(1)
    assert decide(after(state, e.DataFetched(attempt=1, revisions={})), 0) == Launch("run_0", 1)
    assert decide(fold(entries(created(), opened())), 0) == Launch("run_0", 1)


def test_data_that_cannot_be_fetched_stops_the_session_and_the_next_one_tries_again():
    state = fold(entries(created(prefetch="harness/data.py:fetch"), opened()))
    state = after(state, e.DataFailed(attempt=1, kind="network", evidence="no route"))
    again = decide(state, 0)
    assert again.attempt == 2 and again.not_before > state.last
    state = after(state, e.DataFailed(attempt=2, kind="refused", evidence="401 (see log)"))
    stop = decide(state, 0)
    assert (stop.exit_code, "401 (see log)" in stop.why, "HF_TOKEN" in stop.hint) == (2, True, True)
    assert decide(after(state, opened()), 0) == Prefetch(3)


def test_when_the_time_is_over_nothing_is_fetched():
    state = fold(entries(created(prefetch="harness/data.py:fetch"), opened(max_time="10s")))
    assert decide(state, 10) == Conclude("time")


def test_the_plan_is_frozen_once_the_baselines_are_measured():
    state = fold(entries(created(), opened(), accepted("run_0", 0)))
    assert decide(state, 0) == FreezePlan()
    assert decide(after(state, PLAN), 0) == Ask("0001-edit", "edit", "run_1", 1)


def test_a_call_is_asked_then_read():
    state = ready(asked("0001-edit", "run_1"))
    assert decide(state, 0) == Ask("0001-edit", "edit", "run_1", 1)
    assert decide(after(state, replied("0001-edit")), 0) == ReadReply("0001-edit")


def test_an_edit_is_settled_launched_awaited_and_judged():
    state = ready(asked("0001-edit", "run_1"), replied("0001-edit"))
    state = after(
        state, e.EditCommitted(call="0001-edit", run="run_1", head="b" * 40, files=("experiment.py",), starts_run=True)
    )
    assert decide(state, 0) == Settle()
    state = after(state, e.WorkspaceSettled(head="b" * 40))
    assert decide(state, 0) == Launch("run_1", 1)
    state = after(state, launched("run_1"))
    assert decide(state, 0) == Await("run_1")
    assert decide(after(state, ended("run_1")), 0) == Judge("run_1")


def test_a_rejected_edit_is_asked_for_again_and_a_failed_attempt_too():
    assert decide(ready(*START[:2], rejected("0001-edit", "run_1")), 0) == Ask("0002-edit", "edit", "run_1", 2)
    assert decide(ready(*JOB, ended("run_1"), failed("run_1")), 0) == Ask("0002-edit", "edit", "run_1", 2)


def test_too_many_failures_close_the_run_with_the_last_reason():
    state = ready(*JOB, ended("run_1"), failed("run_1", evidence="ValueError: 7"), attempts_per_run=1)
    assert decide(state, 0) == CloseRun("run_1", "failed 1 time, last: ValueError: 7")


def test_too_many_replies_without_an_edit_close_the_run():
    state = ready(*START[:2], rejected("0001-edit", "run_1", "no block"), turns_per_attempt=1)
    assert decide(state, 0) == CloseRun("run_1", "no usable change in 1 reply: no block")


def test_two_runs_without_any_edit_end_the_study():
    state = ready()
    for n in (1, 2):
        name, call = f"run_{n}", f"{n:04d}-edit"
        state = after(
            state, asked(call, name), replied(call), rejected(call, name), e.RunClosed(run=name, reason="x", head=HEAD)
        )
    assert decide(state, 0) == Conclude("no_edits")
    over = after(state, e.StudyEnded(reason="no_edits", head=HEAD))
    assert decide(over, 0).exit_code == 1


def test_a_study_that_ended_without_edits_can_be_gone_on_with():
    state = ready()
    for n in (1, 2):
        name, call = f"run_{n}", f"{n:04d}-edit"
        state = after(
            state, asked(call, name), replied(call), rejected(call, name), e.RunClosed(run=name, reason="x", head=HEAD)
        )
    state = after(state, e.StudyEnded(reason="no_edits", head=HEAD), opened(reopen=True, max_runs=20))
    assert decide(state, 0) == Ask("0003-edit", "edit", "run_3", 1)


def test_the_last_run_is_the_last():
    state = ready(*good_run(1), max_runs=1)
    assert decide(state, 0) == Ask("0002-notes", "notes", "run_1", 1)
    state = after(state, asked("0002-notes", "run_1", action="notes"), replied("0002-notes"))
    state = after(state, committed("0002-notes", "run_1", False, ("notes/run_1.txt",)))
    assert decide(state, 0) == Conclude("max_runs")
    assert decide(after(state, e.StudyEnded(reason="max_runs", head=HEAD)), 0) == Stop(
        0, "the limit of 1 run is reached", "Go on with `resume --max-runs …`."
    )


def test_the_last_commit_reaches_the_tree_before_the_end_is_told():
    state = ready(e.StudyEnded(reason="max_runs", head="b" * 40))
    assert decide(state, 0) == Settle()
    assert isinstance(decide(after(state, e.WorkspaceSettled(head="b" * 40)), 0), Stop)


def test_no_runs_at_all_is_allowed_and_is_no_usable_run():
    state = ready(max_runs=0)
    assert decide(state, 0) == Conclude("max_runs")
    assert decide(after(state, e.StudyEnded(reason="max_runs", head=HEAD)), 0).exit_code == 1


def test_notes_are_asked_for_a_bounded_number_of_times():
    state = ready(*good_run(1), max_runs=1)
    for turn in range(1, NOTES_TURNS + 1):
        call = f"{turn + 1:04d}-notes"
        assert decide(state, 0) == Ask(call, "notes", "run_1", turn)
        state = after(state, asked(call, "run_1", turn, "notes"), replied(call), rejected(call, "run_1"))
    assert decide(state, 0) == Conclude("max_runs")


def test_a_completed_study_writes_its_notes_and_ends_well():
    state = ready(*good_run(1), asked("0002-edit", "run_2"), replied("0002-edit"), completed("0002-edit", "run_2"))
    assert decide(state, 0).action == "notes"
    done = after(state, e.StudyEnded(reason="completed", head=HEAD))
    assert decide(done, 0) == Stop(0, "the coder has nothing more to try", "")


def test_completing_in_the_middle_of_a_run_closes_it_first():
    state = ready(
        *JOB,
        ended("run_1"),
        failed("run_1"),
        asked("0002-edit", "run_1", 2),
        replied("0002-edit"),
        completed("0002-edit", "run_1"),
    )
    assert decide(state, 0) == CloseRun("run_1", "given up by the coder after 1 failed attempt: ValueError")


def test_after_going_on_with_a_completed_study_no_turn_is_asked_twice():
    state = ready(*good_run(1), asked("0002-edit", "run_2"), replied("0002-edit"), completed("0002-edit", "run_2"))
    state = after(state, e.StudyEnded(reason="completed", head=HEAD), opened(reopen=True, max_runs=12))
    assert decide(state, 0) == Ask("0003-edit", "edit", "run_2", 2)


def test_most_of_the_time_is_for_runs_and_the_rest_for_notes():
    state = ready(*good_run(1), max_time="100s")
    assert decide(state, 79).action == "edit"
    assert decide(state, 80) == Ask("0002-notes", "notes", "run_1", 1)
    assert decide(state, 100) == Conclude("time")
    assert decide(after(state, e.StudyEnded(reason="time", head=HEAD)), 100) == Stop(
        3, "the time limit of 1 m 40 s is reached", "Go on with `resume --max-time …` and a higher limit."
    )


def test_when_the_time_is_over_a_baseline_is_not_started_again():
    state = fold(entries(created(), opened(max_time="10s"), launched("run_0"), ended("run_0", ending="stopped")))
    state = after(state, failed("run_0", blame="interrupted", feedback=""))
    assert decide(state, 5) == Launch("run_0", 2)
    assert decide(state, 10) == Conclude("time")


def test_a_lost_job_is_the_same_job_again_a_few_times_a_session():
    state = ready(*START)
    for n in range(1, LOST_JOBS + 1):
        assert decide(state, 0) == Launch("run_1", n)
        state = after(
            state, launched("run_1", n), ended("run_1", n, "lost"), failed("run_1", n, "lost", "", "node gone")
        )
    stop = decide(state, 0)
    assert (stop.exit_code, "node gone" in stop.why) == (4, True)
    assert decide(after(state, opened()), 0) == Launch("run_1", LOST_JOBS + 1)


def fail(state, run, number, kind, evidence="it failed"):
    """The job that is started next fails, for nobody's fault."""
    return after(state, launched(run, number), ended(run, number), failed(run, number, kind, "", evidence))


def test_a_job_that_the_network_failed_is_started_again_later_and_later_and_no_model_is_asked():
    state, tries = ready(*START, job_wait="30s"), again.KINDS["transient"].tries
    waits = []
    for n in range(1, tries + 1):
        action = decide(state, 0)
        assert (action.run, action.attempt) == ("run_1", n)
        waits.append(action.not_before - state.last if n > 1 else 0.0)
        state = fail(state, "run_1", n, "transient", "ReadTimeout")
    assert waits[0] == 0.0 and 30 <= waits[1] <= 38 and 60 <= waits[2] <= 75
    assert max(waits) <= 1.25 * again.LONGEST_WAIT and sum(waits) > 3600
    stop = decide(state, 0)
    assert (stop.exit_code, stop.why) == (
        4,
        f"run_1 failed for the network or the hub {tries} times in a row: ReadTimeout",
    )
    assert len(state.calls) == 1
    assert decide(after(state, opened()), 0) == Launch("run_1", tries + 1)


def test_a_row_of_such_failures_ends_with_the_first_other_one():
    state = ready(*START)
    for n in range(1, 6):
        state = fail(state, "run_1", n, "transient")
    state = after(state, launched("run_1", 6), ended("run_1", 6), failed("run_1", 6))
    state = after(state, asked("0002-edit", "run_1", 2), replied("0002-edit"), committed("0002-edit", "run_1"))
    assert decide(state, 0) == Launch("run_1", 7)


def test_what_nobody_can_explain_is_tried_once_more_and_is_then_the_users():
    state = fail(ready(*START), "run_1", 1, "unknown", "it said nothing")
    assert decide(state, 0) == Launch("run_1", 2)
    stop = decide(fail(state, "run_1", 2, "unknown", "it said nothing"), 0)
    assert (stop.exit_code, "nobody can say why 2 times in a row: it said nothing" in stop.why) == (4, True)


def test_every_kind_that_is_tried_again_has_a_row():
    assert set(AGAIN) == set(again.KINDS)


def test_a_smoke_run_comes_before_the_run_and_once_for_each_change():
    state = ready(smoke=True)
    state = after(state, *START)
    assert decide(state, 0) == Launch("run_1", 1, "smoke")
    state = after(state, launched("run_1", 1, "smoke"), ended("run_1"), e.SmokePassed(run="run_1", attempt=1))
    assert decide(state, 0) == Launch("run_1", 2, "run")
    state = fail(state, "run_1", 2, "lost")
    assert decide(state, 0) == Launch("run_1", 3, "run")  # it has passed, and the code is the same
    state = after(state, launched("run_1", 3), ended("run_1", 3), failed("run_1", 3))
    state = after(state, asked("0002-edit", "run_1", 2), replied("0002-edit"))
    changed = e.EditCommitted(call="0002-edit", run="run_1", head="b" * 40, files=("experiment.py",), starts_run=True)
    state = after(state, changed, e.WorkspaceSettled(head="b" * 40))
    assert decide(state, 0) == Launch("run_1", 4, "smoke")


def test_plots_and_probes_that_changed_are_run_before_the_next_is_asked_for_and_after_a_run_that_waits():
    plot = committed("0001-edit", "run_1", False, ("plot.py",))
    state = after(ready(), asked("0001-edit", "run_1"), replied("0001-edit"), plot)
    assert decide(state, 0) == Aside("plot", 1)
    drawn = e.FiguresDrawn(attempt=1, head=HEAD, files=())
    assert decide(after(state, drawn), 0).action == "edit"
    both = committed("0001-edit", "run_1", True, ("experiment.py", "plot.py"))
    state = after(ready(), asked("0001-edit", "run_1"), replied("0001-edit"), both)
    assert decide(state, 0) == Launch("run_1", 1)
    state = after(state, launched("run_1"), ended("run_1"), accepted("run_1"), compared("run_1"))
    assert decide(state, 0) == Aside("plot", 1)


def test_plots_that_are_lost_again_and_again_are_done_without():
    plot = committed("0001-edit", "run_1", False, ("plot.py",))
    state = after(ready(), asked("0001-edit", "run_1"), replied("0001-edit"), plot)
    for number in range(1, SIDES_LOST + 1):
        assert decide(state, 0) == Aside("plot", number)
        state = after(state, e.SideFailed(what="plot", attempt=number, evidence="killed"))
    assert decide(state, 0).action == "edit"


def drawn(what="default", files=("figures/default_runs.png",), head=HEAD, **more):
    return e.FiguresDrawn(what=what, attempt=1, head=head, files=files, **more)


def test_default_figures_are_drawn_once_when_the_experiments_are_over_and_before_the_notes():
    state = ready(*good_run(1), default_figures=True, max_runs=2)
    assert decide(state, 0) == Ask("0002-edit", "edit", "run_2", 1)  # not yet
    state = after(state, *good_run(2))
    assert decide(state, 0) == Draw(1)
    state = after(state, drawn())
    assert decide(state, 0) == Ask("0003-notes", "notes", "run_2", 1)


def test_default_figures_are_drawn_anew_when_results_have_changed_since():
    state = after(ready(*good_run(1), default_figures=True, max_runs=1), drawn())
    assert decide(state, 0).action == "notes"
    closed = e.RunClosed(run="run_2", reason="it failed", head=HEAD)
    state = after(
        state,
        opened(True, max_runs=2, default_figures=True),
        *START2,
        launched("run_2"),
        ended("run_2"),
        failed("run_2"),
        closed,
    )
    assert decide(state, 0) == Draw(2)  # a failed run has its place in them


def test_a_study_that_measures_nothing_but_baselines_draws_nothing():
    assert decide(ready(default_figures=True, max_runs=0), 0) == Conclude("max_runs")


def test_figures_that_cannot_be_drawn_stop_nothing_and_the_next_session_tries_again():
    lost = e.SideFailed(what="default", attempt=1, evidence="killed")
    state = ready(*good_run(1), default_figures=True, max_runs=1)
    for number in range(1, DRAWN_LOST + 1):
        assert decide(state, 0) == Draw(number)
        state = after(state, lost)
    assert decide(state, 0).action == "notes"
    assert decide(after(state, opened(max_runs=1, default_figures=True)), 0) == Draw(DRAWN_LOST + 1)


def test_figures_that_are_lost_do_not_count_against_plots():
    lost = e.SideFailed(what="default", attempt=1, evidence="killed")
    plot = committed("0001-edit", "run_1", False, ("plot.py",))
    state = after(ready(), *[lost] * SIDES_LOST, asked("0001-edit", "run_1"), replied("0001-edit"), plot)
    assert decide(state, 0) == Aside("plot", SIDES_LOST + 1)


def test_out_of_time_nothing_is_drawn_any_more():
    state = ready(*good_run(1), default_figures=True, max_runs=1, max_time="100s")
    assert decide(state, 99) == Draw(1)
    assert decide(state, 101) == Conclude("time")


def test_plots_are_drawn_again_when_a_run_in_their_labels_has_new_results():
    state = after(ready(*good_run(1)), drawn("plot", ("figures/a.png",), labels=("run_0", "run_1")))
    assert "plot" not in after(state, *good_run(2)).due
    confirmed = (*more("run_0", 1), *more("run_1", 2), compared("run_1", "better", "confirmed"))
    assert decide(after(state, *confirmed), 0) == Aside("plot", 2)
    of_all = after(state, drawn("plot", ("figures/a.png",), labels=None))
    assert decide(after(of_all, *good_run(2)), 0) == Aside("plot", 3)


def test_plots_and_default_figures_do_not_replace_each_other():
    of = {"figures/a.png": e.Shown(runs=("run_1",))}
    state = after(ready(*good_run(1)), drawn("plot", ("figures/a.png",), shows=of), drawn())
    assert state.figures == {**of, "figures/default_runs.png": e.Shown()}
    assert list(after(state, drawn("plot", ())).figures) == ["figures/default_runs.png"]
    assert after(state, drawn(files=())).figures == of


def more(run, attempt, purpose="confirm"):
    """A job that measures more seeds of a run ends well."""
    metrics = {"fit.mse": {"mean": 1.0, "stderr": 0.1, "n": 5}}
    return (launched(run, attempt, purpose), ended(run, attempt),
            e.SeedsMeasured(run=run, attempt=attempt, head=HEAD, metrics=metrics))  # fmt: skip


def test_a_run_is_compared_before_anything_else_is_asked():
    state = after(ready(*JOB), ended("run_1"), accepted("run_1"))
    assert decide(state, 0) == Compare("run_1", "screen")
    assert decide(after(state, compared("run_1")), 0).action == "edit"


def test_what_looks_better_is_measured_anew_with_its_baseline_once_a_study_and_then_judged():
    state = after(ready(*JOB), ended("run_1"), accepted("run_1"), compared("run_1", "unconfirmed"))
    assert decide(state, 0) == Launch("run_0", 1, "confirm")
    state = after(state, *more("run_0", 1))
    assert decide(state, 0) == Launch("run_1", 2, "confirm")
    state = after(state, *more("run_1", 2))
    assert decide(state, 0) == Compare("run_1", "confirmed")
    state = after(state, compared("run_1", "better", "confirmed"))
    assert decide(state, 0).action == "edit" and state.runs["run_1"].status == "good"
    again_better = (
        asked("0002-edit", "run_2"),
        replied("0002-edit"),
        committed("0002-edit", "run_2"),
        launched("run_2"),
    )
    state = after(state, *again_better, ended("run_2"), accepted("run_2"), compared("run_2", "unconfirmed"))
    assert decide(state, 0) == Launch("run_2", 2, "confirm")


def test_a_confirmation_that_fails_leaves_the_run_unconfirmed_and_the_coder_is_not_asked_to_mend_it():
    state = after(ready(*JOB), ended("run_1"), accepted("run_1"), compared("run_1", "unconfirmed"), *more("run_0", 1))
    state = after(
        state, launched("run_1", 2, "confirm"), ended("run_1", 2), failed("run_1", 2, "code", "", "ValueError")
    )
    assert decide(state, 0) == Ask("0002-edit", "edit", "run_2", 1)
    assert (state.runs["run_1"].status, state.runs["run_1"].unconfirmable) == ("good", "ValueError")


def test_a_confirmation_that_the_network_failed_is_tried_again():
    state = after(ready(*JOB), ended("run_1"), accepted("run_1"), compared("run_1", "unconfirmed"))
    state = after(state, launched("run_0", 1, "confirm"), ended("run_0"), failed("run_0", 1, "transient", ""))
    action = decide(state, 0)
    assert (action.run, action.attempt, action.purpose) == ("run_0", 2, "confirm")
    assert action.not_before > state.last


def test_in_the_time_for_writing_nothing_is_confirmed_any_more():
    state = after(ready(*JOB, max_time="100s"), ended("run_1"), accepted("run_1"), compared("run_1", "unconfirmed"))
    assert decide(state, 79) == Launch("run_0", 1, "confirm")
    assert decide(state, 81) == Ask("0002-notes", "notes", "run_1", 1)


def test_more_seeds_that_the_coder_asks_for_are_no_new_run_and_are_compared_again():
    asks = e.CoderReplicated(call="0002-edit", run="run_2", of="run_1", seeds=4)
    state = ready(*good_run(1), asked("0002-edit", "run_2"), replied("0002-edit"), asks)
    assert decide(state, 0) == Launch("run_1", 2, "replicate")
    state = after(state, *more("run_1", 2, "replicate"))
    assert decide(state, 0) == Compare("run_1", "screen")
    state = after(state, compared("run_1"))
    assert decide(state, 0) == Ask("0003-edit", "edit", "run_2", 2)
    assert len(state.tried) == 2


def test_a_failed_smoke_run_is_the_coders_and_counts_as_an_attempt():
    state = after(ready(smoke=True, attempts_per_run=2), *START, launched("run_1", 1, "smoke"), ended("run_1"))
    state = after(state, failed("run_1"))
    assert decide(state, 0) == Ask("0002-edit", "edit", "run_1", 2)
    assert state.runs["run_1"].blamed("code") == 1


def test_what_the_coder_asks_of_a_person_is_kept_once():
    asks = e.CoderRequested(call="0001-edit", run="run_1", text="more memory, please")
    state = ready(asked("0001-edit", "run_1"), replied("0001-edit"), asks, asks, rejected("0001-edit", "run_1"))
    assert state.requests == (asks,)
    assert decide(state, 0).action == "edit"


def test_jobs_that_somebody_else_ends_are_not_started_for_ever():
    state = ready(*START)
    for n in range(1, LOST_JOBS + 1):
        assert decide(state, 0) == Launch("run_1", n)
        state = after(state, launched("run_1", n), ended("run_1", n, "stopped"), failed("run_1", n, "interrupted", ""))
    assert decide(state, 0).exit_code == 4


def test_what_the_template_lacks_stops_the_session_for_the_user():
    state = ready(*JOB, ended("run_1"), failed("run_1", blame="environment", feedback="", evidence="no module torch"))
    assert decide(state, 0) == Stop(2, "no module torch", "Mend it, then `resume`: the study goes on where it stopped.")
    assert decide(after(state, opened()), 0) == Launch("run_1", 2)


def test_a_persons_edit_stops_everything():
    stop = decide(ready(*JOB, e.HumanEdited(files=("experiment.py",), saved=HEAD)), 0)
    assert (stop.exit_code, stop.why) == (5, "changed by hand: experiment.py; your version is kept")


def test_a_person_can_end_the_study_after_its_job():
    stop = e.HumanStopped(slip="1", what="study")
    assert decide(ready(stop), 0) == Conclude("stopped")
    assert decide(ready(*JOB, stop), 0) == Await("run_1")
    assert decide(
        ready(*JOB, stop, ended("run_1", ending="stopped"), failed("run_1", blame="interrupted", feedback="")), 0
    ) == Conclude("stopped")


def test_a_person_can_end_a_run_and_the_study_goes_on():
    stop = e.HumanStopped(slip="1", what="run")
    state = ready(*JOB, stop, ended("run_1", ending="stopped"), failed("run_1", blame=STOPPED, feedback=""))
    assert decide(state, 0) == CloseRun("run_1", "stopped by a person")
    state = after(state, e.RunClosed(run="run_1", reason="stopped by a person", head=HEAD))
    assert decide(state, 0) == Ask("0002-edit", "edit", "run_2", 1)


def test_a_person_can_end_a_run_that_has_no_job_yet():
    stop = e.HumanStopped(slip="1", what="run")
    assert decide(ready(*START, stop), 0) == CloseRun("run_1", "stopped by a person")
    assert decide(ready(*JOB, ended("run_1"), failed("run_1"), stop), 0) == CloseRun("run_1", "stopped by a person")


def test_a_wish_that_comes_between_runs_falls_on_none():
    state = ready(*good_run(1), e.HumanStopped(slip="1", what="run"))
    assert decide(state, 0) == Ask("0002-edit", "edit", "run_2", 1)
    assert (
        decide(after(state, asked("0002-edit", "run_2"), replied("0002-edit"), committed("0002-edit", "run_2")), 0).run
        == "run_2"
    )
    assert state.interventions[-1][1] == "stopped the run"


def test_a_stopped_baseline_is_told_and_not_closed():
    state = fold(
        entries(
            created(),
            opened(),
            launched("run_0"),
            e.HumanStopped(slip="1", what="run"),
            ended("run_0", ending="stopped"),
        )
    )
    state = after(state, failed("run_0", blame=STOPPED, feedback="", evidence="stopped"))
    assert decide(state, 0).exit_code == 2


def test_the_decision_is_a_function_of_state_and_time():
    state = ready(*JOB)
    assert decide(state, 1.0) == decide(replace(state), 1.0)


# --- a world that answers anything -------------------------------------------------------------------------------------


class World:
    """Carries out actions by folding the events that a step could yield; `dice` chooses among them."""

    def __init__(self, dice, speed, people=False, troubles=False, **limits):
        self.people, self.troubles = people, troubles
        smoke = dice[0] % 2 == 0
        parts = ("title", "abstract", "results") if dice[0] % 3 == 0 else ()
        first = created(("run_0", "run_0_zero"), "harness/data.py:fetch", smoke, parts, plots=dice[0] % 2 == 1)
        self.state = fold(entries(first, opened(**{"default_figures": True, **limits})))
        self.dice, self.thrown, self.speed, self.elapsed = dice, 0, speed, 0.0

    def choose(self, *choices):
        self.thrown += 1
        return choices[self.dice[self.thrown % len(self.dice)] % len(choices)]

    def live(self, longest):
        for count in range(longest):
            action = decide(self.state, self.elapsed)
            if isinstance(action, Stop):
                return action, count
            for event in getattr(self, type(action).__name__.lower())(action):
                self.state = after(self.state, event)
            self.elapsed += self.speed
        raise AssertionError(f"no end after {longest} actions; the last was {action}")

    def settle(self, action):
        yield e.WorkspaceSettled(head=self.state.head)

    def prefetch(self, action):
        kind = self.choose(*["fetched"] * 20, *FETCH_KINDS)
        if kind == "fetched":
            yield e.DataFetched(attempt=action.attempt, revisions={})
        else:
            yield e.DataFailed(attempt=action.attempt, kind=kind, evidence="it failed")

    def launch(self, action):
        yield launched(action.run, action.attempt, action.purpose, self.state.head)

    def aside(self, action):
        what = self.choose("done", "failed", "lost")
        if what == "done":
            files = self.choose((), ("figures/a.png",), ("figures/a.png", "figures/b.png"))
            yield e.FiguresDrawn(attempt=action.attempt, head="9" * 40, files=files)
        else:
            yield e.SideFailed(
                what=action.what, attempt=action.attempt, evidence="x", feedback=what if what == "failed" else ""
            )

    def draw(self, action):
        if self.choose("drawn", "drawn", "lost") == "lost":
            yield e.SideFailed(what="default", attempt=action.attempt, evidence="killed")
        else:
            yield e.FiguresDrawn(what="default", attempt=action.attempt, head=self.choose(HEAD, "7" * 40), files=())

    def restoreplot(self, action):
        assert self.state.plot_broken
        yield e.PlotRestored(head=self.choose(HEAD, "5" * 40), replies=3, evidence="x")

    def _await(self, action):
        yield ended(action.run, self.state.runs[action.run].attempt.number)

    def judge(self, action):
        run = self.state.runs[action.run]
        number, limit = run.attempt.number, self.state.settings.max_time
        kind = self.choose("good", *CODER, *AGAIN, STOPPED, "environment")
        if limit is not None and self.elapsed >= limit:
            kind = "interrupted"  # the study itself stops its job
        if kind == "good" and run.attempt.purpose in FRESH:
            yield e.SeedsMeasured(run=action.run, attempt=number, head="8" * 40, metrics={"fit.mse": {"mean": 1.0}})
        elif kind == "good" and run.attempt.purpose == "smoke":
            yield e.SmokePassed(run=action.run, attempt=number)
        elif kind == "good":
            yield accepted(action.run, number, head=f"{number:040d}")
        else:
            told = kind in CODER and not run.baseline and run.attempt.purpose not in FRESH
            yield failed(action.run, number, kind, "mend it" if told else "")

    def compare(self, action):
        verdict = self.choose("unconfirmed", "within noise", "worse") if action.stage == "screen" else "better"
        yield compared(action.run, verdict, action.stage)

    def freezeplan(self, action):
        yield PLAN

    def ask(self, action):
        if not ledger.fits(self.state, action.phase, WORST):
            yield e.BudgetReached(call=action.call, phase=action.phase, needed=WORST, left=0.0)
            return
        if action.call not in self.state.calls:
            yield asked(action.call, action.run, action.turn, action.action)
        what = self.choose(*[""] * 10, "run", "study") if self.people else ""
        yield e.CallSent(call=action.call, model="m", usage={"completion_tokens": 100}, cost=WORST)
        if what:  # while the reply is awaited
            yield e.HumanStopped(slip=f"{self.thrown}", what=what)
        kind = self.choose(*["reply"] * 20, "killed", *KINDS) if self.troubles else "reply"
        if kind in KINDS:
            yield e.CallFailed(call=action.call, kind=kind, evidence="it failed", billed=KINDS[kind].billed)
        elif kind == "reply" and not self.state.stopping:
            yield e.CallReplied(call=action.call, model="m", reply_sha256="0", cost=WORST / self.choose(1, 2, 9))

    def build(self, action):
        faults = self.choose({}, {"results": ("line 1: a table sticks out",), "abstract": ("line 2: what is \\x",)})
        yield e.PaperBuilt(attempt=action.attempt, head="7" * 40, faults=faults)

    def readreply(self, action):
        call = self.state.calls[action.call]
        if call.action in paper.ACTIONS:
            written = self.choose(True, True, False)
            told = {"call": call.name, "action": call.action, "part": call.run}
            yield e.PartWritten(**told, head="6" * 40) if written else e.PartRejected(**told, problems=("no",))
            return
        if call.action == "notes":
            files = self.choose((), (f"notes/{call.run}.txt",), ("notes/run_1.txt",), ("notes/other.txt",))
            yield committed(call.name, call.run, False, files) if files else rejected(call.name, call.run)
            return
        if call.action in after_runs.TURNS:
            files = self.choose((), ("plot.py",) if call.action == "plot" else ("notes/figures.txt",))
            if call.action == "plot" and not self.state.plot_broken and self.choose("", "", "as it is"):
                yield e.FiguresKept(call=call.name)
            else:
                yield committed(call.name, call.run, False, files) if files else rejected(call.name, call.run)
            return
        answer = self.choose("nonsense", "edit", "idle", "base", "done", "request", "replicate")
        good = [r.name for r in self.state.good if not r.confirmation and r.replicated < 2]
        if answer == "replicate" and good:
            yield e.CoderReplicated(call=call.name, run=call.run, of=good[0], seeds=3)
            return
        if answer == "request":
            yield e.CoderRequested(call=call.name, run=call.run, text="more memory")
        if answer in ("nonsense", "request", "replicate"):
            yield rejected(call.name, call.run)
        elif answer == "base":
            yield e.BaseChosen(call=call.name, run=call.run, base="run_0", head=self.choose(HEAD, "c" * 40))
        elif answer == "done" and (self.state.good or self.state.completions_refused):
            yield completed(call.name, call.run)
        elif answer == "done":
            yield e.CompletionRefused(call=call.name, run=call.run, reason="no run")
        else:
            files = self.choose(("experiment.py",), ("experiment.py", "plot.py"))
            yield e.EditCommitted(call=call.name, run=call.run, head="d" * 40, files=files, starts_run=answer == "edit")

    def closerun(self, action):
        yield e.RunClosed(run=action.run, reason=action.reason, head="e" * 40)

    def conclude(self, action):
        yield e.StudyEnded(reason=action.reason, head="f" * 40)


setattr(World, "await", World._await)  # the methods are named like the actions, but `await` is a word of Python

RUNS, ATTEMPTS, TURNS = 3, 2, 2
AGAIN_IN_A_ROW = max(kind.tries for kind in again.KINDS.values())
LONGEST_STUDY = 40 + 5 * RUNS * (ATTEMPTS + 1) * (AGAIN_IN_A_ROW * 4 + TURNS * 3 + 5) + RUNS * NOTES_TURNS * 3
LONGEST_STUDY += 2 * sum(after_runs.TURNS.values()) * (4 + SIDES_LOST)  # a person may end a run among them
LONGEST_STUDY += len(paper.STEPS) * paper.TURNS * 4 + len(paper.REVISED) * paper.MENDINGS * 5
WORST = 0.25  # dollars that a call may cost
DICE = st.lists(st.integers(0, 1000), min_size=1, max_size=60)


@given(DICE, st.sampled_from([0.0, 1.0, 7.0]), st.sampled_from([None, 5.0, 60.0]), st.booleans())
@settings(max_examples=300, deadline=None)
def test_whatever_happens_a_study_ends_within_a_bounded_number_of_actions(dice, speed, limit, people):
    world = World(
        dice, speed, people, max_runs=RUNS, attempts_per_run=ATTEMPTS, turns_per_attempt=TURNS, max_time=limit
    )
    stop, _ = world.live(LONGEST_STUDY)
    assert stop.exit_code in (0, 1, 2, 3, 4)
    assert stop.why
    assert len(world.state.tried) <= RUNS
    assert (stop.exit_code == 0) == (bool(world.state.good) and world.state.ended not in ("", "time"))


@given(DICE)
@settings(max_examples=50, deadline=None)
def test_a_study_that_is_gone_on_with_again_and_again_ends_each_time(dice):
    world = World(dice, 0.0, max_runs=RUNS, attempts_per_run=ATTEMPTS, turns_per_attempt=TURNS)
    for runs in (RUNS, RUNS + 2, RUNS + 4):
        world.live(2 * LONGEST_STUDY)
        world.state = after(
            world.state, opened(reopen=True, max_runs=runs, attempts_per_run=ATTEMPTS, turns_per_attempt=TURNS)
        )
    world.live(2 * LONGEST_STUDY)
    if world.state.good and world.state.ended:
        tried, ended = len(world.state.tried), world.state.ended
        steps = [(step.action, step.part) for step in paper.STEPS if step.part in ("results", "abstract")]
        world.state = after(world.state, opened(), e.HumanRewrote(steps=steps))
        world.live(2 * LONGEST_STUDY)
        assert (len(world.state.tried), world.state.ended, world.state.rewriting) == (tried, ended, "")
    asked_for = [(c.action, c.run, c.turn) for c in world.state.calls.values()]
    assert len(set(asked_for)) == len(asked_for)  # so a recording of it can be played


@given(DICE, st.sampled_from([None, 0.1, 0.3, 1.0, 3.0]))
@settings(max_examples=300, deadline=None)
def test_whatever_fails_the_calls_of_a_study_are_bounded_and_never_cost_more_than_the_limit(dice, limit):
    world = World(
        dice, 0.0, troubles=True, max_runs=RUNS, attempts_per_run=ATTEMPTS, turns_per_attempt=TURNS, max_cost=limit
    )
    for _ in range(4):
        stop, _ = world.live(LONGEST_STUDY * MOST_TRIES)
        assert stop.exit_code in (0, 1, 2, 3, 4)
        total = ledger.total(world.state.calls.values())
        assert limit is None or total.cost <= limit + 1e-9
        experiments = ledger.of_phase(world.state, "experiments").cost
        assert limit is None or experiments <= limit * (1 - ledger.WRITING_COST) + 1e-9
        assert all(len(c.tries) <= 4 * MOST_TRIES + 4 for c in world.state.calls.values())
        if stop.exit_code == 3:
            assert world.state.ended == "cost"
        world.state = after(
            world.state, opened(max_runs=RUNS, attempts_per_run=ATTEMPTS, turns_per_attempt=TURNS, max_cost=limit)
        )


def test_the_paper_is_written_step_by_step_each_a_bounded_number_of_times_and_then_built():
    state = ready(*good_run(1), parts=("title", "abstract"), max_runs=1)
    state = after(
        state,
        e.FiguresDrawn(what="default", attempt=1, head=HEAD, files=()),
        asked("0002-notes", "run_1", action="notes"),
    )
    state = after(state, replied("0002-notes"), committed("0002-notes", "run_1", False, ("notes/run_1.txt",)))
    seen = []
    while not isinstance(action := decide(state, 0), Build):
        seen.append((action.action, action.run, action.turn))
        refused = (action.action, action.run) == ("refine", "abstract")
        told = {"call": action.call, "action": action.action, "part": action.run}
        end = e.PartRejected(**told, problems=("no",)) if refused else e.PartWritten(**told, head=HEAD)
        state = after(state, asked(action.call, action.run, action.turn, action.action), replied(action.call), end)
    assert seen == [
        ("draft", "abstract", 1), *(("refine", "abstract", turn) for turn in range(1, paper.TURNS + 1)),
        ("revise", "title", 1), ("revise", "abstract", 1),
    ]  # fmt: skip
    assert decide(after(state, e.PaperBuilt(attempt=1, head=HEAD)), 0) == Conclude("max_runs")


def test_what_was_never_drafted_is_not_refined_and_without_good_runs_nothing_is_written():
    assert not isinstance(decide(ready(parts=("abstract",), max_runs=0), 0), Ask)
