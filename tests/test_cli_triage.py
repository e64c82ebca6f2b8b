"""`ai-scientist triage`: a log, an attempt, a run → whose failure it is, why, and what to do."""

import io
import json

import pytest

from agent import cli
from tests.logs import FOLDER, logs
from tests.stories import world
from tests.stories.world import Script, block, edits

LOGS = {log.name: log for log in logs()}


def triage(capsys, *arguments):
    code = cli.main(["triage", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def judged(capsys, *arguments):
    code, out, err = triage(capsys, "--json", *arguments)
    assert (code, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["class", "evidence", "action"]
    return found


@pytest.fixture
def template(tmp_path):
    """The template that most of the logs are about."""
    folder = tmp_path / "template"
    for name, text in LOGS["data_file_missing"].about["template"].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "template.toml").write_text(
        'name = "tiny"\ncommand = "python experiment.py --out_dir={out_dir}"\neditable = ["experiment.py"]\n'
    )
    return folder


def test_a_log_is_told_in_three_lines(capsys, template):
    code, out, err = triage(capsys, FOLDER / "data_file_missing.stderr", "-t", template)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "class:    environment",
        "evidence: FileNotFoundError: [Errno 2] No such file or directory: '/study/harness/corpus.npy'",
        "action:   Put /study/harness/corpus.npy where the template looks for it, then resume.",
    ]


def test_a_program_reads_the_same_as_json(capsys, template):
    found = judged(capsys, FOLDER / "shape_mismatch.stderr", "--template", template)
    assert found["class"] == "code"
    assert found["evidence"].startswith("RuntimeError: mat1 and mat2 shapes cannot be multiplied")
    assert "coder" in found["action"]


@pytest.mark.parametrize(
    "name", ["requests_read_timeout", "disk_full_dev_full", "memory_python", "nan_assertion", "name_error"]
)
def test_without_a_template_what_needs_none_is_known_all_the_same(capsys, name):
    assert judged(capsys, FOLDER / f"{name}.stderr")["class"] == LOGS[name].expected


def test_without_a_template_it_says_what_it_cannot_know(capsys):
    code, out, err = triage(capsys, FOLDER / "module_the_template_needs.stderr")
    assert (code, out.splitlines()[0]) == (0, "class:    unknown")
    assert "--template DIR" in err


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("--exit-code", "137"), "resource", "signal 9"),
        (("--signal", "9"), "resource", "signal 9"),
        (("--signal", "15"), "transient", "signal 15"),
        (("--signal", "11"), "unknown", "signal 11"),
        (("--exit-code", "127"), "environment", "exit code 127"),
        ((), "unknown", "exit code 1 and said nothing"),
    ],
)
def test_how_it_ended_says_what_an_empty_log_does_not(capsys, tmp_path, arguments, kind, said):
    (log := tmp_path / "log").write_text("")
    found = judged(capsys, log, *arguments)
    assert found["class"] == kind
    assert said in found["evidence"]


def test_a_log_comes_from_the_standard_input(capsys, monkeypatch):
    monkeypatch.setattr(
        "sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\nOSError: [Errno 28] No space left on device\n"))
    )
    found = judged(capsys, "-")
    assert (found["class"], found["evidence"]) == ("environment", "OSError: [Errno 28] No space left on device")


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """Two studies with one run each: the edit of the first cannot work, the disk of the second is full."""
    made = []
    for line in ("import sparse_kernels_fast", "print('x', file=open('/dev/full', 'w'), flush=True)"):
        root, settings = world.start(tmp_path_factory.mktemp("triage"), max_runs=1, attempts_per_run=1)
        script = Script(edits("Try.\n" + block("    fits = {}", f"    {line}\n    fits = {{}}")))
        made.append((root, script, world.go(root, script, settings)))
    return made


