"""`ai-scientist baseline`: real processes measure the toy template's baselines, and studies take them from there."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.stories import world
from tests.test_cli_input import run_process

pytestmark = pytest.mark.slow
REPLAY = world.TOY / "ideas/iterate_averaging.replay.jsonl"
ZERO = '        if os.environ.get("TOY_METHOD") == "zero":\n'


@pytest.fixture
def here(tmp_path):
    """A working directory with a template of its own and an idea."""
    world.template(tmp_path / "toy")
    fields = json.loads((world.TOY / "ideas/iterate_averaging.json").read_text())
    (tmp_path / "idea.json").write_text(json.dumps({**fields, "Template": "toy"}))
    return tmp_path


def measure(here, *arguments):
    return run_process("baseline", "toy", *arguments, cwd=here)


def told(done, code=0):
    assert done.returncode == code, (done.stdout, done.stderr)
    return json.loads(done.stdout)


def study(here):
    """The events of a new study that plays the recorded session."""
    done = run_process("run", "idea.json", "-m", f"replay:{REPLAY}", "--quiet", cwd=here)
    assert done.returncode == 0, done.stderr
    return world.events_of(max((here / "results").glob("2*")))


def of_baselines(events, kind):
    """Of their first results: fresh seeds, which confirm a run, are another thing."""
    return {
        e.run: e
        for e in events
        if e.type == kind and e.run.startswith("run_0") and getattr(e, "purpose", "run") == "run"
    }


def entries(here):
    places = (here / "results/.cache/baselines").glob("*/measured.json")
    return {p.parent.name: json.loads(p.read_text()) for p in places if "-fresh-" not in p.parent.name}


def left(here):
    """What is in the results folder but for finished studies and complete entries of the cache."""
    results = here / "results"
    odd = [p.name for p in results.glob(".*") if p.name != ".cache"]
    return odd + [p.name for p in results.glob(".cache/baselines/*") if not (p / "measured.json").exists()]


def slow_zero(here, seconds=0.5):
    """Each of the five seeds takes so long."""
    experiment = here / "toy/experiment.py"
    experiment.write_text(
        experiment.read_text().replace(ZERO, f"{ZERO}            __import__('time').sleep({seconds})\n")
    )


def started(here, *arguments):
    """A `baseline` process at the moment when it has started run_0_zero."""
    env = {**os.environ, "XDG_CONFIG_HOME": str(here / "none"), "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "agent", "baseline", "toy", *arguments]
    process = subprocess.Popen(command, cwd=here, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in process.stdout:
        if "run_0_zero  started" in line:
            while not list(here.glob("results/.measuring-toy-tiny/.study/attempts/run_0_zero-*/progress.jsonl")):
                time.sleep(0.02)
            return process
    raise AssertionError("it ended without starting run_0_zero")


def job_of(here):
    """The launcher of run_0_zero's job and all that it started."""
    status = here / "results/.measuring-toy-tiny/.study/attempts/run_0_zero-try-1/status.json"
    launcher = psutil.Process(json.loads(status.read_text())["pid"])
    return [launcher, *launcher.children(recursive=True)]


# --- measured once -----------------------------------------------------------------------------------------------------


def test_the_next_study_takes_what_was_measured_and_its_journal_says_so(here):
    done = measure(here)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "Baselines of toy, profile tiny: run_0 (sgd), run_0_zero (zero); 5 seeds each"
    rows = [line.split("  ")[0] for line in lines[lines.index("") :] if line.startswith(("fit", "training"))]
    assert rows == ["fit.test_mse", "fit.slope_error", "training.seconds"]  # primary first, cost last
    assert "run_0_zero (zero): 5 seeds, measured now" in done.stdout
    before = entries(here)
    assert len(before) == 2 and left(here) == []
    events = study(here)
    assert not of_baselines(events, "run.launched")
    sources = {run: e.source for run, e in of_baselines(events, "run.accepted").items()}
    assert set(sources) == {"run_0", "run_0_zero"}
    assert all(s.startswith("measured by `ai-scientist baseline` on 20") for s in sources.values())
    assert entries(here) == before


def test_what_a_study_measured_is_known_at_once_and_again_measures_anew(here):
    study(here)
    before = entries(here)
    known = measure(here)
    assert known.returncode == 0 and "All of them are known" in known.stdout and "started" not in known.stdout
    assert "measured in study 2" in known.stdout and "fit.test_mse" in known.stdout
    assert entries(here) == before
    anew = told(measure(here, "--again", "--json"))
    assert {b["source"] for b in anew["baselines"].values()} == {"measured now"}
    assert entries(here).keys() == before.keys() and all("baseline" in e["source"] for e in entries(here).values())


def test_a_changed_template_is_measured_anew_but_not_for_its_paper(here):
    told(measure(here, "--json"))
    (here / "toy/latex").mkdir()
    (here / "toy/latex/paper.tex").write_text("x")
    assert told(measure(here, "--json"))["known"]
    (here / "toy/experiment.py").write_text((here / "toy/experiment.py").read_text() + "# changed\n")
    assert not told(measure(here, "--json"))["known"]


