"""What a run is worth, in whole studies: fresh seeds, no effect, other protocols, results that are not its own."""

import json
import re

import pytest

from agent.cli import main
from tests.stories import world
from tests.stories.world import Script, block, edits, notes, rate

REPORT = "    world.report(out_dir, fits, config)"


def slow(tmp_path):
    """The toy, with a baseline that learns too slowly, so that others are surely better."""
    if not (tmp_path / "toy").exists():
        world.template(
            tmp_path / "toy",
            experiment__py=lambda text: text.replace('"learning_rate": 0.05', '"learning_rate": 0.0005'),
        )
    return tmp_path / "toy"


def study(tmp_path, *replies, name="results", **settings):
    """A study whose coder gives these replies, and the notes of the last run."""
    last = f"run_{len(replies)}"
    explained = "\n".join(notes(f"run_{n}") for n in range(1, len(replies) + 1))
    model = Script(edits(*replies) | {("notes", last, 1): explained})
    root, chosen = world.start(
        tmp_path, results=tmp_path / name, folder=slow(tmp_path), **{"max_runs": len(replies), **settings}
    )
    stop = world.go(root, model, chosen)
    return root, model, stop


def told_of(root, run):
    return world.state_of(root).runs[run].comparison


def jobs(root):
    return [(e.run, e.purpose, e.seeds) for e in world.events_of(root) if e.type == "run.launched"]


def report_of(change):
    """The results file, changed after the harness has written it."""
    lines = [REPORT, "    import json", '    path = out_dir + "/final_info.json"', "    told = json.load(open(path))",
             *[f"    {line}" for line in change.splitlines()], '    json.dump(told, open(path, "w"))']  # fmt: skip
    return block(REPORT, "\n".join(lines))


def test_a_run_that_is_better_is_confirmed_on_fresh_seeds_of_both_sides_and_the_baseline_is_measured_once(tmp_path):
    root, model, stop = study(tmp_path, rate(0.0005, 0.02), rate(0.02, 0.01))
    assert stop.exit_code == 0
    fresh = (5, 6, 7, 8, 9)
    assert jobs(root)[2:] == [
        ("run_1", "run", (0, 1, 2)), ("run_0", "confirm", fresh), ("run_1", "confirm", fresh),
        ("run_2", "run", (0, 1, 2)), ("run_2", "confirm", fresh),
    ]  # fmt: skip
    for run in ("run_1", "run_2"):
        found = told_of(root, run)
        assert (found["verdict"], found["stage"], found["seeds"]) == ("better", "confirmed", list(fresh))
        assert json.loads((root / run / "confirm" / "final_info.json").read_text())["fit"]["seeds"] == list(fresh)
    assert (root / "run_0" / "confirm" / "final_info.json").exists()
    assert "run_1: better." in model.prompts[1].request
    assert "better" in (root / "notes.txt").read_text() and "better" in (root / "README.md").read_text()


def test_the_baselines_fresh_seeds_are_taken_from_the_cache_by_the_next_study(tmp_path):
    study(tmp_path, rate(0.0005, 0.02))
    root, _, _ = study(tmp_path, rate(0.0005, 0.01))
    assert [job for job in jobs(root) if job[0] == "run_0"] == []
    assert told_of(root, "run_1")["stage"] == "confirmed"


def test_the_code_that_is_confirmed_is_the_runs_own_whatever_the_files_are_now(tmp_path):
    """run_0's fresh seeds are measured when the study's files are run_1's already: they must be the baseline's code."""
    root, _, _ = study(tmp_path, rate(0.0005, 0.02))
    alone, _ = world.start(tmp_path, results=tmp_path / "alone", folder=slow(tmp_path), baseline_seeds=10, max_runs=0)
    world.go(alone, Script({}))
    expected = json.loads((alone / "run_0" / "final_info.json").read_text())["fit"]["values"]["test_mse"][5:]
    assert (
        json.loads((root / "run_0" / "confirm" / "final_info.json").read_text())["fit"]["values"]["test_mse"]
        == expected
    )


