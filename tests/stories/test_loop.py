"""Whole studies with scripted coders: what is bounded, refused, told, kept and counted."""

import json
import shutil

import pytest

from agent.cli import main
from agent.core.after_runs import NOTES_TURNS
from agent.core.policy import COMPLETIONS_REFUSED
from agent.llm.replay import ReplayModel
from tests.stories import world
from tests.stories.world import Script, block, edits, new_file, notes, rate

ONE = edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")}


class Always(Script):
    """Gives the same reply to everything."""

    def __init__(self, reply):
        super().__init__({})
        self.reply = reply

    def complete(self, prompt, pulse):
        self.replies = {(prompt.action, prompt.run, prompt.turn): self.reply}
        return super().complete(prompt, pulse)


@pytest.mark.parametrize(
    "reply",
    ["", "I think we should wait.", rate(9, 1), "Only a plot.\n" + block('labels = {"run_0": "baseline"}', "labels = {}", "plot.py"),
     block("import os", "import os", "experiment.py"), new_file("harness/world.py", "cheat = 1"), new_file("../outside.py", "x = 1"), "BASE: run_7"],
)  # fmt: skip
def test_a_coder_that_never_changes_the_experiment_costs_a_bounded_number_of_calls_and_no_run(tmp_path, reply):
    root, settings = world.start(tmp_path, max_runs=10)
    model = Always(reply)
    stop = world.go(root, model, settings)
    assert stop.exit_code == 1 and "no run gave a usable result" in stop.why
    assert len(model.asked) <= 2 * settings.turns_per_attempt
    assert not [e for e in world.events_of(root) if e.type == "run.launched" and e.run not in ("run_0", "run_0_zero")]
    assert not (tmp_path / "results" / "outside.py").exists()


def test_a_coder_whose_runs_always_fail_is_told_each_time_and_the_runs_are_closed_with_their_reason(tmp_path):
    class Breaks(Script):
        def complete(self, prompt, pulse):
            line = next(x for x in dict(prompt.files)["experiment.py"].splitlines() if x.startswith("import os"))
            self.replies = {
                (prompt.action, prompt.run, prompt.turn): f"Break it, try {len(self.asked)}.\n"
                + block(line, f"import os; eval('missing_{len(self.asked)}')")
            }
            return super().complete(prompt, pulse)

    root, settings = world.start(tmp_path, max_runs=2, attempts_per_run=2)
    model = Breaks({})
    stop = world.go(root, model, settings)
    assert stop.exit_code == 1
    assert len(model.asked) == 4
    text = (root / "notes.txt").read_text()
    assert "## run_2" in text and text.count("Closed without a result: failed 2 times, last: NameError") == 2
    assert "import os\n" in (root / "experiment.py").read_text()  # back at the last good code


def test_all_completed_before_any_result_is_refused_once_with_a_reason(tmp_path):
    root, settings = world.start(tmp_path)
    model = Always("ALL_COMPLETED")
    assert world.go(root, model, settings).exit_code == 1
    assert len(model.asked) == COMPLETIONS_REFUSED + 1
    assert "ALL_COMPLETED came before any run gave a result" in model.prompts[1].request