def test_more_seeds_than_the_profile_asks_for_serve_its_studies_too(here):
    told(measure(here, "--json"))
    assert not told(measure(here, "--seeds", "8", "--json"))["known"]
    metrics = told(measure(here, "--json"))["baselines"]["run_0"]["metrics"]
    assert metrics["fit.test_mse"]["n"] == 8
    events = study(here)
    assert of_baselines(events, "run.accepted")["run_0"].metrics == metrics
    assert "3 are fewer" in measure(here, "--seeds", "3").stderr


def test_a_baseline_measured_here_goes_before_one_that_a_classic_template_shipped(here):
    shutil.rmtree(here / "toy")
    classic = here / "toy"
    shutil.copytree(world.TOY / "template", classic, ignore=shutil.ignore_patterns("template.toml", "__pycache__"))
    (classic / "prompt.json").write_text('{"task_description": "Fit a line."}')
    (classic / "run_0").mkdir()
    (classic / "run_0/final_info.json").write_text('{"fit": {"means": {"test_mse": 77.0}}}')
    mean = told(measure(here, "--json"))["baselines"]["run_0"]["metrics"]["fit.test_mse"]["mean"]
    assert mean < 1
    assert of_baselines(study(here), "run.accepted")["run_0"].metrics["fit.test_mse"]["mean"] == mean


# --- interrupted, failed -----------------------------------------------------------------------------------------------


def test_interrupted_it_leaves_nothing_half_made_and_the_same_command_goes_on(here):
    slow_zero(here)
    process = started(here)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 130 and "The same command goes on where it stopped." in output
    assert [e["run"] for e in entries(here).values()] == ["run_0"] and left(here) == [".measuring-toy-tiny"]
    done = measure(here)
    assert done.returncode == 0 and "run_0  started" not in done.stdout and "run_0_zero  started" in done.stdout
    assert len(entries(here)) == 2 and left(here) == []


def test_killed_its_job_goes_on_and_the_same_command_waits_for_it(here):
    slow_zero(here)
    process = started(here)
    process.kill()
    process.communicate(timeout=30)
    assert job_of(here)[0].is_running()
    done = measure(here)
    assert done.returncode == 0 and "started" not in done.stdout
    assert len(entries(here)) == 2 and left(here) == []


def test_killed_and_the_template_changed_the_old_job_is_ended_first(here):
    slow_zero(here, seconds=60)
    toml = here / "toy/template.toml"
    toml.write_text(toml.read_text().replace('"20s"', '"10m"'))
    process = started(here)
    process.kill()
    process.communicate(timeout=30)
    while len(job := job_of(here)) < 2:
        time.sleep(0.05)
    world.template(here / "new")
    shutil.copy(here / "new/experiment.py", here / "toy/experiment.py")
    told(measure(here, "--json"))
    assert not psutil.wait_procs(job, timeout=10)[1] and left(here) == []


def test_two_at_once_are_told_of_each_other(here):
    slow_zero(here)
    process = started(here)
    second = measure(here)
    assert second.returncode == 2 and "is being worked on by process" in second.stderr
    process.communicate(timeout=30)
    assert process.returncode == 0 and len(entries(here)) == 2


def test_a_baseline_that_fails_keeps_its_log_and_nothing_of_it_is_known(here):
    good = (here / "toy/experiment.py").read_text()
    (here / "toy/experiment.py").write_text(
        good.replace(ZERO, f"{ZERO}            raise ValueError('no zero today')\n")
    )
    done = measure(here)
    assert done.returncode == 1
    assert "ValueError: no zero today" in done.stdout and "Folder: results/.measuring-toy-tiny" in done.stdout
    log = here / "results/.measuring-toy-tiny/.study/attempts/run_0_zero-try-1/stderr.log"
    assert "no zero today" in log.read_text()
    assert [e["run"] for e in entries(here).values()] == ["run_0"]
    assert told(measure(here, "--json"), code=1)["why"].startswith("run_0_zero: ValueError")
    (here / "toy/experiment.py").write_text(good)
    assert len(told(measure(here, "--json"))["baselines"]) == 2 and left(here) == []


def test_a_primary_metric_that_is_not_measured_is_a_fault_of_the_template(here):
    toml = here / "toy/template.toml"
    toml.write_text(toml.read_text().replace('"fit.test_mse"', '"fit.test_nse"').replace("fit.slope", "fit.test_mse"))
    done = measure(here)
    assert done.returncode == 2 and "fit.test_nse" in done.stderr and left(here) == []


def test_what_is_too_large_to_keep_is_said(here):
    write = "            open(os.path.join(out_dir, 'large'), 'wb').truncate(600_000_000)\n"
    (here / "toy/experiment.py").write_text((here / "toy/experiment.py").read_text().replace(ZERO, ZERO + write))
    done = measure(here)
    assert done.returncode == 4 and "Not kept: run_0_zero; larger than 500 MB" in done.stdout
    assert (here / "results/.measuring-toy-tiny/run_0_zero/final_info.json").exists()


# --- imported ----------------------------------------------------------------------------------------------------------


