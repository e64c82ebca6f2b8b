"""Whole studies whose experiments run in a sandbox: what the wiring gives them to see, and what not."""

import os
import subprocess

import pytest

from agent.core.errors import InputProblem
from agent.runners import tiers
from tests.stories import world
from tests.stories.test_kill import ONE_RUN, begin, recording, study
from tests.stories.world import Script

TIERS = ["bwrap", "landlock"]
EVALUATE = """
import json, os, sys
out = sys.argv[1].split("=")[1]
held_out = open("harness/heldout/points.txt").read()
saved = open(os.path.join(out, "saved.txt")).read()
json.dump({"fit": {"means": {"test_mse": float(len(held_out)), "slope_error": 1.0}}}, open(os.path.join(out, "final_info.json"), "w"))
open(os.path.join(out, "told.txt"), "w").write(saved)
"""
TRIES = """
import os, sys
out = sys.argv[1].split("=")[1]
told = []
for path in ("harness/heldout/points.txt", ".study/journal.jsonl", os.path.expanduser("~root/.bashrc"), "/etc/shadow"):
    try:
        told.append(path + " read " + open(path).read()[:9])
    except OSError as error:
        told.append(path + " refused")
for path in ("harness/world.py", "experiment.py", ".git/config", "run_0/final_info.json", "../beside"):
    try:
        open(path, "a").write("x")
        told.append(path + " written")
    except OSError as error:
        told.append(path + " refused")
with open(os.path.join(out, "saved.txt"), "w") as file:
    file.write("\\n".join(told))
with open(os.path.join(out, "final_info.json"), "w") as file:
    file.write('{"fit": {"means": {"test_mse": 0.0, "slope_error": 0.0}}}')
RATE = 1
"""


@pytest.fixture(params=TIERS)
def tier(request):
    found = tiers.probe(request.param)
    if not found.works and not os.environ.get("CI"):
        pytest.skip(found.said)
    return request.param


def sealed_template(tmp_path):
    toy = world.template(
        tmp_path / "toy",
        experiment__py=lambda _: TRIES,
        template__toml=lambda text: (
            text.replace(
                "command =",
                'evaluate = "python harness/evaluate.py --out_dir={out_dir}"\nsealed = ["harness/heldout/**"]\ncommand =',
                1,
            ).split("[[baselines]]")[0]
            + '[[baselines]]\nname = "sgd"\n'
        ),
    )
    (toy / "harness/heldout").mkdir()
    (toy / "harness/heldout/points.txt").write_text("held out")
    (toy / "harness/evaluate.py").write_text(EVALUATE)
    return toy


def test_the_experiment_sees_nothing_sealed_and_writes_only_its_own_folder_while_the_evaluation_sees_all(
    tmp_path, tier
):
    script = world.edits(["Try again.\n" + world.block("RATE = 1", "RATE = 2")])
    model = Script(script | {("notes", "run_1", 1): world.notes("run_1")})
    root, settings = world.start(
        tmp_path, folder=sealed_template(tmp_path), max_runs=1, executor="local", sandbox=tier,
        idea={"Name": "x", "Title": "X", "Experiment": "x"},
    )  # fmt: skip
    assert world.go(root, model, settings).exit_code == 0
    run = world.state_of(root).runs["run_1"]
    assert run.metrics["fit.test_mse"]["mean"] == len("held out")  # the evaluation's own number
    told = (root / "run_1/told.txt").read_text().splitlines()
    assert len(told) == 9
    assert all(line.endswith("refused") for line in told if "beside" not in line), told  # what is beside is its own
    assert any("was written before the evaluation" in warning for warning in run.warnings)
    assert not (tmp_path / "results/beside").exists()


def test_a_study_says_what_is_in_force_and_keeps_it_with_each_run(tmp_path, tier):
    model = recording(tmp_path / "session.jsonl", ONE_RUN)
    process = begin(tmp_path, model, more=["--sandbox", tier])
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert f"sandbox: {tiers.LINES[tier]}" in told
    ended = [e for e in world.events_of(study(tmp_path)) if e.type == "run.ended"]
    assert ended and all(e.outcome["sandbox"].startswith(tiers.LINES[tier]) for e in ended)
    assert all(e.outcome["usage"]["memory"] > 0 for e in ended)


