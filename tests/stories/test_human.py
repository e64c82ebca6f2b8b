"""A person edits the study's files at any time: nothing is lost, nothing is mixed into the coder's commits."""

import subprocess

import pytest

from agent.core.errors import InputProblem
from agent.store import inbox
from tests.stories import world
from tests.stories.world import Script, block, edits, notes, rate

MINE = "# a person's line\n"
TWO_RUNS = edits(rate(0.05, 0.02), rate(0.02, 0.01) + notes("run_1")) | {("notes", "run_2", 1): notes("run_2")}


def git(root, *words):
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


def edit_by_hand(root, name="experiment.py", text=MINE):
    path = root / name
    path.write_text((path.read_text() if path.exists() else "") + text)


def commits_with(root, text, name="experiment.py"):
    """Authors of the commits that first hold the text."""
    return git(root, "log", "--reverse", "--all", "--format=%an", f"-S{text.strip()}", "--", name).split("\n")[:-1]


def someone(monkeypatch, tmp_path):
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))


@pytest.fixture
def edited_during_a_call(tmp_path, monkeypatch):
    """A study in which a person edits experiment.py while the coder thinks about run_2."""
    someone(monkeypatch, tmp_path)
    root, settings = world.start(tmp_path, max_runs=2)
    model = Script(
        TWO_RUNS, before_reply=lambda p: edit_by_hand(root) if p.run == "run_2" and p.action == "edit" else None
    )
    stop = world.go(root, model, settings)
    model.before_reply = None
    return root, model, stop


def test_an_edit_during_a_coder_call_stops_the_study_with_a_question(edited_during_a_call):
    root, _, stop = edited_during_a_call
    assert (stop.exit_code, "changed by hand: experiment.py" in stop.why) == (5, True)
    assert "--take" in stop.hint and "--stash" in stop.hint
    assert (root / "experiment.py").read_text().endswith(MINE)


def test_asking_again_without_an_answer_asks_again(edited_during_a_call):
    root, model, _ = edited_during_a_call
    assert world.go(root, model).exit_code == 5
    assert len([e for e in world.events_of(root) if e.type == "human.edited"]) == 1


def test_take_commits_it_under_the_persons_name_and_applies_the_waiting_reply_on_top(edited_during_a_call):
    root, model, _ = edited_during_a_call
    assert world.go(root, model, take=True).exit_code == 0
    assert model.asked.count(("edit", "run_2", 1)) == 1
    text = (root / "experiment.py").read_text()
    assert text.endswith(MINE) and '"learning_rate": 0.01' in text
    assert set(commits_with(root, MINE)) == {"Ada"}
    coder = git(root, "log", "-1", "--format=%an%n%s", "--grep", "run_2, edit 1").splitlines()
    assert coder == ["ai-scientist", "run_2, edit 1: Change the learning rate."]
    assert MINE.strip() not in git(
        root, "show", "--format=", git(root, "log", "-1", "--format=%H", "--grep", "run_2, edit 1").strip()
    )


def test_stash_keeps_it_in_git_and_goes_on_without_it(edited_during_a_call):
    root, model, _ = edited_during_a_call
    assert world.go(root, model, stash=True).exit_code == 0
    assert MINE not in (root / "experiment.py").read_text()
    saved = next(e.saved for e in world.events_of(root) if e.type == "human.stashed")
    assert git(root, "show", f"{saved}:experiment.py").endswith(MINE)
    assert git(root, "for-each-ref", "--contains", saved, "refs/people").strip()


def test_an_edit_that_its_author_undoes_needs_no_answer(edited_during_a_call):
    root, model, _ = edited_during_a_call
    git(root, "checkout", "-q", "--", "experiment.py")
    assert world.go(root, model).exit_code == 0


def test_an_edit_during_a_run_waits_for_an_answer_and_the_run_counts_as_it_was_started(tmp_path):
    slow = {"experiment__py": lambda text: text.replace("    fits = {}", "    import subprocess; subprocess.run(['sh', '-c', 'test -e .study/edit && echo \"# a person' + chr(39) + 's line\" >> experiment.py'])\n    fits = {}")}  # fmt: skip
    root, settings = world.start(tmp_path, folder=world.template(tmp_path / "toy", **slow), max_runs=1)
    model = Script(
        edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")},
        before_reply=lambda p: (root / ".study/edit").touch(),
    )
    stop = world.go(root, model, settings)
    assert stop.exit_code == 5
    run = world.state_of(root).runs["run_1"]
    assert run.status == "good"
    assert MINE not in git(root, "show", f"{run.head}:experiment.py")
    assert (root / "experiment.py").read_text().endswith(MINE)
    (root / ".study/edit").unlink()
    assert world.go(root, model, take=True).exit_code == 0
    assert (root / "experiment.py").read_text().endswith(MINE)