def test_a_change_without_effect_is_said_to_the_coder_in_notes_in_the_report_and_in_show(tmp_path, capsys):
    root, model, _ = study(
        tmp_path, block("    fits = {}", "    fits = {}\n    if False:\n        fits = None"), rate(0.0005, 0.02)
    )
    assert told_of(root, "run_1")["verdict"] == "no effect"
    assert "warning: the results of run_1 are those of run_0 to the bit" in model.prompts[1].request
    said = "all results are those of run_0 to the bit"
    assert main(["show", str(root)]) == 0
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    for text in ((root / "notes.txt").read_text(), (root / "README.md").read_text(), shown):
        assert text.count(said) == text.count("to the bit") == 1 and "warning" not in text.lower()
    assert [job for job in jobs(root) if job[1] == "confirm" and job[0] == "run_1"] == []


def test_a_run_that_reports_another_runs_results_is_named(tmp_path):
    copy = "    import json, pathlib\n    told = json.loads(pathlib.Path('run_1/final_info.json').read_text())\n    told['training']['means']['seconds'] = 1.0\n    pathlib.Path(out_dir, 'final_info.json').write_text(json.dumps(told))"
    root, _, _ = study(tmp_path, rate(0.0005, 0.02), "Copy.\n" + block(REPORT, REPORT + "\n" + copy))
    assert told_of(root, "run_2")["verdict"] == "no effect"
    assert any("are those of run_1 to the bit" in w for w in world.state_of(root).runs["run_2"].warnings)


@pytest.mark.parametrize(
    ("what", "change", "said"),
    [
        ("fewer points to be judged by", 'told["fit"]["protocol"]["eval"]["points"] = 100', "points"),
        ("more data to train on", 'told["fit"]["protocol"]["train"]["points"] = 400', "points"),
        ("no protocol", 'del told["fit"]["protocol"]', "protocol"),
        ("another protocol", 'told["fit"]["protocol"]["eval"]["loss"] = "huber"', "loss"),
    ],
)
def test_another_protocol_is_not_comparable_and_never_confirmed(tmp_path, what, change, said):
    root, model, _ = study(tmp_path, rate(0.0005, 0.02) + report_of(change), rate(0.02, 0.01))
    found = told_of(root, "run_1")
    assert found["verdict"] == "not comparable" and said in found["why"]
    assert ("run_1", "confirm", (5, 6, 7, 8, 9)) not in jobs(root)
    assert "not comparable" in model.prompts[1].request
    assert "not comparable" in (root / "README.md").read_text()


@pytest.mark.parametrize(
    ("what", "change", "said"),
    [
        ("a mean that its values do not have", 'told["fit"]["means"]["test_mse"] /= 2', "test_mse"),
        ("a standard error that is too small", 'told["fit"]["stderrs"]["test_mse"] /= 3', "test_mse"),
        ("other seeds", 'told["fit"]["seeds"] = [7, 8, 9]', "seeds 7, 8, 9; the run was given 0, 1, 2"),
        ("seeds left out", 'told["fit"] = {"means": {k: v[0] for k, v in told["fit"]["values"].items()}, "n": 1, "seeds": [0]}', "the run was given 0, 1, 2"),
        ("no such metric any more", 'del told["fit"]["means"]["slope_error"], told["fit"]["values"]["slope_error"], told["fit"]["stderrs"]["slope_error"]', "slope_error"),
    ],
)  # fmt: skip
def test_results_that_do_not_fit_themselves_or_what_was_asked_are_a_failure_with_its_path(tmp_path, what, change, said):
    root, settings = world.start(tmp_path, folder=slow(tmp_path), max_runs=1, attempts_per_run=1)
    world.go(root, Script(edits(rate(0.0005, 0.02) + report_of(change))), settings)
    (failure,) = [e for e in world.events_of(root) if e.type == "run.failed"]
    assert failure.blame == "contract" and said in failure.feedback


def test_more_seeds_that_the_coder_asks_for_are_pooled_and_make_no_run(tmp_path):
    more = "REPLICATE: run_1 seeds=4"
    root, model, stop = study(tmp_path, rate(0.0005, 0.00049), [more, rate(0.00049, 0.02)])
    assert stop.exit_code == 0
    run = world.state_of(root).runs["run_1"]
    (job,) = [job for job in jobs(root) if job[1] == "replicate"]
    assert job == ("run_1", "replicate", (10, 11, 12, 13))
    assert run.metrics["fit.test_mse"]["seeds"] == [0, 1, 2, 10, 11, 12, 13] and run.metrics["fit.test_mse"]["n"] == 7
    assert "More seeds of run_1 were asked for." in model.prompts[2].request
    assert run.comparison["seeds"] == [0, 1, 2, 10, 11, 12, 13]
    assert (root / "run_1" / "more_1" / "final_info.json").exists()


