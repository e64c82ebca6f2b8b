"""The study's repository, against real git."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from agent.core.errors import InfrastructureError
from agent.store.workspace import Workspace

AT = 1_795_256_100.0
CONTENT = {"experiment.py": b"x = 1\n", "harness/world.py": b"y = 1\n", "notes.txt": b"nothing yet\n"}
ODD = {
    "with space.txt": b"1",
    'a "quote".txt': b"2",
    "new\nline.txt": b"3",
    "ünï/cödé \N{PILE OF POO}.txt": b"4",
    "back\\slash": b"5",
    "tab\there": b"6",
    "-rf": b"7",
    "carriage\rreturn": b"8",
    "$(x)`y`*?[z]": b"9",
    "deep/er/and/deep/er": b"10",
    "\x7f\x01": b"11",
}


@pytest.fixture
def study(tmp_path):
    workspace, head = Workspace.create(tmp_path / "study", CONTENT, "Start", AT)
    return workspace, head


def git(root, *arguments, check=True, **environment):
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, env={**os.environ, **environment}
    )
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


ME = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "a@b.c"))
}


def change(workspace, head, message="Change", **changes):
    return workspace.commit(head, {k.replace("__", "."): v for k, v in changes.items()}, message, AT)


# --- commits -----------------------------------------------------------------------------------------------------------


def test_a_new_study_is_a_clean_repository_with_one_commit(study):
    workspace, head = study
    assert git(workspace.root, "status", "--porcelain") == ""
    assert git(workspace.root, "rev-parse", "HEAD", "main").split() == [head, head]
    assert (
        git(workspace.root, "log", "--format=%an <%ae> %at %s").strip()
        == f"ai-scientist <ai-scientist@localhost> {int(AT)} Start"
    )
    assert git(workspace.root, "fsck", "--strict") == ""


def test_what_is_committed_is_read_back_byte_by_byte(study):
    workspace, head = study
    odd = {
        "crlf.txt": b"a\r\nb\r\n",
        "binary": bytes(range(256)) * 3,
        "empty": b"",
        "no_end": b"x",
        "blob 3\n": b"blob 3\n\n",
    }
    new = workspace.commit(head, odd, "Odd", AT)
    assert workspace.read(new) == {**CONTENT, **odd}
    assert workspace.settle(head, new, {}).changes == {}
    assert {name: (workspace.root / name).read_bytes() for name in odd} == odd
    assert workspace.drift(new).changes == {}


def test_odd_names_are_only_names(tmp_path):
    workspace, head = Workspace.create(tmp_path / "study", {**CONTENT, **ODD}, "Odd", AT)
    assert workspace.read(head) == {**CONTENT, **ODD}
    assert workspace.drift(head).changes == {}
    assert {name: (workspace.root / name).read_bytes() for name in ODD} == ODD
    gone = workspace.commit(head, dict.fromkeys(ODD), "Gone", AT)
    workspace.settle(head, gone, {})
    assert sorted(workspace.tree(gone)) == sorted(CONTENT)
    assert not any((workspace.root / name).exists() for name in ODD)


def test_a_name_that_is_no_text_can_be_kept(study):
    workspace, head = study
    name = os.fsdecode(b"caf\xe9.txt")
    (workspace.root / name).write_bytes(b"latin")
    drift = workspace.drift(head)
    assert drift.changes == {name: b"latin"}
    assert drift.files == ("caf\ufffd.txt",)  # as it can be stored and shown
    saved = workspace.keep(head, drift, AT, 1)
    assert workspace.read(saved)[name] == b"latin"
    workspace.restore(head, drift.changes, workspace.root / ".study" / "aside")
    assert workspace.drift(head).changes == {}


def test_the_same_arguments_give_the_same_commit(study):
    workspace, head = study
    assert change(workspace, head, experiment__py=b"x = 2\n") == change(workspace, head, experiment__py=b"x = 2\n")
    assert change(workspace, head, experiment__py=b"x = 2\n") != change(
        workspace, head, "Other", experiment__py=b"x = 2\n"
    )


@pytest.mark.parametrize(
    "message", ["", "one", "two\nlines\n", "ünïcode", "data 5\ncommit refs/heads/main", "nul \0 in it", "a\r\nb"]
)
def test_any_message_is_only_a_message(study, message):
    workspace, head = study
    new = change(workspace, head, message, experiment__py=b"x = 2\n")
    assert workspace.read(new, ["experiment.py"]) == {"experiment.py": b"x = 2\n"}
    body = git(workspace.root, "cat-file", "commit", new).split("\n\n", 1)[1]
    assert body.startswith(message.replace("\r\n", "\n")) or "\r" in message


@pytest.mark.parametrize("who", [("A <b>\nc", "x>y"), ("", ""), ("  ", "<>"), ("Ada\r", "ünï@x")])
def test_any_author_gives_a_sound_commit(study, who):
    workspace, head = study
    workspace.commit(head, {"a": b"1"}, "By hand", AT, who)
    assert "error" not in git(workspace.root, "fsck", "--lost-found", check=False)


def test_a_commit_moves_nothing_until_it_is_settled(study):
    workspace, head = study
    new = change(workspace, head, experiment__py=b"x = 2\n", new__py=b"")
    assert git(workspace.root, "rev-parse", "main").strip() == head
    assert (workspace.root / "experiment.py").read_bytes() == b"x = 1\n"
    workspace.settle(head, new, {"run_1": new})
    assert git(workspace.root, "rev-parse", "main", "run_1").split() == [new, new]
    assert git(workspace.root, "status", "--porcelain") == ""


def test_a_head_that_is_not_there_is_said(study):
    with pytest.raises(InfrastructureError, match=r"git ls-tree failed"):
        study[0].tree("f" * 40)


def test_a_diff_says_what_changed_and_only_there(study):
    workspace, head = study
    new = change(workspace, head, experiment__py=b"x = 2\n", notes__txt=b"more\n")
    assert "+x = 2" in workspace.diff(head, new)
    assert "more" not in workspace.diff(head, new, ["experiment.py"])


# --- the tree follows --------------------------------------------------------------------------------------------------


def test_settling_again_changes_nothing(study):
    workspace, head = study
    new = change(workspace, head, experiment__py=b"x = 2\n", harness=None, **{"harness/world__py": None})
    for _ in range(2):
        assert workspace.settle(head, new, {}).changes == {}
        assert not (workspace.root / "harness/world.py").exists()


def test_a_settle_that_was_broken_off_half_way_is_finished(study):
    workspace, head = study
    new = workspace.commit(head, {"a.txt": b"new", "experiment.py": b"x = 2\n", "notes.txt": None}, "New", AT)
    (workspace.root / "a.txt").write_bytes(b"new")  # as if killed after the first file
    assert workspace.drift(new, head).changes == {}
    assert workspace.settle(head, new, {}).changes == {}
    assert workspace.drift(new).changes == {}


def test_a_file_that_a_person_changed_is_never_overwritten(study):
    workspace, head = study
    new = workspace.commit(head, {"experiment.py": b"x = 2\n", "notes.txt": b"more\n"}, "New", AT)
    (workspace.root / "experiment.py").write_bytes(b"mine\n")
    assert workspace.settle(head, new, {}).changes == {"experiment.py": b"mine\n"}
    assert (workspace.root / "experiment.py").read_bytes() == b"mine\n"
    assert (workspace.root / "notes.txt").read_bytes() == CONTENT["notes.txt"]
    assert git(workspace.root, "rev-parse", "main").strip() == head


def test_a_file_can_take_the_place_of_a_folder_and_the_other_way_round(study):
    workspace, head = study
    flat = workspace.commit(head, {"harness/world.py": None, "harness": b"a file now\n"}, "Flat", AT)
    assert workspace.settle(head, flat, {}).changes == {}
    assert (workspace.root / "harness").read_bytes() == b"a file now\n"
    assert workspace.settle(flat, head, {}).changes == {}
    assert (workspace.root / "harness/world.py").read_bytes() == CONTENT["harness/world.py"]


def test_drift_names_what_is_changed_gone_and_new(study):
    workspace, head = study
    (workspace.root / "experiment.py").write_bytes(b"mine\n")
    (workspace.root / "notes.txt").unlink()
    (workspace.root / "more").mkdir()
    (workspace.root / "more/new.py").write_bytes(b"new\n")
    drift = workspace.drift(head)
    assert drift.changes == {"experiment.py": b"mine\n", "notes.txt": None, "more/new.py": b"new\n"}
    assert drift.files == ("experiment.py", "more/new.py", "notes.txt")


def test_outputs_and_droppings_of_editors_are_no_edits(study):
    workspace, head = study
    for name in (
        "run_3/final_info.json",
        "figures/a.png",
        ".study/x",
        "__pycache__/a.pyc",
        "harness/__pycache__/b.pyc",
        "experiment.py~",
        ".experiment.py.swp",
        ".vscode/settings.json",
        "harness/.DS_Store",
    ):
        (workspace.root / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace.root / name).write_bytes(b"x")
    assert workspace.drift(head).changes == {}


def test_what_is_no_file_does_not_hang_or_break_the_look(study):
    workspace, head = study
    os.mkfifo(workspace.root / "pipe")
    (workspace.root / "gone").symlink_to("nowhere")
    (workspace.root / "out").symlink_to("/")
    (workspace.root / "experiment.py").unlink()
    os.mkfifo(workspace.root / "experiment.py")
    (workspace.root / "notes.txt").unlink()
    (workspace.root / "notes.txt").mkdir()
    began = time.monotonic()
    drift = workspace.drift(head)
    assert time.monotonic() - began < 5
    assert drift.files == ("experiment.py", "gone", "notes.txt", "out", "pipe")
    workspace.keep(head, drift, AT, 1)
    workspace.restore(head, drift.changes, workspace.root / ".study/aside")
    assert workspace.drift(head).changes == {}
    assert (workspace.root / ".study/aside/out").is_symlink()


def test_what_a_person_did_is_kept_for_ever_under_their_own_name(study, monkeypatch):
    workspace, head = study
    for key, value in ME.items():
        monkeypatch.setenv(key, value)
    (workspace.root / "experiment.py").write_bytes(b"mine\n")
    drift = workspace.drift(head)
    saved = workspace.keep(head, drift, AT, 7)
    workspace.restore(head, drift.files, workspace.root / ".study/stashed")
    assert workspace.drift(head).changes == {}
    assert (workspace.root / ".study/stashed/experiment.py").read_bytes() == b"mine\n"
    git(workspace.root, "gc", "--prune=now", "--quiet")
    assert git(workspace.root, "show", "refs/people/7:experiment.py") == "mine\n"
    assert (
        git(workspace.root, "log", "-1", "--format=%an <%ae> %s", saved).strip() == "Ada <a@b.c> By hand: experiment.py"
    )


# --- people and other gits ---------------------------------------------------------------------------------------------


def test_commits_of_a_person_on_main_stay_reachable(study):
    workspace, head = study
    (workspace.root / "mine.txt").write_text("mine")
    git(workspace.root, "add", "mine.txt")
    git(workspace.root, "commit", "-qm", "Mine", **ME)
    mine = git(workspace.root, "rev-parse", "main").strip()
    (workspace.root / "mine.txt").unlink()
    new = change(workspace, head, experiment__py=b"x = 2\n")
    assert workspace.settle(head, new, {}).changes == {}
    git(workspace.root, "reflog", "expire", "--expire=now", "--all")
    git(workspace.root, "gc", "--prune=now", "--quiet")
    assert mine in git(workspace.root, "for-each-ref", "--format=%(objectname)", "refs/people")
    assert git(workspace.root, "rev-parse", "main").strip() == new


def test_commits_of_a_person_on_no_branch_stay_reachable(study):
    workspace, head = study
    git(workspace.root, "checkout", "-q", "--detach")
    git(workspace.root, "commit", "-q", "--allow-empty", "-m", "Mine", **ME)
    mine = git(workspace.root, "rev-parse", "HEAD").strip()
    new = change(workspace, head, experiment__py=b"x = 2\n")
    assert workspace.settle(head, new, {}).changes == {}
    git(workspace.root, "reflog", "expire", "--expire=now", "--all")
    git(workspace.root, "gc", "--prune=now", "--quiet")
    assert git(workspace.root, "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert mine in git(workspace.root, "for-each-ref", "--format=%(objectname)", "refs/people")


def test_on_another_branch_of_a_person_the_tool_goes_back_to_main(study):
    workspace, head = study
    git(workspace.root, "checkout", "-qb", "mine")
    git(workspace.root, "commit", "-q", "--allow-empty", "-m", "Mine", **ME)
    mine = git(workspace.root, "rev-parse", "mine").strip()
    new = change(workspace, head, experiment__py=b"x = 2\n")
    workspace.settle(head, new, {})
    assert git(workspace.root, "symbolic-ref", "HEAD").strip() == "refs/heads/main"
    assert git(workspace.root, "rev-parse", "mine").strip() == mine


@pytest.mark.parametrize(
    "name",
    [
        "index.lock",
        "HEAD.lock",
        "refs/heads/main.lock",
        "refs/tags/run_1.lock",
        "refs/ai-scientist/last.lock",
        "refs/people/1.lock",
    ],
)
def test_a_lock_of_a_git_that_was_killed_does_not_hold_up_a_study(study, name):
    workspace, head = study
    workspace.patience = 0.1
    lock = workspace.root / ".git" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    new = change(workspace, head, experiment__py=b"x = 2\n")
    (workspace.root / "mine.txt").write_text("mine")
    workspace.keep(head, workspace.drift(head), AT, 1)
    (workspace.root / "mine.txt").unlink()
    assert workspace.settle(head, new, {"run_1": new}).changes == {}
    assert git(workspace.root, "rev-parse", "main", "run_1").split() == [new, new]


def test_a_lock_of_a_git_that_lives_is_waited_for(study):
    import threading

    workspace, head = study
    lock = workspace.root / ".git" / "refs/heads/main.lock"
    lock.touch()
    threading.Timer(0.3, lock.unlink).start()
    began = time.monotonic()
    new = change(workspace, head, experiment__py=b"x = 2\n")
    workspace.settle(head, new, {})
    assert 0.2 < time.monotonic() - began < 2.5


@pytest.fixture
def outer(tmp_path, monkeypatch):
    """Another repository around the study, and every setting of a user that could get in the way."""
    home, outer = tmp_path / "home", tmp_path / "outer"
    hooks = home / "hooks"
    hooks.mkdir(parents=True)
    for hook in (
        "pre-commit",
        "commit-msg",
        "post-commit",
        "reference-transaction",
        "post-index-change",
        "post-checkout",
        "fsmonitor",
    ):
        (hooks / hook).write_text(f"#!/bin/sh\necho {hook} >> {home}/hooks-ran\nexit 1\n")
        (hooks / hook).chmod(0o755)
    (home / ".gitconfig").write_text(
        '[user]\n\tname = "Bad <\\"> Name"\n\temail =\n[commit]\n\tgpgsign = true\n[tag]\n\tgpgsign = true\n'
        "[gpg]\n\tprogram = /bin/false\n"
        f"[core]\n\tautocrlf = true\n\tsafecrlf = true\n\thooksPath = {hooks}\n\tfsmonitor = {hooks}/fsmonitor\n\teditor = /bin/false\n"
        f"\texcludesFile = {home}/ignore\n\tattributesFile = {home}/attributes\n\tquotePath = true\n"
        f"[init]\n\tdefaultBranch = trunk\n\ttemplateDir = {hooks}\n\tdefaultObjectFormat = sha256\n"
        "[fetch]\n\tfsckObjects = true\n[diff]\n\texternal = /bin/false\n\tnoprefix = true\n[color]\n\tui = always\n[safe]\n\tdirectory =\n"
    )
    (home / "ignore").write_text("*.py\n")
    (home / "attributes").write_text("* filter=bad diff=bad\n")
    outer.mkdir()
    git(outer, "init", "-q", "-b", "main", "--template=")
    (outer / "tracked.txt").write_text("theirs")
    git(outer, "add", "tracked.txt")
    git(outer, "commit", "-qm", "Theirs", **ME)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "xdg"))
    monkeypatch.setenv("GIT_DIR", str(outer / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(outer))
    monkeypatch.setenv("GIT_INDEX_FILE", str(outer / ".git/index"))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.bare")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")
    return outer


def snapshot(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file() and "study" not in p.parts}


def test_an_outer_repository_and_the_users_settings_are_never_touched(outer):
    before = snapshot(outer)
    workspace, head = Workspace.create(outer / "results" / "study", {**CONTENT, "crlf": b"a\r\nb\n"}, "Start", AT)
    (workspace.root / ".git" / "hooks").mkdir(exist_ok=True)
    for hook in (outer.parent / "home/hooks").iterdir():  # a person may put hooks into the study itself
        (workspace.root / ".git/hooks" / hook.name).write_bytes(hook.read_bytes())
        (workspace.root / ".git/hooks" / hook.name).chmod(0o755)
    (workspace.root / "experiment.py").write_bytes(b"mine\n")
    drift = workspace.drift(head)
    saved = workspace.keep(head, drift, AT, 1)
    workspace.restore(head, drift.files, workspace.root / ".study/aside")
    new = workspace.commit(head, {"experiment.py": b"x = 3\r\n"}, "New", AT)
    assert workspace.settle(head, new, {"run_1": new}).changes == {}
    assert workspace.read(new)["experiment.py"] == (workspace.root / "experiment.py").read_bytes() == b"x = 3\r\n"
    assert workspace.diff(head, new).startswith("diff --git a/experiment.py b/experiment.py")
    assert len(saved) == len(new) == 40
    assert snapshot(outer) == before
    assert not (outer.parent / "home/hooks-ran").exists()


def test_a_study_without_a_usable_identity_is_still_somebodys(study, monkeypatch, tmp_path):
    for key in [k for k in os.environ if k.startswith("GIT_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("USER", "ada")
    (tmp_path / ".gitconfig").write_text("[user\nbroken")
    assert study[0].identity() == ("ada", "ada@localhost")
    (tmp_path / ".gitconfig").write_bytes(b"[user]\n\tname = caf\xe9\n\temail = a@b.c\n")
    name, email = study[0].identity()
    assert (name, email) == ("caf\ufffd", "a@b.c")
    name.encode()


def test_a_repository_that_is_broken_is_an_infrastructure_failure(study):
    workspace, head = study
    (workspace.root / ".git/HEAD").unlink()
    with pytest.raises(InfrastructureError, match="git fast-import failed"):
        change(workspace, head, experiment__py=b"x = 2\n")


def test_where_no_repository_can_be_made_is_said(tmp_path):
    (tmp_path / "study").mkdir()
    (tmp_path / "study/.git").write_text("a file is in the way")
    with pytest.raises(InfrastructureError, match="git init failed"):
        Workspace.create(tmp_path / "study", CONTENT, "Start", AT)


def test_files_are_only_written_under_the_study(study):
    workspace, head = study
    for path in ("../outside", "/tmp/outside", ".git/config", "a/.GIT/x"):
        with pytest.raises(InfrastructureError):
            workspace.commit(head, {path: b"x"}, "Out", AT)
    assert not (Path(workspace.root).parent / "outside").exists()


def test_no_commit_holds_a_key_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", "planted-key-0123456789")
    content = {"experiment.py": b"KEY = 'planted-key-0123456789'\n", "data.bin": b"\xffplanted-key-0123456789\x00"}
    workspace, head = Workspace.create(tmp_path / "study", content, "with planted-key-0123456789", 1000.0)
    assert workspace.read(head) == {"experiment.py": b"KEY = '[key]'\n", "data.bin": b"\xff[key]\x00"}
    assert workspace.drift(head).changes == {}  # the tree is what was committed
    said = subprocess.run(["git", "log", "--format=%B"], cwd=tmp_path / "study", capture_output=True, text=True).stdout
    assert said.strip() == "with [key]"
