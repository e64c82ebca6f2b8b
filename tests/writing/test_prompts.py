"""What a writer is told of a study: all of it where there is room, and what gives way says so."""

import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as e
from agent.core.paper import DRAFTED, STEPS
from agent.writing import prompts
from tests.writing.studies import measures, study

STEP = (measures(0.055), None, 65536)
ROOM = prompts._LONGEST_NOTES


def noted(count, length):
    return {f"notes/run_{number}.txt": f"Run {number}. " + "x" * length + " END" for number in range(1, count + 1)}


def test_notes_stand_run_by_run_the_tenth_after_the_ninth():
    told = prompts.notes(noted(11, 100))
    assert re.findall(r"^notes/run_(\d+)\.txt:$", told, re.MULTILINE) == [str(n) for n in range(1, 12)]
    assert told.count(" END") == 11 and "cut" not in told


def test_of_notes_that_are_too_long_each_run_keeps_its_beginning_and_short_ones_stay_whole():
    told = prompts.notes({**noted(10, 3000), "notes/run_4.txt": "Run 4. It failed. END"})
    assert all(f"Run {number}. " in told for number in range(1, 11))
    assert told.count("(cut here)") == 9 and "Run 4. It failed. END" in told
    assert 0.95 * ROOM < len(told) < ROOM + 10 * 40


@given(st.lists(st.integers(0, 6000), min_size=1, max_size=30))
def test_notes_are_cut_only_where_there_is_no_room_and_the_room_is_used(lengths):
    told = prompts.notes({f"notes/run_{n}.txt": "x" * length for n, length in enumerate(lengths, 1)})
    kept = told.count("x") - told.count(".txt")
    assert kept == sum(lengths) if sum(lengths) <= ROOM else ROOM - len(lengths) <= kept <= ROOM


def test_each_metric_is_named_once_beside_its_role_with_what_makes_it_better():
    state, template = study(STEP)
    told = prompts.metrics(state, template)
    for name in state.reference.metrics:
        assert len(re.findall(rf"\b{re.escape(name)}\b", told)) == 1
    rows = dict(line.removeprefix("- ").split(": ", 1) for line in told.splitlines())
    assert rows["primary"].startswith("core.kl_nats (KL with SAE (nats per token), better down); ")
    assert rows["cost"] == "training.seconds (Training time (s), better down)"
    assert "better" not in rows["constraint"]


def test_of_very_many_metrics_it_is_said_how_many_are_not_listed():
    state, template = study(STEP)
    run = state.runs["run_1"]
    many = {f"core.more_{n:03d}": run.metrics["core.l0"] for n in range(70)}
    told = prompts.metrics(
        replace(state, runs={**state.runs, "run_1": replace(run, metrics={**run.metrics, **many})}), template
    )
    assert told.endswith(f"- and {70 + len(run.metrics) - 60} more, in the results files")


def test_a_figure_of_plot_py_says_which_runs_it_shows():
    state, _ = study(STEP, STEP)
    shown = {"figures/all.png": e.Shown(runs=tuple(state.runs)), "figures/two.png": e.Shown(runs=("run_0", "run_2"))}
    told = prompts.figures(replace(state, figures=shown), {})
    assert told.splitlines() == [
        "- figures/all: made by plot.py from all runs",
        "- figures/two: made by plot.py from run_0, run_2",
    ]


def test_a_long_caption_ends_with_a_whole_sentence():
    state, _ = study(STEP)
    caption = "It shows runs. " + "All of them are here. " * 30
    told = prompts.figures(replace(state, figures={"figures/default_runs.pdf": e.Shown()}), {"default_runs": caption})
    assert told.endswith("All of them are here.") and len(told) < 430


def test_a_run_is_told_with_its_verdict_after_one_full_stop():
    state, template = study(STEP, "failed")
    told = prompts.runs(state, template).splitlines()
    assert told[-2].startswith("- run_1: Try it. Verdict: ")
    assert told[-1] == "- run_2: Try it. Failed, no result: ValueError: shapes do not match"
    ended = replace(state, runs={"run_1": replace(state.runs["run_1"], summary="Try it.")})
    assert prompts.runs(ended, template) == told[-2]


def test_notes_are_for_drafts_of_what_was_done_and_for_the_results_and_not_for_other_peoples_work():
    needing = [(step.action, step.part) for step in STEPS if prompts.needs_notes(step.action, step.part)]
    assert {part for action, part in needing if action in ("draft", "refine")} == {*DRAFTED} - {"background"}
    assert [part for action, part in needing if action == "revise"] == ["results"]
    assert not any(part == "related" for _, part in needing)
    assert not prompts.needs_notes("mend", "results")
