"""Bad input of every kind: exit 2, one clear sentence, what to do next, and nothing half-made left behind."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent import cli
from tests.stories import world

TOY = Path(__file__).parent / "toy"
IDEA = {"Name": "n", "Title": "t", "Experiment": "e", "Template": str(TOY / "template")}
COMMANDS = (
    "run",
    "resume",
    "show",
    "diff",
    "check",
    "baseline",
    "note",
    "amend",
    "stop",
    "paper",
    "export",
    "doctor",
    "triage",
)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A results folder with one finished study, made once."""
    place = tmp_path_factory.mktemp("finished")
    idea = place / "idea.json"
    idea.write_text(
        (TOY / "ideas/iterate_averaging.json").read_text().replace("tests/toy/template", str(TOY / "template"))
    )
    shutil.copy(TOY / "ideas/iterate_averaging.replay.jsonl", place / "idea.replay.jsonl")
    done = run_process("run", str(idea), "-o", str(place / "results"), "-c", "executor=inline", "--quiet", cwd=place)
    assert done.returncode == 0, done.stderr
    return place


def run_process(*arguments, cwd, **environment):
    env = {
        **os.environ,
        "XDG_CONFIG_HOME": str(cwd / "no-config"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "agent", *arguments], cwd=cwd, env=env, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A working directory with an idea and a results folder."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results/mine.txt").write_text("untouched")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "idea.json").write_text(json.dumps(IDEA))
    (tmp_path / "good.jsonl").write_text("")
    return tmp_path


@pytest.fixture
def study(here, finished):
    """A finished study in it."""
    shutil.copytree(finished / "results", here / "results", symlinks=True, dirs_exist_ok=True)
    (study,) = (p for p in (here / "results").glob("2*"))
    return study


def tree(folder):
    return {
        str(p.relative_to(folder)): (p.lstat().st_mode, p.read_bytes() if p.is_file() else b"")
        for p in folder.rglob("*")
    }


@pytest.fixture
def refused(here, capsys):
    def refused(*arguments):
        before = tree(here / "results")
        try:
            code = cli.main([str(a) for a in arguments])
        except SystemExit as stop:  # argparse
            code = stop.code
        out, err = capsys.readouterr()
        assert code == 2, (code, out, err)
        assert "Traceback" not in err
        assert out == ""
        assert tree(here / "results") == before
        return err

    return refused


def run(*arguments):
    return ("run", "idea.json", "-m", "replay:good.jsonl", *arguments)


# --- ideas and templates -----------------------------------------------------------------------------------------------


def test_an_idea_that_is_not_there(refused):
    said = refused("run", "none.json")
    assert said.startswith("error: there is no idea none.json (known: adaptive_temporal, ")
    assert said.endswith(")\nGive a path, or the name of one in ideas/.\n")


@pytest.mark.parametrize(
    ("text", "said"), [("{", "line 1, column 2"), ("[]", "empty list"), ("5", "not an idea"), ("\0", "no valid JSON")]
)
def test_an_idea_that_is_no_idea(here, refused, text, said):
    (here / "idea.json").write_text(text)
    assert said in refused(*run())


def test_all_that_is_wrong_with_an_idea_at_once(here, refused):
    (here / "idea.json").write_text(json.dumps({"Name": 5, "Title": [], "Interestingness": "x", "Template": 1}))
    said = refused(*run()).splitlines()
    assert said[0] == "error: idea.json is not a usable idea"
    assert [line.split()[1] for line in said[1:-1]] == ["Title", "Experiment", "Name", "Interestingness", "Template"]


def test_a_template_that_is_not_there(refused):
    assert "error: there is no template toyy" in refused(*run("-t", "toyy"))


def test_all_that_is_wrong_with_a_template_at_once(here, refused):
    shutil.copytree(TOY / "template", here / "mine")
    toml = here / "mine/template.toml"
    toml.write_text(
        toml.read_text()
        .replace("editable", "editabel")
        .replace('timeout = "20s"', 'timeout = "soon"')
        .replace("digits = 5", "digit = 5")
    )
    said = refused(*run("-t", "mine"))
    assert 'editabel: unknown key (did you mean "editable"?)' in said
    assert "profiles.tiny.timeout: 'soon' is no duration" in said
    assert said.count('unknown key (did you mean "digits"?)') == 2
    assert refused("check", "mine") == said