def test_an_edit_between_sessions_and_a_new_file_are_found(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    edit_by_hand(root)
    edit_by_hand(root, "helper.py", "answer = 42\n")
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 5
    assert world.state_of(root).edited.files == ("experiment.py", "helper.py")
    assert world.go(root, model, take=True).exit_code == 0
    assert git(root, "show", "run_1:helper.py") == "answer = 42\n"


def test_commits_of_a_person_stay_reachable(tmp_path, monkeypatch):
    someone(monkeypatch, tmp_path)
    root, settings = world.start(tmp_path, max_runs=1)
    edit_by_hand(root)
    git(root, "commit", "-q", "-a", "-m", "mine")
    mine = git(root, "rev-parse", "HEAD").strip()
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 5
    assert world.go(root, model, take=True).exit_code == 0
    assert git(root, "for-each-ref", "--contains", mine).strip()
    assert git(root, "status", "--porcelain") == ""


def test_a_deleted_file_is_an_edit_too(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    (root / "plot.py").unlink()
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 5
    assert world.go(root, model, stash=True).exit_code == 0
    assert (root / "plot.py").exists()


def test_a_note_reaches_the_next_prompt_once_and_a_kept_one_every_prompt(tmp_path):
    root, settings = world.start(tmp_path, max_runs=2)
    inbox.drop(root / ".study/inbox", "note", text="try fewer epochs", keep=False)
    inbox.drop(root / ".study/inbox", "note", text="mind the seeds", keep=True)
    model = Script(TWO_RUNS)
    assert world.go(root, model, settings).exit_code == 0
    assert ["try fewer epochs" in p.request for p in model.prompts] == [True, False, False]
    assert ["mind the seeds" in p.request for p in model.prompts] == [True, True, True]
    assert not list((root / ".study/inbox").iterdir())


def test_stop_ends_the_study_without_another_call_and_resume_goes_on(tmp_path):
    root, settings = world.start(tmp_path, max_runs=2)
    model = Script(
        TWO_RUNS,
        before_reply=lambda p: inbox.drop(root / ".study/inbox", "stop", what="study") if p.run == "run_2" else None,
    )
    stop = world.go(root, model, settings)
    assert (stop.exit_code, stop.why) == (0, "stopped by a person")
    assert model.asked == [("edit", "run_1", 1), ("edit", "run_2", 1)]
    model.before_reply = None
    assert world.go(root, model).why == "the limit of 2 runs is reached"
    assert model.asked == [("edit", "run_1", 1), ("edit", "run_2", 1), ("edit", "run_2", 1), ("notes", "run_2", 1)]


def test_stop_run_ends_only_the_run(tmp_path):
    slow = {
        "experiment__py": lambda text: text.replace(
            "    fits = {}",
            "    import os, time; time.sleep(30 if os.path.exists('.study/slow') else 0)\n    fits = {}",
        )
    }
    root, settings = world.start(
        tmp_path, folder=world.template(tmp_path / "toy", **slow), max_runs=2, executor="local", sandbox="none"
    )

    def meanwhile(prompt):
        if prompt.run == "run_1":
            (root / ".study/slow").touch()

    class Watching(Script):
        def complete(self, prompt, pulse):
            if prompt.run == "run_2":
                (root / ".study/slow").unlink(missing_ok=True)
            return super().complete(prompt, pulse)

    model = Watching(
        edits(rate(0.05, 0.02), rate(0.05, 0.01)) | {("notes", "run_2", 1): notes("run_2")}, before_reply=meanwhile
    )
    import threading

    def stopper():
        import time

        while not (root / ".study/attempts/run_1-try-1/status.json").exists():
            time.sleep(0.02)
        inbox.drop(root / ".study/inbox", "stop", what="run")

    thread = threading.Thread(target=stopper)
    thread.start()
    stop = world.go(root, model, settings)
    thread.join()
    assert stop.exit_code == 0
    runs = world.state_of(root).runs
    assert (runs["run_1"].status, runs["run_1"].closed) == ("closed", "stopped by a person")
    assert runs["run_2"].status == "good"


def test_a_persons_interventions_are_told(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    inbox.drop(root / ".study/inbox", "note", text="mind the seeds", keep=False)
    edit_by_hand(root)
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")})
    world.go(root, model, settings)
    world.go(root, model, take=True)
    told = [what for _, what in world.state_of(root).interventions]
    assert told == ["hint: mind the seeds", "took over a person's edit of experiment.py"]
    assert "2 interventions" in (root / "README.md").read_text()


def test_a_block_that_fits_only_the_text_before_the_persons_edit_is_sent_back(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)

    def meddle(prompt):
        if prompt.turn == 1:
            path = root / "experiment.py"
            path.write_text(path.read_text().replace("0.05", "0.04"))

    model = Script(
        edits([rate(0.05, 0.02), "Again.\n" + block('    "learning_rate": 0.04,', '    "learning_rate": 0.03,')])
        | {("notes", "run_1", 1): notes("run_1")},
        before_reply=meddle,
    )
    assert world.go(root, model, settings).exit_code == 5
    assert world.go(root, model, take=True).exit_code == 0
    assert '"learning_rate": 0.03' in (root / "experiment.py").read_text()


def waiting_for_a_person(tmp_path, what):
    """A study whose manual model waits for run_1 when somebody asks it to stop."""
    root, settings = world.start(tmp_path, max_runs=1)
    stopped = iter([lambda: inbox.drop(root / ".study/inbox", "stop", what=what)])

    class Waits(Script):
        def complete(self, prompt, pulse):
            next(stopped, lambda: None)()
            return super().complete(prompt, pulse)  # pulses before it answers

    model = Waits(edits(rate(0.05, 0.02)))
    return root, model, world.go(root, model, settings)


def test_stop_ends_a_wait_for_a_reply(tmp_path):
    root, _, stop = waiting_for_a_person(tmp_path, "study")
    assert (stop.exit_code, stop.why) == (1, "stopped by a person; no run gave a usable result")
    assert world.state_of(root).waiting_call.name == "0001-edit"


def test_stop_run_while_its_change_is_awaited_closes_it(tmp_path):
    root, model, stop = waiting_for_a_person(tmp_path, "run")
    assert world.state_of(root).runs["run_1"].closed == "stopped by a person"
    assert (stop.exit_code, model.asked) == (1, [("edit", "run_1", 1)])


def test_another_model_can_take_over_where_a_recording_ends(tmp_path):
    root, settings = world.start(tmp_path, max_runs=2)
    with pytest.raises(InputProblem, match="no reply"):
        world.go(root, Script({("edit", "run_1", 1): rate(0.05, 0.02)}), settings)
    model = Script(TWO_RUNS)
    assert world.go(root, model).exit_code == 0
    assert model.asked == [("edit", "run_2", 1), ("notes", "run_2", 1)]


def test_a_link_in_place_of_a_file_is_not_taken_but_can_be_put_aside(tmp_path):
    root, settings = world.start(tmp_path, max_runs=1)
    (tmp_path / "mine.py").write_text("x = 1\n")
    (root / "experiment.py").unlink()
    (root / "experiment.py").symlink_to(tmp_path / "mine.py")
    model = Script(edits(rate(0.05, 0.02)) | {("notes", "run_1", 1): notes("run_1")})
    assert world.go(root, model, settings).exit_code == 5
    with pytest.raises(InputProblem, match="cannot hold symbolic links"):
        world.go(root, model, take=True)
    assert world.go(root, model, stash=True).exit_code == 0
    assert not (root / "experiment.py").is_symlink() and (tmp_path / "mine.py").read_text() == "x = 1\n"


def test_a_script_of_the_template_stays_executable(tmp_path):
    toy = world.template(tmp_path / "toy")
    (toy / "harness/tool.sh").write_text("#!/bin/sh\necho ok\n")
    root, _ = world.start(tmp_path, folder=toy, max_runs=1)
    assert subprocess.run([str(root / "harness/tool.sh")], capture_output=True, text=True).stdout == "ok\n"
    assert git(root, "status", "--porcelain") == ""