def test_all_completed_inside_a_block_or_beside_code_is_not_the_end(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(
        edits(rate(0.05, 0.02) + "\nALL_COMPLETED\n")
        | {("notes", "run_1", 1): new_file("notes/run_1.txt", "ALL_COMPLETED")}
    )
    assert (
        world.go(root, model, settings).why == "the limit of 1 run is reached"
        or world.state_of(root).ended == "max_runs"
    )


def test_a_run_that_failed_is_not_dropped_when_the_coder_ends_the_study(tmp_path):
    script = edits(
        rate(0.05, 0.02),
        [
            "Break.\n" + block("    fits = {}", "    fits = eval('missing')") + notes("run_1"),
            "I give up.\nALL_COMPLETED",
        ],
    )
    root, settings = world.start(tmp_path)
    assert world.go(root, Script(script), settings).exit_code == 0
    run = world.state_of(root).runs["run_2"]
    assert run.status == "closed" and run.closed.startswith("given up by the coder after 1 failed attempt: NameError")
    assert "## run_2: Break." in (root / "notes.txt").read_text()
    assert "missing" not in (root / "experiment.py").read_text()


def test_the_last_runs_results_reach_the_notes_even_if_the_coder_writes_none(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", turn): "no" for turn in (1, 2)})
    assert world.go(root, model, settings).exit_code == 0
    assert len(model.asked) == 1 + NOTES_TURNS
    mean = world.state_of(root).runs["run_1"].metrics["fit.test_mse"]["mean"]
    assert f"{mean:.5f}" in (root / "notes.txt").read_text()


def test_a_request_for_notes_changes_nothing_but_notes(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(
        edits(rate(0.05, 0.02))
        | {("notes", "run_1", 1): rate(0.02, 0.01) + notes("run_1"), ("notes", "run_1", 2): notes("run_1")}
    )
    assert world.go(root, model, settings).exit_code == 0
    assert '"learning_rate": 0.02' in (root / "experiment.py").read_text()


def test_more_runs_can_be_asked_for_after_the_end_and_are_recorded_as_a_deviation(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(ONE | {("edit", "run_2", 1): rate(0.02, 0.01), ("notes", "run_2", 1): notes("run_2")})
    assert world.go(root, model, settings).exit_code == 0
    assert world.go(root, model).exit_code == 0 and len(model.asked) == 2  # nothing to do without a new limit
    assert world.go(root, model, reopen=True, max_runs=2).exit_code == 0
    state = world.state_of(root)
    assert [r.name for r in state.good] == ["run_1", "run_2"]
    assert [(d.what, d.planned, d.now) for d in state.deviations] == [("max_runs", 1, 2)]


def test_max_time_keeps_a_fifth_for_writing_and_resume_with_more_goes_on(tmp_path):
    class Clock:
        at = 1_800_000_000.0

        def __call__(self):
            return self.at

    clock = Clock()
    root, settings = world.start(tmp_path, max_runs=3, max_time=1000, now=clock)
    model = Script(
        ONE
        | {
            ("edit", "run_2", 1): rate(0.02, 0.01),
            ("edit", "run_3", 1): "Done.\nALL_COMPLETED",
            ("notes", "run_2", 1): notes("run_2"),
        }
    )
    model.before_reply = lambda prompt: setattr(
        clock, "at", clock.at + (801 if prompt.action == "edit" and prompt.run == "run_1" else 1)
    )
    stop = world.go(root, model, settings, now=clock)
    assert stop.exit_code == 3 and "time limit" in stop.why
    assert model.asked == [("edit", "run_1", 1)]
    clock.at += 86_400  # the night between does not count
    assert world.go(root, model, now=clock, reopen=True, max_time=2000).exit_code == 0
    assert world.state_of(root).ended == "completed"


def test_a_job_beyond_the_time_limit_of_the_study_is_stopped_and_kept_for_later(tmp_path):
    slow = {
        "experiment__py": lambda text: text.replace(
            "    fits = {}",
            "    import os, time; time.sleep(30 if os.path.exists('.study/slow') else 0)\n    fits = {}",
        )
    }
    root, settings = world.start(
        tmp_path,
        folder=world.template(tmp_path / "toy", **slow),
        max_runs=1,
        max_time=4,
        executor="local",
        sandbox="none",
    )
    model = Script(ONE, before_reply=lambda prompt: (root / ".study/slow").touch())
    stop = world.go(root, model, settings)
    assert stop.exit_code == 3
    (root / ".study/slow").unlink()
    assert world.go(root, model, reopen=True, max_time=60).exit_code == 0
    assert [a.blame for a in world.state_of(root).runs["run_1"].attempts] == ["interrupted", ""]


def test_a_run_that_touches_frozen_files_is_refused_named_and_undone(tmp_path):
    cheat = "Cheat.\n" + block("    fits = {}", "    open('harness/world.py', 'a').write('# cheat')\n    fits = {}")
    mend = (
        "Play fair.\n"
        + block("    open('harness/world.py', 'a').write('# cheat')\n    fits = {}", "    fits = {}")
        + rate(0.05, 0.02)
    )
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(edits([cheat, mend]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    attempt = world.state_of(root).runs["run_1"].attempts[0]
    assert (attempt.blame, attempt.evidence) == ("sealed", "the run changed frozen files: harness/world.py")
    assert "# cheat" not in (root / "harness/world.py").read_text()


def test_a_run_that_edits_the_results_of_another_run_is_refused(tmp_path):
    cheat = "Cheat.\n" + block("    fits = {}", "    open('run_0/final_info.json', 'w').write('{}')\n    fits = {}")
    root, settings = world.start(tmp_path, max_runs=1, attempts_per_run=1)
    assert world.go(root, Script(edits(cheat)), settings).exit_code == 1
    assert world.state_of(root).runs["run_1"].attempts[0].blame == "sealed"
    assert json.loads((root / "run_0/final_info.json").read_text())["fit"]


def test_files_left_outside_the_run_folder_are_moved_away_and_told(tmp_path):
    litter = (
        "Litter.\n" + block("    fits = {}", "    open('cache.txt', 'w').write('x')\n    fits = {}") + rate(0.05, 0.02)
    )
    root, settings = world.start(tmp_path, max_runs=1)
    assert world.go(root, Script(edits(litter) | {("notes", "run_1", 1): notes("run_1")}), settings).exit_code == 0
    assert not (root / "cache.txt").exists()
    assert (root / ".study/attempts/run_1-try-1/strays/cache.txt").read_text() == "x"
    assert "cache.txt" in world.state_of(root).runs["run_1"].warnings[0]


BAD_RESULTS = {
    "means NaN": (
        "json.dump({'fit': {'means': {'test_mse': float('nan')}}}, f)",
        "fit.means.test_mse: nan is not a finite number",
    ),
    "metric missing": (
        "json.dump({'fit': {'means': {'test_mse': 1.0}}}, f)",
        "fit.slope_error: the baseline has this metric",
    ),
    "no JSON": ("f.write('{')", "no valid JSON"),
    "text": ("json.dump({'fit': {'means': {'test_mse': 'low'}}}, f)", "is not a number"),
}


@pytest.mark.parametrize("kind", BAD_RESULTS)
def test_results_that_are_no_results_go_back_to_the_coder_by_their_path(tmp_path, kind):
    code, said = BAD_RESULTS[kind]
    after = f"    world.report(out_dir, fits, config)\n    import json\n    with open(out_dir + '/final_info.json', 'w') as f:\n        {code}"
    script = edits(
        [
            "Bad.\n" + block("    world.report(out_dir, fits, config)", after),
            "Mend.\n" + block(after, "    world.report(out_dir, fits, config)") + rate(0.05, 0.02),
        ]
    )
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(script | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert world.state_of(root).runs["run_1"].attempts[0].blame == "contract"
    assert said in model.prompts[1].request


def test_a_time_out_is_told_with_the_limit(tmp_path):
    toy = world.template(tmp_path / "toy", template__toml=lambda text: text.replace('"20s"', '"1s"'))
    slow = "Sleep.\n" + block("    fits = {}", "    import time; time.sleep(60)\n    fits = {}")
    root, settings = world.start(tmp_path, folder=toy, max_runs=1, attempts_per_run=1, executor="local")
    model = Script(edits(slow))
    assert world.go(root, model, settings).exit_code == 1
    attempt = world.state_of(root).runs["run_1"].attempts[0]
    assert (attempt.blame, attempt.evidence) == ("resource", "did not end within 1.0 s and was killed")


def test_a_baseline_that_fails_stops_the_study_before_anything_is_asked(tmp_path):
    toy = world.template(tmp_path / "toy", harness__world__py=None) if False else world.template(tmp_path / "toy")
    (toy / "harness/world.py").write_text("raise RuntimeError('the data are gone')\n")
    root, settings = world.start(tmp_path, folder=toy)
    model = Script({})
    stop = world.go(root, model, settings)
    assert stop.exit_code == 2 and "the data are gone" in stop.why and "stderr.log" in stop.why
    assert model.asked == []


def test_baselines_are_measured_once_per_template_and_machine(tmp_path):
    first, settings = world.start(tmp_path, max_runs=1)
    world.go(first, Script(ONE), settings)
    second, settings = world.start(tmp_path, max_runs=1)
    world.go(second, Script(ONE), settings)
    runs = world.state_of(second).runs
    assert runs["run_0"].source == f"measured in study {first.name}" and not runs["run_0"].attempts
    assert runs["run_0"].metrics == world.state_of(first).runs["run_0"].metrics
    changed = world.template(tmp_path / "toy", harness__world__py=None) if False else world.template(tmp_path / "toy")
    (changed / "harness/world.py").write_text((changed / "harness/world.py").read_text() + "\n# another world\n")
    third, settings = world.start(tmp_path, folder=changed, max_runs=1)
    world.go(third, Script(ONE), settings)
    assert world.state_of(third).runs["run_0"].attempts


def test_evaluate_runs_after_the_experiment_and_its_results_count(tmp_path):
    toy = world.template(
        tmp_path / "toy",
        template__toml=lambda t: t.replace(
            "editable =", 'evaluate = "python -m harness.evaluate --out_dir={out_dir}"\neditable ='
        ),
    )
    (toy / "harness/evaluate.py").write_text(
        "import json, sys\nout = sys.argv[1].split('=')[1]\n"
        "json.dump({'fit': {'means': {'test_mse': 0.5, 'slope_error': 0.1}}, 'training': {'means': {'seconds': 0.1}}}, open(out + '/final_info.json', 'w'))\n"
    )
    root, settings = world.start(tmp_path, folder=toy, max_runs=1)
    assert world.go(root, Script(ONE), settings).exit_code == 0
    run = world.state_of(root).runs["run_1"]
    assert run.metrics["fit.test_mse"]["mean"] == 0.5
    assert "run_1/final_info.json was written before the evaluation and was removed" in run.warnings


def test_a_recording_of_a_study_plays_the_same_study(tmp_path):
    record = tmp_path / "session.jsonl"
    script = edits(
        ["nothing", rate(0.05, 0.02)],
        [
            "Break.\n" + block("    fits = {}", "    fits = eval('missing')"),
            "Mend.\n" + block("    fits = eval('missing')", "    fits = {}") + rate(0.02, 0.01) + notes("run_1"),
        ],
    )
    script |= {("notes", "run_2", 1): notes("run_2")}
    first, settings = world.start(tmp_path, max_runs=2, record=str(record))
    world.go(first, Script(script), settings)
    steps = [json.loads(line) for line in record.read_text().splitlines()]
    assert [(s["step"], s["action"], s["run"], s["turn"]) for s in steps][-1] == (5, "notes", "run_2", 1)
    shutil.rmtree(tmp_path / "results" / ".cache")
    second, settings = world.start(tmp_path, max_runs=2)
    world.go(second, ReplayModel(record), settings)
    assert world.outcome_of(second) == world.outcome_of(first)


def test_a_base_run_brings_its_code_back_and_keeps_notes_and_results(tmp_path):
    script = edits(
        rate(0.05, 0.02),
        rate(0.02, 0.01) + notes("run_1"),
        "BASE: run_1\nStart again from the first.\n" + rate(0.02, 0.03) + notes("run_2"),
    )
    root, settings = world.start(tmp_path, max_runs=3)
    model = Script(script | {("notes", "run_3", 1): notes("run_3")})
    assert world.go(root, model, settings).exit_code == 0
    runs = world.state_of(root).runs
    assert [runs[f"run_{n}"].parent for n in (1, 2, 3)] == ["run_0", "run_1", "run_1"]
    assert '"learning_rate": 0.03' in (root / "experiment.py").read_text()
    assert {p.name for p in (root / "notes").iterdir()} == {"run_1.txt", "run_2.txt", "run_3.txt"}


def test_a_change_that_leads_back_to_a_known_result_is_refused_before_it_is_run(tmp_path):
    script = edits(rate(0.05, 0.02), [rate(0.02, 0.05), rate(0.02, 0.03) + notes("run_1")])
    root, settings = world.start(tmp_path, max_runs=2)
    model = Script(script | {("notes", "run_2", 1): notes("run_2")})
    assert world.go(root, model, settings).exit_code == 0
    assert "the one of run_0" in model.prompts[2].request


def test_a_file_that_would_not_compile_is_refused_before_it_is_run(tmp_path):
    script = edits([rate(0.05, "0.02,,"), rate(0.05, 0.02)])
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(script | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert "experiment.py would not compile" in model.prompts[1].request


def test_a_template_of_the_classic_layout_works_with_the_results_it_ships(tmp_path):
    toy = world.template(tmp_path / "classic")
    (toy / "template.toml").unlink()
    (toy / "prompt.json").write_text(json.dumps({"system": "You are a researcher.", "task_description": "Fit a line."}))
    (toy / "run_0").mkdir()
    (toy / "run_0/final_info.json").write_text(json.dumps({"fit": {"means": {"test_mse": 0.5, "slope_error": 0.1}}}))
    root, settings = world.start(tmp_path, folder=toy, idea={"Name": "x", "Title": "X", "Experiment": "x"}, max_runs=1)
    assert world.go(root, Script(ONE), settings).exit_code == 0
    runs = world.state_of(root).runs
    assert runs["run_0"].source == "shipped with the template, not measured on this machine"
    assert runs["run_1"].status == "good"


def test_without_a_model_the_recording_that_ships_with_the_idea_is_played_and_said_in_the_first_line(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)  # results/ is a relative path, as most people leave it
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    code = main(["run", str(world.TOY / "ideas/iterate_averaging.json"), "-t", str(world.TOY / "template")])
    said = capsys.readouterr().out
    assert code == 0
    assert said.startswith("No model was chosen: this plays the recorded session")
    assert "The coder has nothing more to try." in said and "3 good, 0 failed" in said
    (root,) = (tmp_path / "results").glob("2*")
    assert main(["show", "last"]) == 0 and main(["diff", "last", "3"]) == 0
    shown = capsys.readouterr().out
    assert "run_2 → run_3" in shown and "+    return mean_slope, mean_offset" in shown and "baseline sgd" in shown
    assert (root / "run_1/command.sh").read_text().startswith("#!/bin/sh")


def test_blocks_in_a_models_thoughts_are_drafts_and_not_applied(tmp_path):
    reply = "<think>\nPerhaps:\n" + rate(0.05, 9) + "</think>\nTake a small step.\n" + rate(0.05, 0.02)
    root, settings = world.start(tmp_path, max_runs=1)
    assert world.go(root, Script(edits(reply) | {("notes", "run_1", 1): notes("run_1")}), settings).exit_code == 0
    assert '"learning_rate": 0.02' in (root / "experiment.py").read_text()
    assert world.state_of(root).runs["run_1"].summary == "Take a small step."


def test_a_recording_that_is_there_already_is_not_replaced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.jsonl").write_text("{}\n")
    idea = str(world.TOY / "ideas/iterate_averaging.json")
    code = main(["run", idea, "-t", str(world.TOY / "template"), "--record", "old.jsonl"])
    assert code == 2 and "old.jsonl exists already" in capsys.readouterr().err
    assert (tmp_path / "old.jsonl").read_text() == "{}\n" and not (tmp_path / "results").exists()


def test_a_primary_metric_that_the_template_does_not_measure_is_refused_before_anything_is_run(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    fields = json.loads((world.TOY / "ideas/iterate_averaging.json").read_text())
    (tmp_path / "idea.json").write_text(json.dumps({**fields, "Primary": "fit.test_rmse"}))
    code = main(["run", "idea.json", "-t", str(world.TOY / "template"), "-m", "manual:prompts"])
    said = capsys.readouterr().err
    assert code == 2 and '"fit.test_rmse"' in said and 'did you mean "fit.test_mse"' in said
    assert not (tmp_path / "results").exists()


def test_a_run_keeps_the_goal_of_its_first_change_whatever_its_repairs_are_called(tmp_path):
    script = edits(
        [
            "Weight the points by distance.\n" + rate(0.05, 0.02) + block("no such line", "x"),
            "Again.\n" + block("    fits = {}", "    fits = eval('missing')"),
            "Mend a name.\n" + block("    fits = eval('missing')", "    fits = {}"),
        ]
    )
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(script | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert world.state_of(root).runs["run_1"].summary == "Weight the points by distance."
    assert "Its goal: Weight the points by distance." in model.prompts[2].request
