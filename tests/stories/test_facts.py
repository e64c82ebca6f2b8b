"""Notes and facts.tex of a study say what its results files say, are committed with them, and are nobody's edit."""

import json
import subprocess

from tests.stories import world
from tests.stories.world import Script, edits, new_file, notes, rate

PAPER = "\\documentclass{article}\\input{facts}\\begin{document}\\facttable{run_0,run_1}{fit.test_mse}\\end{document}\n"
NOTED = (
    r"The error is \fact{run_1.fit.test_mse}, \factdiff{run_1}{run_0}{fit.test_mse} from the baseline. I saw 0.123."
    r" Not \fact{run_1.fit.test_mze}."
)


def git(root, *words):
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


def finished(tmp_path, with_paper=True):
    folder = world.template(tmp_path / "toy")
    if with_paper:
        (folder / "latex").mkdir()
        (folder / "latex" / "paper.tex").write_text(PAPER)
    root, settings = world.start(tmp_path, folder=folder, max_runs=1)
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1", NOTED)})
    assert world.go(root, model, settings).exit_code == 0
    return root


def mean_of(root, run="run_1"):
    return json.loads((root / run / "final_info.json").read_text())["fit"]["means"]["test_mse"]


def test_notes_are_kept_with_references_and_rendered_beside(tmp_path):
    root = finished(tmp_path, with_paper=False)
    assert r"\fact{run_1.fit.test_mse}" in (root / "notes.txt").read_text()
    made = (root / "notes.md").read_text()
    assert f"The error is {mean_of(root):.5f}, " in made and "\\fact" not in made
    assert "I saw 0.123 *unsourced*." in made
    assert made.count("*unsourced*") == 1  # what the tool itself says of the runs needs no source
    assert "??[run_1.fit.test_mze, did you mean run_1.fit.test_mse?]" in made
    assert not (root / "latex").exists()


def test_facts_are_committed_with_every_event_that_changes_them_and_are_no_edit(tmp_path):
    root = finished(tmp_path)
    assert git(root, "status", "--porcelain") == ""
    said = git(root, "log", "--format=%s", "--", "latex/facts.tex").splitlines()
    assert any(one.startswith("run_1: Change the learning rate") for one in said)
    assert any(one.startswith("Notes: ") for one in git(root, "log", "--format=%s", "--", "notes.md").splitlines())
    assert not [event for event in world.events_of(root) if event.type == "human.edited"]
    text = (root / "latex" / "facts.tex").read_text()
    assert f"\\facts@value{{fit.test_mse}}{{{mean_of(root):.5f}}}" in text
    assert r"\facts@put{t:run_0,run_1:fit.test_mse}" in text
    assert "changed since" not in text


def test_a_results_file_changed_by_hand_is_asked_about_and_once_taken_is_what_the_facts_say(tmp_path):
    root = finished(tmp_path)
    path = root / "run_1" / "final_info.json"
    content = json.loads(path.read_text())
    family = content["fit"]
    family["values"]["test_mse"] = [0.5, 0.5001, 0.5002]
    family["means"]["test_mse"], family["stderrs"]["test_mse"] = 0.5001, 0.0001 / 3**0.5
    path.write_text(json.dumps(content))
    more = Script({("edit", "run_2", 1): rate(0.02, 0.01), ("notes", "run_2", 1): notes("run_2")})
    stop = world.go(root, more, reopen=True, max_runs=2)
    assert stop.exit_code == 5 and "changed by hand: run_1/final_info.json" in stop.why
    assert world.go(root, more, take=True, max_runs=2).exit_code == 0
    assert "The error is 0.50010, " in (root / "notes.md").read_text()
    text = (root / "latex" / "facts.tex").read_text()
    assert r"\facts@value{fit.test_mse}{0.50010}" in text
    assert text.count("run_1/final_info.json: sha256") == text.count("changed since it was measured") == 1


def test_the_coder_goes_on_with_its_notes_as_it_wrote_them(tmp_path):
    root, settings = world.start(tmp_path, max_runs=2)
    before, after = (rf"What run_1 {word}: \factn{{run_1}} seeds." for word in ("showed", "really showed"))
    more = world.block(before, after, "notes/run_1.txt")
    script = edits(rate(0.05, 0.02), rate(0.02, 0.01) + new_file("notes/run_1.txt", before))
    script[("notes", "run_2", 1)] = more + notes("run_2")
    assert world.go(root, Script(script), settings).exit_code == 0
    assert r"What run_1 really showed: \factn{run_1} seeds." in (root / "notes.txt").read_text()
    assert "What run_1 really showed: 3 seeds." in (root / "notes.md").read_text()


def fast(tmp_path):
    """The toy with a paper, and a baseline that learns too slowly, so that others are surely better."""
    folder = world.template(
        tmp_path / "toy", experiment__py=lambda text: text.replace('"learning_rate": 0.05', '"learning_rate": 0.0005')
    )
    (folder / "latex").mkdir()
    (folder / "latex" / "paper.tex").write_text(PAPER)
    return folder


def test_seeds_that_confirm_and_seeds_that_were_asked_for_are_what_the_facts_say_and_no_change(tmp_path):
    root, settings = world.start(tmp_path, folder=fast(tmp_path), max_runs=2)
    script = edits(rate(0.0005, 0.00049), ["REPLICATE: run_1 seeds=4", rate(0.00049, 0.02)])
    script[("notes", "run_2", 1)] = notes("run_1", r"\factn{run_1}.") + notes("run_2", r"\factpm{run_2.fit.test_mse}.")
    assert world.go(root, Script(script), settings).exit_code == 0
    run = world.state_of(root).runs["run_2"]
    assert run.comparison["verdict"] == "better"
    fresh = json.loads((root / "run_2" / "confirm" / "final_info.json").read_text())["fit"]
    text = (root / "notes.md").read_text()
    assert f"{fresh['means']['test_mse']:.5f} ± {fresh['stderrs']['test_mse']:.5f}." in text
    assert "\n7." in text
    facts = (root / "latex" / "facts.tex").read_text()
    assert "run_1/more_1/final_info.json: sha256" in facts and "run_2/confirm/final_info.json: sha256" in facts
    assert "changed since" not in facts
