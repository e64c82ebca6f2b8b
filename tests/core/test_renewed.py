"""The state follows the results files where they say something else than the journal."""

import json
from dataclasses import replace

from agent.core.measures import Measure, pooled
from agent.core.renewed import as_on_file, files_of
from agent.core.result import parse_result
from tests.core.facts import study


def results(**changed):
    return {path: source.result for path, source in study.sources(changed).items()}


def more(values):
    family = {"means": {"kl_nats": sum(values) / 2}, "values": {"kl_nats": values}, "seeds": [8, 9]}
    return parse_result(json.dumps({"core": family}))


def replicated(state, found):
    """run_1 with two more seeds, as the journal has it."""
    run = state.runs["run_1"]
    first = {name: Measure.from_json(data) for name, data in run.metrics.items()}
    metrics = {name: measure.to_json() for name, measure in pooled(first, found.measures).items()}
    return replace(state, runs={**state.runs, "run_1": replace(run, metrics=metrics, replicated=1)})


def test_files_that_say_what_was_journaled_leave_the_state_as_it_is():
    state = study.state()
    assert as_on_file(state, study.template(), results()) == (state, ())


def test_more_seeds_are_pooled_from_their_file():
    found = more([0.250, 0.252])
    state = replicated(study.state(), found)
    assert state.runs["run_1"].metrics["core.kl_nats"]["n"] == 5
    files = {**results(), "run_1/more_1/final_info.json": found}
    assert as_on_file(state, study.template(), files)[1] == ()
    now, changed = as_on_file(state, study.template(), {**files, "run_1/more_1/final_info.json": more([0.250, 0.262])})
    assert changed == ("run_1/final_info.json", "run_1/more_1/final_info.json")
    before, after = (one.runs["run_1"].metrics["core.kl_nats"]["mean"] for one in (state, now))
    assert abs(after - before - 0.002) < 1e-12


def test_what_no_file_holds_stays_as_it_was_journaled():
    state = study.state()
    run = state.runs["run_1"]
    probes = {**run.metrics, "probes.stability": {"mean": 0.5, "stderr": None, "n": 1}}
    state = replace(state, runs={**state.runs, "run_1": replace(run, metrics=probes)})
    assert as_on_file(state, study.template(), results()) == (state, ())
    without = {path: result for path, result in results().items() if not path.startswith("run_1/")}
    assert as_on_file(state, study.template(), without) == (state, ())


def test_a_changed_baseline_changes_the_verdicts_of_all_its_runs():
    family = json.loads(study.texts()["run_0"])
    core = family["core"]
    core["values"]["kl_nats"] = [0.3501, 0.3502, 0.3503]
    core["means"]["kl_nats"] = 0.3502
    core["stderrs"]["kl_nats"] = 0.0001 / 3**0.5
    now, changed = as_on_file(study.state(), study.template(), results(run_0=json.dumps(family)))
    assert changed == ("run_0/final_info.json",)
    assert now.runs["run_7"].comparison["verdict"] == "unconfirmed"
    assert now.runs["run_2"].comparison["verdict"] == "better"  # its fresh baseline is another file
    assert now.runs["run_2"].screened["differences"][0]["reference"]["mean"] == 0.3502


def test_the_files_of_a_run_are_named_in_order():
    state = study.state()
    assert files_of(state.runs["run_2"]) == ["run_2/final_info.json", "run_2/confirm/final_info.json"]
    assert files_of(replace(state.runs["run_1"], replicated=2))[1:] == [
        "run_1/more_1/final_info.json",
        "run_1/more_2/final_info.json",
    ]
