"""A key of the caller's environment, told by an experiment in every way it finds, is nowhere in what the tool keeps."""

import os
import subprocess
from pathlib import Path

import pytest

from agent.core.redact import HIDDEN
from agent.store import inbox
from tests.stories import world
from tests.stories.test_kill import ONE_RUN, begin, command, recording, resume, study
from tests.stories.world import Script, block

KEY = "planted-key/0123456789+abcdef"
SAFE = KEY.replace("/", "_")  # as a file's name
TELLS = """
def tell(out_dir):
    import glob, json, sys, time
    found = [open({file!r}).read()]
    for path in glob.glob("/proc/[0-9]*/environ"):  # of root nothing keeps the caller's
        try:
            found += [v[13:].decode() for v in open(path, "rb").read().split(b"\\0") if v.startswith(b"SOME_API_KEY=")]
        except OSError:
            pass
    for key in found:
        for piece in (key[:7], key[7:20], key[20:]):
            for stream in (sys.stdout, sys.stderr):
                stream.write(piece)
                stream.flush()
            time.sleep(0.05)
        name = key.replace("/", "_")
        os.makedirs(os.path.join(out_dir, name), exist_ok=True)
        for path in (os.path.join(out_dir, name, name), os.path.join(out_dir, "weights.pt"), "left_" + name,
                     os.path.expanduser("~/" + name), os.path.join(os.environ["TMPDIR"], "x"), "experiment.txt",
                     os.path.join(os.environ["AI_SCIENTIST_CHECKPOINT"], name)):
            with open(path, "wb") as file:
                file.write(b"\\xff\\x00" * 100_000 + key.encode() + b"\\x00" + name.encode())
        if not os.path.islink(os.path.join(out_dir, "link")):
            os.symlink("/nowhere/" + name, os.path.join(out_dir, "link"))
        with open(os.environ["AI_SCIENTIST_PROGRESS"], "a") as file:
            file.write(json.dumps({{"step": 1, "of": 2, "told": key, key: 1.0}}) + "\\n")
    return found[-1]


def main():"""
DETAILS = """    world.report(out_dir, fits, config)
    import json
    path = os.path.join(out_dir, "final_info.json")
    families = json.load(open(path))
    families["fit"]["details"] = {"told": key, key: [key]}
    json.dump(families, open(path, "w"))
"""


def telling(tmp_path):
    """The toy, whose experiment knows the key from a file, and from whatever else it can read."""
    (tmp_path / "outside.txt").write_text(KEY)
    change = [
        ("\ndef main():", TELLS.format(file=str(tmp_path / "outside.txt"))),
        ("    fits = {}", "    key = tell(out_dir)\n    fits = {}"),
        ("    world.report(out_dir, fits, config)\n", DETAILS),
    ]

    def changed(text):
        for old, new in change:
            assert text.count(old) == 1
            text = text.replace(old, new)
        return text

    return world.template(tmp_path / "toy", experiment__py=changed)


def kept(root):
    """Everything that can be read in a folder: names, targets of links, contents, and what git has packed."""
    told = [os.fsencode(root)]
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            told += [os.fsencode(name), os.fsencode(os.readlink(path)) if os.path.islink(path) else b""]
            if os.path.isfile(path) and not os.path.islink(path):
                told.append(Path(path).read_bytes())
    for git in root.rglob(".git"):
        objects = ["git", f"--git-dir={git}", "cat-file", "--batch-all-objects", "--batch", "--unordered"]
        told.append(subprocess.run(objects, capture_output=True, check=True).stdout)
    return b"\n".join(told)


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["local", "inline"])
def test_a_key_that_an_experiment_tells_in_every_way_is_nowhere(tmp_path, monkeypatch, executor):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    monkeypatch.setenv("OTHER_TOKEN", SAFE)
    broken = "    raise SystemError(open(" + repr(str(tmp_path / "outside.txt")) + ").read())\n    fits = {}"
    first = f"Try {KEY}.\n" + block("    fits = {}", broken)
    second = "Mend it.\n" + block(broken, '    fits = {}\n    config["learning_rate"] = 0.01')
    replies = {("edit", "run_1", 1): first, ("edit", "run_1", 2): second}
    replies |= {("notes", "run_1", 1): world.notes("run_1", f"It told {KEY}.")}
    words = ["--sandbox", "none", "--record", tmp_path / "recording.jsonl", "-c", f"executor={executor}"]
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", replies), telling(tmp_path), more=words)
    shown, _ = process.communicate(timeout=100)
    assert process.returncode == 0, shown
    root = study(tmp_path)
    for more in (["show", "last"], ["show", "last", "--json"], ["diff", "last", "1", "--all"]):
        shown += command(*more, "-o", tmp_path / "results").communicate(timeout=30)[0]
    everything = kept(tmp_path / "results") + (tmp_path / "recording.jsonl").read_bytes() + shown.encode()
    for secret in (KEY, SAFE):
        assert secret.encode() not in everything
    assert everything.count(HIDDEN.encode()) > 30
    run = world.state_of(root).runs["run_1"]
    assert [a.blame for a in run.attempts] == ["code", ""]
    assert HIDDEN in (root / ".study/attempts/run_1-try-1/stderr.log").read_text()
    assert [e.evidence for e in world.events_of(root) if e.type == "run.failed"] == [f"SystemError: {HIDDEN}"]
    assert any("keys of your environment were taken out of" in warning for warning in run.warnings)
    assert (root / "run_1" / HIDDEN / HIDDEN).read_bytes().endswith(b"\xff\x00[key]\x00[key]")
    assert world.state_of(root).edited is None  # what was taken out is no person's edit


def test_a_prompt_that_holds_a_key_is_not_sent_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    root, settings = world.start(tmp_path, max_runs=1, idea={"Name": "x", "Title": f"About {KEY}", "Experiment": "x"})
    inbox.drop(root / ".study/inbox", "note", text=f"try it with {KEY}", keep=True)
    model = Script(ONE_RUN)
    assert world.go(root, model, settings).exit_code == 0
    asked = "".join(prompt.text() for prompt in model.prompts)
    assert KEY not in asked and f"try it with {HIDDEN}" in asked and f"About {HIDDEN}" in asked
    assert KEY.encode() not in kept(tmp_path)


def test_what_the_state_was_is_what_the_journal_says(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    root, settings = world.start(tmp_path, max_runs=0)
    inbox.drop(root / ".study/inbox", "note", text=f"use {KEY}", keep=True)
    with world.session.opened(
        root, settings.model_dump(), False, now=lambda: 1.0, tell=lambda *a: None, model=Script({})
    ) as desk:
        desk.take_inbox()
        assert [note.text for note in desk.state.hints] == [f"use {HIDDEN}"]
        assert world.state_of(root) == desk.state


def test_a_persons_edit_with_a_key_in_it_is_asked_about_but_not_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("SOME_API_KEY", KEY)
    process = begin(tmp_path, recording(tmp_path / "session.jsonl", ONE_RUN), more=["--sandbox", "none"])
    assert process.communicate(timeout=60) and process.returncode == 0
    file = study(tmp_path) / "experiment.py"
    before = file.read_text()
    file.write_text(before + f"\nKEY = {KEY!r}\n")
    code, said = resume(tmp_path, "--max-runs", "2", "--take")
    assert code == 5 or "a key of your environment stands in it" in said, said
    code, said = resume(tmp_path, "--max-runs", "2", "--take")
    assert code == 2 and "experiment.py: a key of your environment stands in it" in said
    assert KEY.encode() not in kept(study(tmp_path) / ".git") and KEY in file.read_text()