def test_an_unknown_profile_and_baseline(here, refused):
    assert '"small"' in refused(*run("-p", "small"))
    (here / "idea.json").write_text(json.dumps({**IDEA, "Baseline": "zerro"}))
    assert 'no baseline "zerro" (did you mean "zero"?)' in refused(*run())


def test_a_profile_that_needs_what_this_version_cannot_give(here, refused):
    shutil.copytree(TOY / "template", here / "mine")
    toml = here / "mine/template.toml"
    toml.write_text(toml.read_text().replace('timeout = "20s"', 'seed_jobs = "per-job"\nneeds = ["hub:x"]'))
    assert refused(*run("-t", "mine")).count("  - ") == 2


def test_a_profile_that_needs_the_hub_is_refused_where_hosts_cannot_be_told_apart(here, refused):
    shutil.copytree(TOY / "template", here / "mine")
    toml = here / "mine/template.toml"
    toml.write_text(toml.read_text().replace('timeout = "20s"', 'network = "hub"'))
    said = refused(*run("-t", "mine", "--sandbox", "landlock"))
    assert 'network = "hub" needs bubblewrap' in said and "prefetch" in said
    assert not list(here.glob("results/2*"))


def test_what_is_wrong_with_prefetch_is_said_by_check_and_before_a_start(here, refused):
    shutil.copytree(TOY / "template", here / "mine")
    toml = here / "mine/template.toml"
    for place, said in {
        "harness.data:fetch": "it must name a file and a function",
        "harness/data.py:fetch": "there is no harness/data.py",
        "harness/world.py:fetch": "defines no function fetch",
        "experiment.py:main": "is editable, and what the coder writes never runs outside the sandbox",
    }.items():
        toml.write_text((TOY / "template/template.toml").read_text() + f'\n[environment]\nprefetch = "{place}"\n')
        assert said in refused("check", "mine") and said in refused(*run("-t", "mine"))


# --- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o",
        "replay:none.jsonl",
        "replay:",
        "manual:idea.json",
        "manual:idea.json/x",
        "replay:~nobody_xyz/x",
        "replay:.",
    ],
)
def test_a_model_that_cannot_be_used(refused, model):
    assert refused("run", "idea.json", "-m", model).startswith("error: ")


def test_no_model_at_all(refused):
    assert "no model was chosen" in refused("run", "idea.json")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-c", "turns"], "-c turns is not KEY=VALUE"),
        (["-c", "=5"], "-c =5 is not KEY=VALUE"),
        (["-c", "turns_per_atempt=5"], 'turns_per_atempt: unknown key (did you mean "turns_per_attempt"?)'),
        (["-c", "turns_per_attempt=many"], "turns_per_attempt: input should be a valid integer, not 'many'"),
        (["-c", "turns_per_attempt=99"], "less than or equal to 20, not 99"),
        (["-c", "executor=cloud"], "executor: input should be 'local' or 'inline', not 'cloud'"),
        (["-c", "max_runs=" + "[" * 50_000], "max_runs: input should be a valid integer"),
        (["--max-runs", "many"], "max_runs: input should be a valid integer"),
        (["--max-runs", "-1"], "greater than or equal to 0, not -1"),
        (["--max-runs", "2.5"], "max_runs"),
        (["--max-runs", "true"], "max_runs"),
        (["--max-time", "soon"], "'soon' is no duration"),
        (["--max-time", "0"], "no usable duration"),
        (["--max-cost", "free"], "max_cost"),
        (["--max-cost", "NaN"], "max_cost"),
        (["--max-cost", "Infinity"], "max_cost"),
        (["--sandbox", "box"], "invalid choice: 'box'"),
        (["--colour"], "unrecognized arguments: --colour"),
        (["-c", "python=/no/such/python"], "/no/such/python"),
    ],
)
def test_a_setting_that_makes_no_sense(refused, arguments, said):
    assert said in refused(*run(*arguments))


def test_all_wrong_settings_at_once_with_their_place(here, refused):
    (here / "config/ai-scientist").mkdir(parents=True)
    (here / "config/ai-scientist/config.toml").write_text("max_run = 3\n")
    (here / "ai-scientist.toml").write_text('sandbox = "box"\n')
    said = refused(*run("--max-runs", "x"))
    assert "config.toml: max_run: unknown key" in said
    assert "ai-scientist.toml: sandbox" in said
    assert "command line: max_runs" in said