def measured_elsewhere(here):
    """A folder with run_0/ and run_0_zero/, as a machine elsewhere would send it."""
    elsewhere = here / "elsewhere"
    told(run_process("baseline", "toy", "-o", str(elsewhere), "--json", cwd=here))
    for path in (elsewhere / ".cache/baselines").iterdir():
        path.rename(elsewhere / path.name.split("-")[1])
    return elsewhere


def test_imported_results_serve_studies_and_are_marked_wherever_they_are_told(here):
    elsewhere = measured_elsewhere(here)
    done = measure(here, "--import", "elsewhere")
    assert done.returncode == 0 and "started" not in done.stdout
    source = f"imported from {elsewhere} on 20"
    assert f"run_0 (sgd): 5 seeds, {source}" in done.stdout
    events = study(here)
    accepted = of_baselines(events, "run.accepted")
    assert not of_baselines(events, "run.launched") and len(accepted) == 2
    for run, event in accepted.items():
        assert event.source.startswith(source)
        assert event.warnings[0].startswith(f"{run} was not measured on this machine: {source}")
    root = max((here / "results").glob("2*"))
    assert f"Warning: run_0 was not measured on this machine: {source}" in (root / "notes.txt").read_text()
    assert (root / "run_0/log.txt").exists() and not (root / "run_0/measured.json").exists()


def test_an_import_replaces_nothing_that_is_known_unless_it_is_told_to(here):
    measured_elsewhere(here)
    told(measure(here, "--json"))
    before = entries(here)
    refused = measure(here, "--import", "elsewhere")
    assert refused.returncode == 2 and "run_0 is known already, measured by" in refused.stderr
    assert entries(here) == before and left(here) == []
    told(measure(here, "--import", "elsewhere", "--again", "--json"))
    assert all(e["imported"] for e in entries(here).values())


def test_a_part_may_be_imported_where_the_rest_is_known(here):
    shutil.rmtree(measured_elsewhere(here) / "run_0")
    refused = measure(here, "--import", "elsewhere")
    assert refused.returncode == 2 and "run_0/final_info.json: not there" in refused.stderr and not entries(here)
    told(measure(here, "--json"))
    sources = told(measure(here, "--import", "elsewhere", "--again", "--json"))["baselines"]
    assert sources["run_0"]["source"].startswith("measured by")
    assert sources["run_0_zero"]["source"].startswith("imported from")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "run_0/final_info.json is no valid JSON"),
        ('{"fit": {"means": {"test_mse": "x"}}}', 'run_0/final_info.json: fit.means.test_mse: "x" is not a number'),
        ('{"fit": {"means": {"mse": 1}, "n": 5}}', "the primary metric fit.test_mse is missing"),
        ('{"fit": {"means": {"test_mse": 1}, "n": 3}}', "run_0/final_info.json: 3 of the 5 seeds that are asked for"),
        ('{"fit": {"means": {"test_mse": 1}}}', "run_0/final_info.json: 1 of the 5 seeds that are asked for"),
        (None, "run_0_zeero: the template has no such baseline (did you mean"),
    ],
    ids=["no JSON", "no number", "no primary", "too few seeds", "seeds not told", "unknown baseline"],
)
def test_a_bad_import_is_refused_whole(here, text, said):
    for run in ("run_0", "run_0_zero"):
        (here / "elsewhere" / run).mkdir(parents=True)
        good = '{"fit": {"means": {"test_mse": 1}, "n": 5}}'
        (here / "elsewhere" / run / "final_info.json").write_text(text if text and run == "run_0" else good)
    if text is None:
        (here / "elsewhere/run_0_zeero").mkdir()
    done = measure(here, "--import", "elsewhere")
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and "Nothing was imported." in done.stderr
    assert not entries(here) and left(here) == []


def test_a_folder_to_import_from_that_is_not_there(here):
    done = measure(here, "--import", "nowhere")
    assert done.returncode == 2 and done.stderr.startswith("error: there is no folder nowhere")
    assert not (here / "results").exists()


def test_data_is_fetched_first_and_an_imported_baseline_belongs_to_its_revisions(here):
    toml = here / "toy/template.toml"
    toml.write_text(toml.read_text() + '\n[environment]\nprefetch = "harness/data.py:fetch"\n')
    (here / "toy/harness/data.py").write_text(
        "def fetch():\n    return {'toy/points': open('../../revision').read()}\n"
    )
    failed = measure(here)
    assert failed.returncode == 2 and "No such file or directory: '../../revision'" in failed.stdout
    (here / "revision").write_text("r1")
    assert measure(here).returncode == 0
    elsewhere = here / "elsewhere"
    for name in ("run_0", "run_0_zero"):
        shutil.copytree(next((here / "results/.cache/baselines").glob(f"toy-{name}-*")), elsewhere / name)
    (here / "revision").write_text("r2")
    assert told(measure(here, "--import", "elsewhere", "--json"))["baselines"]
    assert len(entries(here)) == 4
    assert all(run.warnings for run in of_baselines(study(here), "run.accepted").values())
    (here / "revision").write_text("r1")
    assert not any(run.warnings for run in of_baselines(study(here), "run.accepted").values())
