"""Default figures in whole studies: drawn before the notes, committed once, registered; a kill or a failure costs nothing."""

import json
import os
import subprocess

import pytest

from agent.runners import tiers
from agent.steps import figures
from agent.store.journal import Journal
from tests.stories import world
from tests.stories.world import Script, block, edits, notes, rate

pytestmark = pytest.mark.slow
REPLIES = edits([rate(0.05, 0.02)]) | {("notes", "run_1", 1): notes("run_1")}
PLOT = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
from pathlib import Path
labels = {"run_0": "baseline", "run_1": "mine", "run_7": "to come"}
print(*sorted(map(str, Path().glob("*/final_info.json"))))
plt.bar(["a"], [1])
plt.savefig("own.png")
plt.savefig("default_mine.png")
"""
OLD_PLOT = (world.TOY / "template" / "plot.py").read_text().rstrip("\n")


def drawn(root):
    return [event for event in world.events_of(root) if event.type == "figures.drawn"]


def git(root, *words):
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("tier", ["inline", "bwrap", "landlock"])
def test_a_study_has_default_figures_that_are_committed_and_registered(tmp_path, tier):
    if tier != "inline" and not (found := tiers.probe(tier)).works and not os.environ.get("CI"):
        pytest.skip(found.said)
    how = {"executor": "inline"} if tier == "inline" else {"executor": "local", "sandbox": tier}
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True, **how)
    assert world.go(root, Script(REPLIES), settings).exit_code == 0
    (event,) = drawn(root)
    assert set(event.files) == {f"figures/default_{n}.{kind}" for n in ("metrics", "runs") for kind in ("png", "pdf")}
    shown = world.state_of(root).figures["figures/default_metrics.png"]
    assert (shown.runs, shown.metrics) == (("run_0", "run_0_zero", "run_1"), ("fit.test_mse", "fit.slope_error"))
    kinds = [event.type for event in world.events_of(root)]
    assert kinds.index("run.compared") < kinds.index("figures.drawn") < len(kinds) - 1 - kinds[::-1].index("call.asked")
    tracked = git(root, "ls-files", "figures").split()
    assert tracked == sorted([*event.files, figures.DATA])
    assert git(root, "status", "--porcelain") == ""
    told = json.loads((root / figures.DATA).read_text())
    assert [one["name"] for one in told["figures"]] == ["default_metrics", "default_runs"]
    assert (root / "figures/default_runs.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_of_the_coder_is_registered_with_the_runs_it_was_given_and_keeps_its_own_names(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    reply = rate(0.05, 0.02) + block(OLD_PLOT, PLOT.strip(), "plot.py")
    assert world.go(root, Script(edits([reply]) | {("notes", "run_1", 1): notes("run_1")}), settings).exit_code == 0
    plot, default = drawn(root)
    assert (plot.what, plot.files, plot.left_out) == ("plot", ("figures/own.png",), ("figures/default_mine.png",))
    assert plot.labels == ("run_0", "run_1", "run_7")
    (attempt,) = (root / ".study" / "attempts").glob("plot-*")
    assert (attempt / "stdout.log").read_text().split() == ["run_0/final_info.json", "run_1/final_info.json"]
    found = world.state_of(root).figures
    assert found["figures/own.png"].runs == ("run_0", "run_1") and set(default.files) < set(found)
    assert {path.name for path in (root / "figures").iterdir()} == {
        "own.png", "default_figures.json", *(name.removeprefix("figures/") for name in default.files),
    }  # fmt: skip


def test_a_study_that_goes_on_draws_anew_and_changes_only_what_has_changed(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    world.go(root, Script(REPLIES), settings)
    second = {("edit", "run_2", 1): rate(0.02, 0.01), ("notes", "run_2", 1): notes("run_2")}
    assert world.go(root, Script(second), reopen=True, max_runs=2).exit_code == 0
    first, again = drawn(root)
    assert "run_2" in again.shows["figures/default_runs.png"].runs
    changed = git(root, "diff", "--name-only", first.head, again.head, "--", "figures").split()
    assert figures.DATA in changed and "figures/default_runs.png" in changed


@pytest.mark.parametrize("where", ["before", "inside", "after"])
def test_a_kill_when_the_figures_are_drawn_and_not_yet_told_draws_them_no_second_time(tmp_path, where, monkeypatch):
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    write = Journal._write

    def crash(journal, line):
        if b"figures.drawn" not in line:
            return write(journal, line)
        write(journal, {"before": b"", "inside": line[: len(line) // 2], "after": line}[where])
        raise KeyboardInterrupt

    monkeypatch.setattr(Journal, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        world.go(root, Script(REPLIES), settings)
    monkeypatch.setattr(Journal, "_write", write)
    before = {
        path.name: (path / "status.json").stat().st_mtime_ns for path in (root / ".study/attempts").glob("figures-*")
    }
    assert len(before) == 1
    assert world.go(root, Script(REPLIES)).exit_code == 0
    after = {
        path.name: (path / "status.json").stat().st_mtime_ns for path in (root / ".study/attempts").glob("figures-*")
    }
    assert after == before and len(drawn(root)) == 1
    assert git(root, "status", "--porcelain") == ""


def test_what_a_killed_session_drew_of_other_data_is_not_taken_for_the_figures_of_now(tmp_path, monkeypatch):
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    write = Journal._write

    def crash(journal, line):
        if b"figures.drawn" in line:
            raise KeyboardInterrupt
        return write(journal, line)

    monkeypatch.setattr(Journal, "_write", crash)
    with pytest.raises(KeyboardInterrupt):
        world.go(root, Script(REPLIES), settings)
    monkeypatch.setattr(Journal, "_write", write)
    replies = {("edit", "run_2", 1): rate(0.02, 0.01) + notes("run_1"), ("notes", "run_2", 1): notes("run_2")}
    assert world.go(root, Script(replies), max_runs=2).exit_code == 0
    (event,) = drawn(root)
    assert "run_2" in event.shows["figures/default_runs.png"].runs
    assert "run_2" in (root / figures.DATA).read_text()
    assert len(list((root / ".study/attempts").glob("figures-*"))) == 2


def test_figures_that_cannot_be_drawn_are_told_and_the_study_ends_as_well_without(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_program", lambda: b"import sys; sys.exit('no matplotlib')")
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    assert world.go(root, Script(REPLIES), settings).exit_code == 0
    failed = [event for event in world.events_of(root) if event.type == "side.failed"]
    assert [event.what for event in failed] == ["default"] * 2 and "no matplotlib" in failed[0].evidence
    assert drawn(root) == [] and not (root / "figures").exists()


def test_a_program_that_leaves_too_little_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(figures, "_program", lambda: b"open('default_runs.png', 'w').write('x')")
    root, settings = world.start(tmp_path, max_runs=1, default_figures=True)
    assert world.go(root, Script(REPLIES), settings).exit_code == 0
    failed = [event for event in world.events_of(root) if event.type == "side.failed"]
    assert "figures/default_metrics.png" in failed[0].evidence and "default_runs.png" not in failed[0].evidence
