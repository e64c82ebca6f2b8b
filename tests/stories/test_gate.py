"""Before and after a run, in whole studies: what costs no run, what costs no model call, and what the coder is told."""

import json

import pytest

from agent.cli import main
from tests.stories import world
from tests.stories.world import Script, block, edits, new_file, notes, rate

# Each is a reply that changes nothing that is measured: (what it does, the reply)
IDLE = [
    ("a comment", block('    "epochs": 3,', '    "epochs": 3,  # passes over the points')),
    ("comments everywhere", block("import os\n", "# the system\nimport os\n") + block("    fits = {}", "    # by seed\n    fits = {}")),
    ("the module's docstring", block('"""Fit a line to noisy points by stochastic gradient descent."""', '"""Better."""')),
    ("a function's docstring", block('    """Slope and offset after a few passes over the points."""\n', "")),
    ("a text instead of a comment", block("    fits = {}", '    "by seed"\n    fits = {}')),
    ("layout", block("    slope, offset = 0.0, 0.0", "    slope, offset = (\n        0.0,\n        0.0,\n    )")),
    ("quotes", block('    "learning_rate": 0.05,', "    'learning_rate': 0.05,")),
    ("another way to write a number", block('    "learning_rate": 0.05,', '    "learning_rate": 5e-2,')),
    ("blank lines", block("import os\n", "import os\n\n\n\n")),
    ("nothing", block("import os", "import os")),
    ("no block at all", "I would rather think about it first."),
    ("a plot", "Only a plot.\n" + block('labels = {"run_0": "baseline"}', "labels = {}", "plot.py")),
    ("notes", new_file("notes/run_0.txt", "The baseline is noisy.")),
    ("a comment, a plot and notes", block("    fits = {}", "    # by seed\n    fits = {}") + new_file("notes/run_0.txt", "So.")),
]  # fmt: skip
# These are run: only their results can show that they change nothing.
RUN = [
    ("a local name", block("        error = slope * x + offset - y\n        slope -= config[\"learning_rate\"] * error * x\n        offset -= config[\"learning_rate\"] * error\n",
                           "        miss = slope * x + offset - y\n        error = miss\n        slope -= config[\"learning_rate\"] * miss * x\n        offset -= config[\"learning_rate\"] * miss\n")),
    ("dead code", block("    fits = {}", "    fits = {}\n    if False:\n        fits = None")),
]  # fmt: skip


class Once(Script):
    """The idle reply first, then the same again: the files have changed, so a block may not fit any more."""

    def __init__(self, reply):
        super().__init__({})
        self.reply = reply

    def complete(self, prompt, pulse):
        self.replies = {(prompt.action, prompt.run, prompt.turn): self.reply}
        return super().complete(prompt, pulse)


def runs_started(root):
    return [e for e in world.events_of(root) if e.type == "run.launched" and not e.run.startswith("run_0")]


@pytest.mark.parametrize("reply", [reply for _, reply in IDLE], ids=[what for what, _ in IDLE])
def test_a_coder_that_changes_nothing_that_is_measured_costs_no_run_and_comes_to_an_end(tmp_path, reply):
    root, settings = world.start(tmp_path, max_runs=10)
    model = Once(reply)
    stop = world.go(root, model, settings)
    assert runs_started(root) == []
    assert len(model.asked) <= 2 * settings.turns_per_attempt
    assert (stop.exit_code, "no run gave a usable result" in stop.why) == (1, True)
    closed = [e for e in world.events_of(root) if e.type == "run.closed"]
    assert closed and all(event.reason for event in closed)


@pytest.mark.parametrize("reply", [reply for _, reply in RUN], ids=[what for what, _ in RUN])
def test_what_only_results_can_show_to_be_nothing_is_run_once(tmp_path, reply):
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(edits(reply) | {("notes", "run_1", 1): notes("run_1")})
    world.go(root, model, settings)
    assert len(runs_started(root)) == 1