def test_a_key_in_the_callers_environment_is_nowhere_to_be_found(tmp_path, tier, monkeypatch):
    key = "planted-key-0123456789"
    monkeypatch.setenv("SOME_API_KEY", key)
    search = (
        "    import glob, os\n    found = [n for n, v in os.environ.items() if 'planted' in v]\n"
        "    for path in glob.glob('/proc/[0-9]*/environ'):\n        try:\n"
        "            found += [path] if b'planted-key' in open(path, 'rb').read() else []\n"
        "        except OSError:\n            pass\n"
        "    open(os.path.join(out_dir, 'found.txt'), 'w').write(repr(found))\n    fits = {}"
    )
    toy = world.template(tmp_path / "toy", experiment__py=lambda text: text.replace("    fits = {}", search))
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), toy, more=["--sandbox", tier])
    told, _ = process.communicate(timeout=60)
    assert process.returncode == 0, told
    root = study(tmp_path)
    assert (root / "run_1/found.txt").read_text() == "[]"
    assert subprocess.run(["grep", "-rl", key, str(tmp_path)], capture_output=True, text=True).stdout == ""
    assert key not in told


def test_without_any_sandbox_nothing_is_started_unless_it_is_asked_for(tmp_path, monkeypatch):
    from agent import session

    monkeypatch.setattr(tiers, "PROBES", {"bwrap": lambda _: "it is not there; install it"})
    session._choose.cache_clear()
    try:
        root, settings = world.start(tmp_path, executor="local")
        with pytest.raises(InputProblem, match="No sandbox works on this machine") as caught:
            world.go(root, Script({}), settings)
        assert "install it" in caught.value.message and "--sandbox=none" in caught.value.message
        assert world.go(root, Script(ONE_RUN), settings, sandbox="none", max_runs=0).exit_code == 1
    finally:
        session._choose.cache_clear()


def test_an_experiment_that_uses_too_much_is_told_how_much_it_may(tmp_path, tier):
    hog = "    hog = [bytearray(10_000_000) for _ in range(40)]\n    import time; time.sleep(5)\n    fits = {}"
    toy = world.template(
        tmp_path / "toy",
        template__toml=lambda text: text.replace("[profiles.tiny]", "[profiles.tiny]\nlimits = { memory_gb = 0.2 }", 1),
    )
    replies = ["Use memory.\n" + world.block("    fits = {}", hog), "Use less.\n" + world.block(hog, "    fits = {}")]
    replies[1] += world.rate(0.05, 0.01)
    model = Script(world.edits(replies) | {("notes", "run_1", 1): world.notes("run_1")})
    root, settings = world.start(tmp_path, folder=toy, max_runs=1, executor="local", sandbox=tier)
    assert world.go(root, model, settings).exit_code == 0
    first = world.state_of(root).runs["run_1"].attempts[0]
    assert (first.blame, first.outcome["ending"]) == ("resource", "limit")
    assert "204.8 MB are allowed" in model.prompts[1].request


SCORES = """
import json, os, sys
out = sys.argv[1].split("=")[1]
rate = float(open(os.path.join(out, "rate.txt")).read())
seeds = [int(word) for word in os.environ["AI_SCIENTIST_SEEDS"].split(",")]
values = {"test_mse": [10 / rate + len(open("harness/heldout/points.txt").read()) + seed % 3 / 10 for seed in seeds], "slope_error": [1.0 for _ in seeds]}
means = {name: sum(v) / len(v) for name, v in values.items()}
json.dump({"fit": {"means": means, "values": values, "n": len(seeds), "seeds": seeds}}, open(os.path.join(out, "final_info.json"), "w"))
"""


def test_fresh_seeds_are_measured_in_the_same_sandbox_and_the_sealed_files_of_the_copy_are_hidden_too(tmp_path, tier):
    toy = sealed_template(tmp_path)
    tries = TRIES.replace(
        'with open(os.path.join(out, "final_info.json")',
        'with open(os.path.join(out, "rate.txt"), "w") as file:\n    file.write(str(RATE))\nwith open(os.path.join(out, "final_info.json")',
    )
    (toy / "experiment.py").write_text(tries.replace("told = []", "RATE = 1\ntold = []").replace('\nRATE = 1\n"""', ""))
    (toy / "experiment.py").write_text((toy / "experiment.py").read_text().rsplit("RATE = 1", 1)[0])
    (toy / "harness/evaluate.py").write_text(SCORES)
    model = Script(
        world.edits("Try 2.\n" + world.block("RATE = 1", "RATE = 2")) | {("notes", "run_1", 1): world.notes("run_1")}
    )
    root, settings = world.start(
        tmp_path,
        folder=toy,
        max_runs=1,
        executor="local",
        sandbox=tier,
        idea={"Name": "x", "Title": "X", "Experiment": "x"},
    )
    assert world.go(root, model, settings).exit_code == 0
    assert world.state_of(root).runs["run_1"].comparison["verdict"] == "better"
    for run in ("run_0", "run_1"):
        told = (root / run / "confirm" / "saved.txt").read_text().splitlines()
        assert told[0] == "harness/heldout/points.txt refused"
        got_through = [line for line in told if line.endswith("written") or " read " in line]
        assert set(got_through) <= {"../beside written"}, told  # in bubblewrap a file that only the job ever sees
    assert not list(root.rglob("beside"))