def test_of_an_attempt_the_study_says_what_the_template_needs(capsys, studies):
    root = studies[0][0]
    attempt = root / ".study/attempts/run_1-try-1"
    for place in (attempt, attempt / "stderr.log", root / "run_1"):
        found = judged(capsys, place)
        assert (found["class"], found["evidence"]) == (
            "code",
            "ModuleNotFoundError: No module named 'sparse_kernels_fast'",
        )


def test_the_loop_judges_as_the_command_does(capsys, studies):
    for root, *_ in studies:
        (attempt,) = world.state_of(root).runs["run_1"].attempts
        found = judged(capsys, root / "run_1")
        assert attempt.blame == found["class"]
        assert found["evidence"] in attempt.evidence


def test_of_a_full_disk_the_coder_is_not_told(studies):
    root, model, stop = studies[1]
    (attempt,) = world.state_of(root).runs["run_1"].attempts
    assert attempt.blame == "environment"
    assert stop.exit_code in (2, 4)
    assert [key for key in model.asked if key[0] == "edit"] == [("edit", "run_1", 1)]


def judged_in_the_loop(place, line, **files):
    """How the loop judges a run whose edit is one line, and what it tells the coder."""
    toy = world.template(place / "toy", **files)
    root, settings = world.start(place, folder=toy, max_runs=1, attempts_per_run=1)
    world.go(root, Script(edits("Try.\n" + block("    fits = {}", f"    {line}\n    fits = {{}}"))), settings)
    run = world.state_of(root).runs["run_1"]
    return run.attempts[0].blame, run.feedback


def test_an_edit_that_reaches_out_of_a_closed_profile_is_told_so(tmp_path):
    line = "import urllib.request; urllib.request.urlopen('http://192.0.2.1/corpus', timeout=0.2)"
    kind, told = judged_in_the_loop(tmp_path, line)
    assert kind == "code"
    assert told.startswith("this profile has no network")


def test_an_edit_that_looks_for_sealed_files_is_told_so(tmp_path):
    sealed = {
        "template__toml": lambda text: text.replace('primary = "', 'sealed = ["harness/kept/**"]\nprimary = "', 1)
    }
    readme = {"plot__py": lambda text: f"{text}\n# scored on harness/kept/points.txt\n"}
    kind, told = judged_in_the_loop(tmp_path, "open('harness/kept/points.txt')", **sealed, **readme)
    assert kind == "code"
    assert told.startswith("this file is sealed")


def test_of_a_baseline_nothing_is_the_coders_that_is_missing(tmp_path):
    toy = world.template(tmp_path / "toy")
    (toy / "harness/world.py").write_text("open('run_0/weights.npz')\n")
    root, settings = world.start(tmp_path, folder=toy)
    world.go(root, Script({}), settings)
    assert world.state_of(root).runs["run_0"].attempts[0].blame == "environment"


def test_an_attempt_that_did_not_fail_is_no_question(capsys, studies):
    code, out, err = triage(capsys, studies[0][0] / ".study/attempts/run_0-try-1")
    assert (code, out) == (2, "")
    assert "did not fail" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.log",), "there is no nowhere.log"),
        ((".",), "is no attempt and no run of a study"),
        (("log", "--exit-code", "1", "--signal", "9"), "not both"),
        (("log", "-t", "no_such_template"), "no_such_template"),
        (("unended",), "has not ended"),
    ],
)
def test_bad_input_is_one_clear_sentence(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "log").write_text("x")
    (tmp_path / "unended").mkdir()
    (tmp_path / "unended/status.json").write_text(
        '{"state": "running", "pid": 1, "host": "h", "started": 1, "heartbeat": 1}'
    )
    code, out, err = triage(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_log_that_cannot_be_read_is_told(capsys):
    code, out, err = triage(capsys, "/proc/self/mem")  # a file that even root cannot read from its beginning
    assert (code, out) == (4, "")
    assert "nput/output error" in err


def test_help_says_what_can_be_given(capsys):
    with pytest.raises(SystemExit):
        cli.main(["triage", "--help"])
    shown = capsys.readouterr().out
    assert all(word in shown for word in ("LOG", "--exit-code", "--signal", "--template", "standard input"))