def test_a_broken_settings_file(here, refused):
    (here / "ai-scientist.toml").write_text("max_runs = \n")
    assert "ai-scientist.toml is no valid TOML: Invalid value (at line 1, column 12)" in refused(*run())
    assert "ai-scientist.toml is no valid TOML" in refused("show", "last")


@pytest.mark.parametrize("place", ["idea.json", "idea.json/below", "/proc/none", "/proc/none/below"])
def test_results_that_cannot_be_written(here, refused, place):
    assert "cannot make a study under" in refused(*run("-o", place))
    assert (here / "idea.json").is_file()


@pytest.mark.parametrize("place", [".", "idea.json/x", "/proc/none/x.jsonl"])
def test_a_recording_that_cannot_be_written_is_said_before_anything_is_run(refused, place):
    assert "cannot write the recording" in refused(*run("--record", place))


def test_without_git_nothing_is_begun(study, here, refused, monkeypatch):
    monkeypatch.setenv("PATH", str(here))
    assert (
        refused(*run()) == "error: git is not installed\nInstall git (Debian: apt-get install git) and start again.\n"
    )
    assert "git is not installed" in refused("resume", "last")


# --- studies -----------------------------------------------------------------------------------------------------------

STUDY_COMMANDS = [("resume",), ("show",), ("diff",), ("note", "hint"), ("stop",)]


def on(command, study):
    return (command[0], study, *command[1:])


@pytest.mark.parametrize("command", STUDY_COMMANDS, ids=lambda c: c[0])
def test_a_study_that_is_not_there(study, refused, command):
    assert 'no study under results has "zzz" in its name' in refused(*on(command, "zzz"))
    assert "there is no study under empty" in refused(*on(command, "zzz"), "-o", "empty")
    assert "there is no folder results/zzz" in refused(*on(command, "results/zzz"))
    assert "has" in refused(*on(command, "a sentence in the wrong place " * 20))


@pytest.mark.parametrize("command", STUDY_COMMANDS, ids=lambda c: c[0])
def test_a_word_that_fits_two_studies(study, here, refused, command):
    shutil.copytree(study, study.with_name(study.name + "_2"))
    assert '"averaging" fits 2 studies' in refused(*on(command, "averaging"))


@pytest.mark.parametrize("command", STUDY_COMMANDS, ids=lambda c: c[0])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda lines: [*lines[:2], b'{"v": 1}\n', *lines[3:]], "line 3 is damaged"),
        (lambda lines: lines[1:], "line 1 has number 2"),
        (lambda lines: [b'{"v": 99, "seq": 1, "at": "2026-01-01T00:00:00Z"}\n'], "newer ai-scientist"),
        (lambda lines: [], "does not begin with the study's creation"),
    ],
    ids=["damaged", "cut", "newer", "empty"],
)
def test_a_damaged_journal(study, here, refused, command, damage, said):
    (journal,) = (here / "results").glob("*/.study/journal.jsonl")
    journal.write_bytes(b"".join(damage(journal.read_bytes().splitlines(keepends=True))))
    assert said in refused(*on(command, "last"))


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (["run_33"], "has no run run_33"),
        (["33"], 'has no run run_33 (did you mean "run_3"?)'),
        (["run_1", "none"], "has no run none"),
        (["run_0"], "run_0 is a baseline"),
        (["1", "2", "3"], "at most two runs"),
    ],
    ids=str,
)
def test_a_run_that_is_not_there(study, refused, runs, said):
    assert said in refused("diff", "last", *runs)


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_note(study, refused, text):
    assert "the note is empty" in refused("note", "last", text)


def test_a_note_that_is_no_text(study, refused):
    assert "the note is not UTF-8 text" in refused("note", "last", os.fsdecode(b"caf\xe9"))


def test_stopping_what_is_not_running(study, refused):
    assert "is not being worked on" in refused("stop", "last")
    assert "is not being worked on" in refused("stop", "last", "--run")


def test_what_cannot_change_in_a_study(study, refused):
    assert "profile and template of a study cannot change" in refused(
        "resume", "last", "-c", "profile=x", "-c", "template=y"
    )
    assert "unknown key" in refused("resume", "last", "-c", "zzz=1")
    assert "-c zzz is not KEY=VALUE" in refused("resume", "last", "-c", "zzz")
    assert "not allowed with argument --take" in refused("resume", "last", "--take", "--stash")


