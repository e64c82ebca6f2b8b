import json
import os
import shutil
from pathlib import Path

import pytest

from agent.core.errors import InputProblem
from agent.store import catalog
from agent.store.catalog import find_study, load_idea, load_template, studies

TOY = Path(__file__).parents[1] / "toy"
IDEA = {"Name": "n", "Title": "t", "Experiment": "e"}
TOML = 'name = "mine"\ncommand = "python experiment.py --out_dir={out_dir}"\neditable = ["experiment.py"]\n'


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def mine(here):
    folder = here / "mine"
    folder.mkdir()
    (folder / "template.toml").write_text(TOML)
    (folder / "experiment.py").write_text("x = 1\n")
    return folder


def refused(load, *arguments):
    with pytest.raises(InputProblem) as caught:
        load(*arguments)
    assert caught.value.hint
    return caught.value


# --- ideas -------------------------------------------------------------------------------------------------------------


def write(path, data=IDEA):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_an_idea_is_looked_up_as_a_path_then_here_then_in_the_project(here, monkeypatch):
    project = here / "project"
    monkeypatch.setattr(catalog, "PROJECT", project)
    write(project / "ideas/one.json", {**IDEA, "Title": "of the project"})
    write(project / "ideas/two.json", {**IDEA, "Title": "two of the project"})
    write(here / "ideas/one.json", {**IDEA, "Title": "here"})
    assert load_idea("one")[0].title == load_idea("one.json")[0].title == "here"
    assert load_idea("two")[0].title == load_idea("ideas/two.json")[0].title == "two of the project"
    write(here / "one.json", {**IDEA, "Title": "a path"})
    assert load_idea("one.json")[0].title == "a path"


def test_an_idea_that_is_not_there_is_named_with_what_was_meant(here):
    write(here / "ideas/averaging.json")
    said = refused(load_idea, "averagin")
    assert said.message == 'there is no idea averagin (did you mean "averaging"?)'


@pytest.mark.parametrize(
    "name", ["x" * 300, "x" * 5000, "a/" * 3000, "try a smaller learning rate " * 20, "", "#", "#x", "..", "/dev/null"]
)
def test_a_word_that_is_no_file_is_refused_and_not_a_crash(name):
    refused(load_idea, name)
    refused(load_template, name or "nothing")


def test_an_idea_of_a_list_is_chosen_after_a_hash_and_a_hash_may_be_in_a_name(here):
    write(here / "l.json", [IDEA, {**IDEA, "Name": "m"}])
    assert load_idea("l.json#m")[0].name == load_idea("l.json#2")[0].name == "m"
    write(here / "odd#1.json", {**IDEA, "Name": "odd"})
    assert load_idea("odd#1.json")[0].name == "odd"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{\n "Name": "x",\n}', "line 3, column 1: Expecting property name"),
        ("", "line 1, column 1: Expecting value"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "number with too many digits"),
        ('\ufeff{"Name": "x"}', "is not a usable idea"),
    ],
)
def test_broken_json_is_named_with_its_place(here, text, said):
    write(here / "i.json", text)
    error = refused(load_idea, "i.json")
    assert said in error.message


def test_what_is_not_utf8_is_said(here):
    (here / "i.json").write_bytes(b'{"Name": "caf\xe9"}')
    assert refused(load_idea, "i.json").message == "i.json is not UTF-8 text"
    (here / "u.json").write_bytes('{"Name": "x"}'.encode("utf-16"))
    assert "is not UTF-8 text" in refused(load_idea, "u.json").message


def test_a_folder_is_no_idea(here):
    assert "is a folder" in refused(load_idea, str(here)).message


# --- templates ---------------------------------------------------------------------------------------------------------


def test_the_toy_template_is_whole():
    loaded = load_template(str(TOY / "template"))
    assert set(loaded.files) == {
        "experiment.py",
        "plot.py",
        "template.toml",
        "harness/__init__.py",
        "harness/api.md",
        "harness/world.py",
    }
    assert loaded.template.name == "toy"
    assert loaded.sha256 == load_template(str(TOY / "template")).sha256


def test_a_template_is_looked_up_by_name_and_without_one_the_only_one_is_taken(here, mine, monkeypatch):
    monkeypatch.setattr(catalog, "PROJECT", here / "project")
    assert "no template was named" in refused(load_template, "").message
    (here / "templates").mkdir()
    shutil.move(mine, here / "templates/mine")
    assert load_template("mine").folder == load_template("").folder == here / "templates/mine"
    shutil.copytree(here / "templates/mine", here / "templates/yours")
    said = refused(load_template, "")
    assert "mine, yours" in said.hint
    assert '(did you mean "yours"?)' in refused(load_template, "your").message


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ('name = "x\n', "is no valid TOML: Illegal character '\\n' (at line 1, column 10)"),
        ("a = 1\na = 2\n", "is no valid TOML: Cannot overwrite a value (at line 2"),
        (TOML + "editabel = []\n", "is not a usable template"),
        ("", "is not a usable template"),
        ("a = " + "[" * 50_000, "is no valid TOML"),
    ],
)
def test_a_broken_template_is_named_with_its_place(mine, toml, said):
    (mine / "template.toml").write_text(toml)
    assert said in refused(load_template, "mine").message