def test_notes_beside_a_comment_are_kept_and_the_coder_hears_why_nothing_ran(tmp_path):
    first = block("    fits = {}", "    # by seed\n    fits = {}") + new_file(
        "notes/run_0.txt", "The baseline is noisy."
    )
    root, settings = world.start(tmp_path, max_runs=1)
    model = Script(edits([first, rate(0.05, 0.02)]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    said = "of experiment.py it changes only comments, docstrings or layout: the experiment is the same"
    assert said in model.prompts[1].request
    assert (root / "notes" / "run_0.txt").read_text().strip() == "The baseline is noisy."
    assert "# by seed" in (root / "experiment.py").read_text()


FLAKY = """
    import pathlib, urllib.error, socket
    tries = pathlib.Path(os.environ["HOME"]).resolve().parents[2] / "hub"
    left = int(tries.read_text()) if tries.exists() else 0
    if left:
        tries.write_text(str(left - 1))
        raise urllib.error.URLError(socket.timeout("The read operation timed out"))
"""


def test_ten_time_outs_of_a_hub_between_good_runs_cause_no_model_call_and_no_attempt_is_charged(tmp_path):
    toy = world.template(tmp_path / "toy", experiment__py=lambda text: text.replace("    fits = {}", "    from harness import hub\n    fits = {}"),
                         template__toml=lambda text: text.replace('timeout = "20s"', 'timeout = "20s"\nnetwork = "hub"'))  # fmt: skip
    (toy / "harness" / "hub.py").write_text("import os\nif True:" + FLAKY)
    settings = {"folder": toy, "max_runs": 3, "attempts_per_run": 1, "job_wait": 0.01, "sandbox": "none"}
    root, settings = world.start(tmp_path, **settings)
    outages = {"run_1": 4, "run_2": 3, "run_3": 3}

    def outage(prompt):
        if prompt.action == "edit":
            (root / ".study" / "hub").write_text(str(outages[prompt.run]))

    explained = "".join(notes(run) for run in outages)
    good = edits(rate(0.05, 0.02), rate(0.02, 0.01), rate(0.01, 0.03)) | {("notes", "run_3", 1): explained}
    model = Script(good, before_reply=outage)
    assert world.go(root, model, settings).exit_code == 0
    failures = [e for e in world.events_of(root) if e.type == "run.failed"]
    assert [f.blame for f in failures] == ["transient"] * 10
    assert len(model.asked) == 4 and world.state_of(root).good[-1].name == "run_3"
    assert all("timed out" not in prompt.request for prompt in model.prompts)
    told = json.loads((root / "run_3" / "final_info.json").read_text())
    assert told["fit"]["n"] == 3


SMOKE = 'timeout = "20s"\nsmoke = { env = { TOY_SMOKE = "1" }, timeout = "20s" }'


def smoking(tmp_path, **more):
    toy = world.template(tmp_path / "toy", template__toml=lambda text: text.replace('timeout = "20s"', SMOKE))
    return world.start(tmp_path, folder=toy, **more)


def test_a_smoke_run_finds_what_breaks_before_the_run_is_started(tmp_path):
    root, settings = smoking(tmp_path, max_runs=1)
    broken, mended = rate(0.05, "[0.02][1]"), rate("[0.02][1]", 0.02)
    model = Script(edits([broken, mended]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    started = [(e.purpose, len(e.seeds)) for e in runs_started(root)]
    assert started == [("smoke", 2), ("smoke", 2), ("run", 3)]
    assert "What happened: in the smoke run, IndexError: list index out of range" in model.prompts[1].request
    assert "attempt 1 of 4" in model.prompts[1].request


def test_a_smoke_run_is_smaller_and_leaves_the_run_nothing(tmp_path):
    root, settings = smoking(tmp_path, max_runs=1)
    sized = block(
        "    fits = {}",
        '    print("smoke", os.environ.get("TOY_SMOKE"), os.listdir(out_dir) if os.path.isdir(out_dir) else [])\n    fits = {}\n    open(os.path.join(out_dir, "left.txt"), "w").close()',
    )
    model = Script(edits(sized) | {("notes", "run_1", 1): notes("run_1")})
    world.go(root, model, settings)
    attempts = root / ".study" / "attempts"
    assert (attempts / "run_1-try-1" / "stdout.log").read_text().startswith("smoke 1 []")
    assert (attempts / "run_1-try-2" / "stdout.log").read_text().startswith("smoke None []")
    assert (attempts / "run_1-try-1" / "out" / "left.txt").exists()


def test_what_the_coder_asks_of_a_person_is_shown_and_the_study_goes_on(tmp_path, capsys):
    root, settings = world.start(tmp_path, max_runs=1)
    asks = "REQUEST: please allow 32 GB of memory\n\n" + rate(0.05, 0.02)
    model = Script(edits(["**REQUEST: install einops**", asks]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert "your request is written down for the person" in model.prompts[1].request
    assert main(["show", str(root), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [r["text"] for r in told["requests"]] == ["install einops", "please allow 32 GB of memory"]
    assert main(["show", str(root)]) == 0
    assert "The coder asks" in capsys.readouterr().out
    assert told["runs"][-1]["summary"] == "Change the learning rate."


def test_from_the_second_failure_on_the_coder_reads_what_it_tried_before(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1, attempts_per_run=3)
    one = "Divide by nothing.\n\n" + block("    fits = {}", "    fits = {}\n    1 / 0")
    two = "Look into an empty list.\n\n" + block("    1 / 0", "    [][0]")
    three = "Leave it.\n\n" + block("    [][0]\n", "") + rate(0.05, 0.02)
    model = Script(edits([one, two, three]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert "Tried before" not in model.prompts[1].request
    last = model.prompts[2].request
    assert "attempt 2 of 3" in last and "Its goal: Divide by nothing" in last
    assert "Attempt 1: Divide by nothing.. It failed with: ZeroDivisionError" in last.replace(
        "nothing. It", "nothing.. It"
    )


def test_a_run_that_diverges_is_ended_early_and_the_coder_hears_it(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1, executor="local")
    wild = "Diverge.\n\n" + block(
        "    fits = {}",
        '    import time\n    for n in range(4):\n        world.progress(n, 9, float("nan"))\n    time.sleep(15)\n    fits = {}',
    )
    calm = block(
        '        world.progress(n, 9, float("nan"))\n    time.sleep(15)', "        world.progress(n, 9, 1.0)"
    ) + rate(0.05, 0.02)
    model = Script(edits([wild, calm]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    (failure,) = [e for e in world.events_of(root) if e.type == "run.failed"]
    assert failure.blame == "numeric" and "loss is nan in 3 reports in a row" in failure.evidence
    assert "loss is nan" in model.prompts[1].request


PLOT = """
import json, pathlib
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
errors = [json.loads(path.read_text())["fit"]["means"]["test_mse"] for path in sorted(pathlib.Path().glob("run_*/final_info.json"))]
plt.bar(range(len(errors)), errors)
plt.savefig("errors.png")
"""
OLD_PLOT = (world.TOY / "template" / "plot.py").read_text().rstrip("\n")


@pytest.mark.slow
def test_a_change_of_plots_alone_draws_them_and_asks_for_the_next_change(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    only_plot = "Draw bars.\n\n" + block(OLD_PLOT, PLOT.strip(), "plot.py")
    model = Script(edits([only_plot, rate(0.05, 0.02)]) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    assert model.prompts[1].request.startswith("plot.py was run and made figures/errors.png.")
    assert "nothing to run" in model.prompts[1].request
    assert (root / "figures" / "errors.png").read_bytes()[1:4] == b"PNG"
    assert [e.run for e in runs_started(root)] == ["run_1"]
    assert "plot.py was run" not in model.prompts[2].request  # it is told once


@pytest.mark.slow
def test_plots_that_fail_are_told_with_their_line_and_stop_nothing(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    broken = rate(0.05, 0.02) + block(OLD_PLOT, "print(1)\n[][3]", "plot.py")
    model = Script(edits(broken) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 0
    (failed,) = [e for e in world.events_of(root) if e.type == "side.failed"]
    assert failed.evidence == "IndexError: list index out of range" and "> " in failed.feedback
    kinds = [e.type for e in world.events_of(root)]
    assert kinds.index("side.failed") > kinds.index("run.accepted", kinds.index("edit.committed"))  # after the run


PROBES = """
import argparse, json, os, pathlib, sys
sys.path.insert(0, os.getcwd())
from probes import probe
out_dir = sys.argv[1].removeprefix("--out_dir=")
runs = {run: {name: {"mean": value, "stderr": None, "n": 1} for name, value in
              probe(json.loads(pathlib.Path(run, "final_info.json").read_text())).items()}
        for run in os.environ["AI_SCIENTIST_RUNS"].split(",")}
pathlib.Path(out_dir, "probes.json").write_text(json.dumps({"runs": runs}))
"""


@pytest.mark.slow
def test_changed_probes_are_measured_on_all_runs_and_take_the_place_of_the_old_ones(tmp_path):
    toy = world.template(
        tmp_path / "toy",
        template__toml=lambda text: text.replace(
            "primary = ", 'probe = "python harness/probes.py --out_dir={out_dir}"\nprimary = '
        ).replace('"plot.py"]', '"plot.py", "probes.py"]'),
    )
    (toy / "harness" / "probes.py").write_text(PROBES)
    root, settings = world.start(tmp_path, folder=toy, max_runs=2)
    line = '    return {"double": 2 * results["fit"]["means"]["test_mse"]}'
    define = new_file("probes.py", f"def probe(results):\n{line}")
    rename = "Another probe.\n\n" + block(line, line.replace('"double": 2', '"triple": 3'), "probes.py")
    second = [rename, rate(0.02, 0.01) + notes("run_1")]
    model = Script(edits(rate(0.05, 0.02) + define, second) | {("notes", "run_2", 1): notes("run_2")})
    assert world.go(root, model, settings).exit_code == 0
    assert model.prompts[1].request.startswith("probes.py was run on run_0, run_0_zero, run_1: probes.double.")
    runs = world.state_of(root).runs
    first = 2 * runs["run_1"].metrics["fit.test_mse"]["mean"]
    told = model.prompts[1].request.partition("probes.double: ")[2].partition("\n")[0]
    assert f"run_1 {first:.4g}" in told  # the digest has no room for it
    for name in ("run_0", "run_0_zero", "run_1"):
        found = {m: v["mean"] for m, v in runs[name].metrics.items() if m.startswith("probes.")}
        assert found == {"probes.triple": 3 * runs[name].metrics["fit.test_mse"]["mean"]}