@pytest.mark.parametrize("arguments", [(), ("zzz",), ("run",), ("note", "last"), ("show", "a", "b")])
def test_a_command_that_is_not_complete(refused, arguments):
    assert "usage: ai-scientist" in refused(*arguments)


# --- as programs see it ------------------------------------------------------------------------------------------------


def told(capsys, *arguments, code=0):
    assert cli.main([str(a) for a in arguments]) == code
    out, err = capsys.readouterr()
    assert err == ""
    return json.loads(out)


def test_every_command_that_tells_something_tells_it_as_json(study, here, capsys):
    shown = told(capsys, "show", "last", "--json")
    assert (shown["name"], shown["ended"], len(shown["runs"])) == (study.name, "completed", 5)
    assert told(capsys, "show", "--json") == [{"name": study.name, "status": shown["status"], "good_runs": 3}]
    assert "+" in told(capsys, "diff", "last", "run_1", "--json")["diff"]
    assert told(capsys, "diff", "last", "2", "3", "--json")["from"] == "run_2"
    assert told(capsys, "check", "idea.json", "--json")["ok"]
    assert told(capsys, "check", TOY / "template", "--json")["template"] == "toy"
    assert set(told(capsys, "note", "last", "try less", "--json")) == {"study", "slip"}
    assert {"what", "state", "found", "fix"} == set(told(capsys, "doctor", "--json")["checks"][0])
    again = told(capsys, "resume", "last", "--json", "-c", "executor=inline", "--max-runs", "3", code=0)
    assert (again["exit_code"], again["folder"]) == (0, str(study.relative_to(here)))


@pytest.mark.parametrize(
    "command",
    [
        ("run", "none.json"),
        ("resume", "zzz"),
        ("show", "zzz"),
        ("diff", "zzz"),
        ("check", "none"),
        ("note", "last", " "),
        ("stop", "last"),
    ],
    ids=lambda c: c[0],
)
def test_errors_are_json_too(study, here, capsys, command):
    problem = told(capsys, *command, "--json", code=2)
    assert problem["exit_code"] == 2
    assert problem["error"]
    assert problem["hint"]
    assert problem["problems"] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_names_every_option_and_says_what_it_is_for(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([command, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    commands = next(a for a in cli._parser()._actions if a.choices and "run" in a.choices)
    assert set(commands.choices) == set(COMMANDS)
    for action in commands.choices[command]._actions:
        assert (action.option_strings[-1] if action.option_strings else action.metavar.split("|")[0]) in text
        assert action.help or not action.option_strings


def test_help_of_all_names_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(re.search(rf"^    {command}  ", text, re.MULTILINE) for command in COMMANDS)


def test_the_same_as_real_processes(finished, tmp_path):
    for arguments, said in (
        (("run", "none.json"), "there is no idea"),
        (("show", "zzz"), "no study under"),
        (("stop", "last"), "is not being worked on"),
    ):
        done = run_process(*arguments, "-o", str(finished / "results"), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")
        assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_that_knows_only_ascii_and_a_reader_that_has_gone(finished, tmp_path):
    done = run_process("show", "last", "-o", str(finished / "results"), cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "fit.test_mse" in done.stdout
    line = f"{sys.executable} -m agent diff last run_1 --all -o {finished / 'results'} | head -c 1"
    piped = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert (piped.returncode, piped.stderr) == (0, "")


def test_a_study_held_by_another_process_is_busy(study, here, capsys):
    from agent.store.journal import Lock

    lock = Lock(study / ".study/lock")
    try:
        assert "is being worked on by process" in told(capsys, "resume", "last", "--json", code=2)["error"]
        assert told(capsys, "stop", "last", "--json")["study"] == study.name
    finally:
        lock.release()


def test_a_study_whose_files_are_broken_can_still_be_looked_at(study, here, capsys):
    for name in ("template.toml", "idea.json", "config.toml"):
        (study / name).write_bytes(b"\xff{")
    (study / "experiment.py").unlink()
    (study / "data").symlink_to("/")
    assert told(capsys, "show", "last", "--json")["ended"] == "completed"


def test_settings_with_any_characters_make_a_settings_file_that_can_be_read(tmp_path):
    from agent.store.catalog import read_toml

    odd = "r\N{PILE OF POO}\"'\\\t\x7fé"
    root, _ = world.start(tmp_path, tmp_path / odd)
    assert read_toml(root / "config.toml")["results"] == str(tmp_path / odd)