def test_all_that_is_wrong_with_the_files_comes_at_once(mine):
    (mine / "template.toml").write_text(
        TOML.replace('"experiment.py"]', '"experiment.py", "gone.py", "bad.py"]\ncontext = ["api.md"]')
    )
    (mine / "bad.py").write_bytes(b"\xff")
    said = refused(load_template, "mine").problems
    assert said == (
        "gone.py: named in template.toml but not there",
        "api.md: named in template.toml but not there",
        "bad.py: editable, but not UTF-8 text",
    )


def test_links_pipes_huge_files_and_names_that_are_no_text_are_refused_together(mine):
    (mine / "link.py").symlink_to("/etc/passwd")
    (mine / "folder").symlink_to("/etc")
    (mine / "broken").symlink_to("nowhere")
    os.mkfifo(mine / "pipe")
    with (mine / "huge.bin").open("wb") as huge:
        huge.truncate(65 * 1024 * 1024)
    (mine / os.fsdecode(b"caf\xe9.txt")).write_bytes(b"")
    said = refused(load_template, "mine").problems
    assert sorted(s.split(":")[0] for s in said) == ["broken", "caf\ufffd.txt", "folder", "huge.bin", "link.py", "pipe"]


def test_outputs_and_droppings_in_a_template_are_left_out(mine):
    for name in (
        "run_0/final_info.json",
        "figures/a.png",
        ".git/config",
        ".study/journal.jsonl",
        "__pycache__/a.pyc",
        "h/__pycache__/b.pyc",
        "a.py~",
    ):
        write(mine / name, "x")
    write(mine / "deep/run_0/kept.txt", "x")
    (mine / "run_9").symlink_to("/")
    assert sorted(load_template("mine").files) == ["deep/run_0/kept.txt", "experiment.py", "template.toml"]


def test_a_template_whose_globs_match_nothing_is_refused(mine):
    (mine / "template.toml").write_text(
        TOML.replace("experiment.py", "src/*.py", 2).replace("python src/*.py", "python experiment.py")
    )
    assert "editable: no file of the template matches" in refused(load_template, "mine").problems


def test_a_folder_without_a_template_and_a_file_are_no_templates(here, mine):
    (mine / "template.toml").unlink()
    assert "has no template.toml" in refused(load_template, "mine").message
    write(here / "file", "x")
    assert "not a template folder" in refused(load_template, "file").message


@pytest.fixture
def classic(here):
    folder = here / "nano_gpt"
    write(folder / "experiment.py", "x = 1\n")
    write(folder / "plot.py", "")
    write(folder / "prompt.json", {"system": "s", "task_description": "t"})
    write(folder / "run_0/final_info.json", {"core": {"means": {"a": 1}}})
    return folder


def test_a_classic_template_brings_its_baseline_along(classic):
    loaded = load_template(str(classic))
    assert loaded.template.classic
    assert json.loads(loaded.baseline_results) == {"core": {"means": {"a": 1}}}
    assert sorted(loaded.files) == ["experiment.py", "plot.py", "prompt.json"]


@pytest.mark.parametrize(
    ("name", "content"), [("prompt.json", b"[]"), ("prompt.json", b"{"), ("run_0/final_info.json", b"\xff")]
)
def test_a_broken_classic_template_is_refused(classic, name, content):
    (classic / name).write_bytes(content)
    assert name in refused(load_template, str(classic)).message


# --- studies -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def results(here):
    for name in ("20260101_000000_alpha", "20260102_000000_beta", "20260103_000000_alphabet"):
        write(here / "results" / name / ".study/journal.jsonl", "")
    write(here / "results/.new-1-x/.study/journal.jsonl", "")
    write(here / "results/other/file", "")
    return here / "results"


def test_studies_are_listed_oldest_first_and_half_made_ones_are_not(results, here):
    assert [name[16:] for name in studies(results)] == ["alpha", "beta", "alphabet"]
    assert studies(here / "none") == []
    assert studies(here / "results/other/file") == []


def test_a_study_is_found_by_any_unique_part_of_its_name(results):
    assert find_study("beta", results) == results / "20260102_000000_beta"
    assert find_study("last", results) == find_study("alphabet", results) == results / "20260103_000000_alphabet"
    assert find_study("20260101_000000_alpha", results).name == "20260101_000000_alpha"


def test_an_ambiguous_or_unknown_word_lists_the_studies(results, here):
    assert (
        refused(find_study, "alpha", results).message
        == '"alpha" fits 2 studies: 20260101_000000_alpha, 20260103_000000_alphabet'
    )
    said = refused(find_study, "gamma", results)
    assert said.hint == "There are: 20260101_000000_alpha, 20260102_000000_beta, 20260103_000000_alphabet."
    assert "there is no study under" in refused(find_study, "x", here / "none").message


@pytest.mark.parametrize("word", ["x" * 300, "hint for the coder, far too long to be a name " * 20])
def test_a_long_word_is_only_a_word(results, word):
    assert "has" in refused(find_study, word, results).message


def test_a_study_is_found_from_inside_it_and_by_its_path(results, here, monkeypatch):
    study = results / "20260102_000000_beta"
    (study / "run_1").mkdir()
    assert find_study(str(study), results) == find_study(f"{study}/run_1", results) == study
    monkeypatch.chdir(study / "run_1")
    assert find_study(".", results) == find_study("", results) == study
    assert "is not inside a study" in refused(find_study, str(here), results).message


def test_a_path_that_is_not_there_is_not_taken_for_the_study_around_it(results, monkeypatch):
    monkeypatch.chdir(results / "20260102_000000_beta")
    assert "there is no folder" in refused(find_study, "results/alpha", results).message