def test_more_seeds_of_what_was_confirmed_are_refused(tmp_path):
    root, model, _ = study(
        tmp_path, rate(0.0005, 0.02), ["REPLICATE: run_1", "REPLICATE: run_7 seeds=2", rate(0.02, 0.01)]
    )
    assert "its verdict stands" in model.prompts[2].request
    assert "run_7 is no run with a result" in model.prompts[3].request
    assert [job for job in jobs(root) if job[1] == "replicate"] == []


def test_the_coders_plan_is_frozen_before_the_first_run_as_it_was_said(tmp_path):
    first = "Lower the rate.\n\n1. A rate of 0.02.\n2. Then fewer epochs.\n\n" + rate(0.0005, 0.02, "")
    root, _, _ = study(tmp_path, first, rate(0.02, 0.01))
    kinds = [e.type for e in world.events_of(root)]
    assert kinds.index("plan.stated") < kinds.index("run.launched", kinds.index("plan.frozen"))
    plan = world.state_of(root).plan
    assert "1. A rate of 0.02.\n2. Then fewer epochs." in plan["planned"] and "<<<" not in plan["planned"]
    assert kinds.count("plan.stated") == 1


def test_a_classic_template_of_one_seed_has_no_verdict_better_and_says_why(tmp_path):
    classic = tmp_path / "line"
    world.template(classic)
    for name in ("template.toml",):
        (classic / name).unlink()
    (classic / "prompt.json").write_text(json.dumps({"system": "You are.", "task_description": "Fit a line."}))
    experiment = (classic / "experiment.py").read_text()
    flat = experiment.replace(
        REPORT,
        '    import json\n    os.makedirs(out_dir, exist_ok=True)\n    json.dump({"fit": {"means": {"slope": fits[0][0]}}}, open(out_dir + "/final_info.json", "w"))',
    )
    (classic / "experiment.py").write_text(
        flat.replace("from harness import world\n", "")
        .replace("world.seeds()", "[0]")
        .replace("world.training_points(seed)", "[(n / 10, 1.7 * n / 10) for n in range(20)]")
        .replace("            world.progress(step, steps, error * error)", "            pass")
    )
    root, settings = world.start(tmp_path, folder=classic, max_runs=1)
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1", "Seen.")})
    assert world.go(root, model, settings).exit_code == 0
    found = told_of(root, "run_1")
    assert found["verdict"] in ("unmeasured", "") and "standard error" in found["differences"][0]["why"] + found["why"]


def test_a_person_may_amend_the_plan_with_a_reason_and_all_runs_are_judged_anew(tmp_path, capsys):
    root, model, _ = study(tmp_path, rate(0.0005, 0.02), rate(0.02, 0.0006))
    assert told_of(root, "run_1")["verdict"] == "better"
    assert main(["amend", str(root), "min_effect=50", "--because", "smaller ones mean nothing here"]) == 0
    stop = world.go(root, model)
    assert stop.exit_code == 0
    assert (
        told_of(root, "run_1")["verdict"] == "within noise" and "less than min_effect" in told_of(root, "run_1")["why"]
    )
    state = world.state_of(root)
    assert state.plan["min_effect"] == 50 and state.deviations[-1].why == "smaller ones mean nothing here"
    assert "min_effect was 0.0, now 50.0 (smaller ones mean nothing here)" in (root / "README.md").read_text()


@pytest.mark.parametrize(
    ("change", "said"),
    [("min_effect=much", "is no difference"), ("primary=fit.test_mze", 'did you mean "fit.test_mse"?'), ("seeds=9", "cannot be amended"), ("min_effect", "KEY=VALUE")],
)  # fmt: skip
def test_an_amendment_that_cannot_be_is_refused_with_a_sentence(tmp_path, capsys, change, said):
    root, settings = world.start(tmp_path, max_runs=0)
    world.go(root, Script({}), settings)
    assert main(["amend", str(root), change, "--because", "so"]) == 2
    assert said in capsys.readouterr().err


def test_the_summary_says_what_was_tested_and_how_far_to_trust_it(tmp_path):
    root, _, _ = study(
        tmp_path, rate(0.0005, 0.02), block("    fits = {}", "    fits = {}\n    if False:\n        fits = None")
    )
    told = (root / "README.md").read_text()
    assert "1 better, 1 no effect (tested on fresh seeds: run_1; the others are exploratory)" in told
    assert "**Trust**: 1: sealed evaluation code" in told
