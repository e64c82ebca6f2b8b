import subprocess
import sys

import pytest

from agent.core.job import Outcome
from agent.core.traceback import read
from agent.core.triage import AGAIN, CODER, HELD, STOPPED, Case, blame

SOURCE = "import model\n\n\ndef main():\n    rate = 0.1\n    model.fit(rate)\n\n\nmain()\n"
MODEL = "def fit(rate):\n    return 1 / 0\n"
EDITABLE = {"experiment.py": SOURCE, "nets/model.py": MODEL}


def case(ending="finished", exit_code=1, stderr="", stdout="", **more):
    outcome = Outcome(ending, "experiment", exit_code, more.pop("signal", None), detail=more.pop("detail", ""))
    return Case(
        outcome, stdout, stderr, editable=EDITABLE.__contains__, sources=EDITABLE.__getitem__, root="/study", **more
    )


TRACE = """warning: something
Traceback (most recent call last):
  File "/study/experiment.py", line 9, in <module>
    main()
  File "/study/experiment.py", line 6, in main
    model.fit(rate)
  File "/study/nets/model.py", line 2, in fit
    return 1 / 0
           ~~^~~
  File "/usr/lib/python3/torch/nn.py", line 5, in forward
    raise
ZeroDivisionError: division by zero
"""


def test_frames_of_editable_files_are_shown_with_their_lines():
    why = blame(case(stderr=TRACE))
    assert (why.kind, why.evidence) == ("code", "ZeroDivisionError: division by zero")
    assert (
        "experiment.py, line 6, in main:\n     3 | \n     4 | def main():\n     5 |     rate = 0.1\n>    6 |     model.fit(rate)"
        in why.detail
    )
    assert "nets/model.py, line 2, in fit:\n     1 | def fit(rate):\n>    2 |     return 1 / 0" in why.detail
    assert "torch" not in why.detail


HARNESS = """Traceback (most recent call last):
  File "/study/experiment.py", line 6, in main
    model.fit(rate)
  File "{where}", line 2, in load
    raise damaged(path, problem)
{error}: the world is missing or damaged
"""


@pytest.mark.parametrize(
    "where, error, kind",
    [
        ("/study/harness/data.py", "OSError", "environment"),
        ("/study/harness/data.py", "PermissionError", "environment"),
        ("/study/harness/data.py", "ValueError", "code"),  # what it was given was wrong
        ("/study/nets/model.py", "OSError", "code"),  # the coder's own file
        ("/usr/lib/python3/pathlib.py", "FileNotFoundError", "code"),  # asked for by whom?
    ],
)
def test_an_os_error_that_the_templates_own_frozen_files_raise_is_not_the_coders(where, error, kind):
    assert blame(case(stderr=HARNESS.format(where=where, error=error))).kind == kind


def test_a_file_of_the_same_name_elsewhere_is_not_the_coders():
    why = blame(case(stderr=TRACE.replace("/study/", "/usr/lib/")))
    assert "No frame of an editable file" in why.detail


@pytest.mark.parametrize("line", [0, 9999])
def test_a_line_that_the_file_does_not_have_is_no_crash(line):
    stderr = f'Traceback (most recent call last):\n  File "experiment.py", line {line}, in f\nValueError: x\n'
    assert blame(case(stderr=stderr)).evidence == "ValueError: x"


def test_of_chained_exceptions_the_last_counts():
    chained = (
        TRACE
        + "\nDuring handling of the above exception, another exception occurred:\n\n"
        + ('Traceback (most recent call last):\n  File "experiment.py", line 5, in main\nRuntimeError: while mending\n')
    )
    assert blame(case(stderr=chained)).evidence == "RuntimeError: while mending"


def test_a_syntax_error_of_the_script_itself_is_a_traceback_too(tmp_path):
    (tmp_path / "experiment.py").write_text("x = 1\ndef f(:\n    pass\n")
    stderr = subprocess.run([sys.executable, "experiment.py"], cwd=tmp_path, capture_output=True, text=True).stderr
    why = blame(
        Case(
            Outcome("finished", "experiment", 1),
            "",
            stderr,
            editable={"experiment.py"}.__contains__,
            sources=lambda name: "x = 1\ndef f(:\n    pass\n",
            root=str(tmp_path),
        )
    )
    assert why.evidence == "SyntaxError: invalid syntax"
    assert ">    2 | def f(:" in why.detail


def test_a_real_traceback_is_understood(tmp_path):
    (tmp_path / "experiment.py").write_text("def f():\n    raise ValueError('first\\nsecond')\n\n\nf()\n")
    stderr = subprocess.run([sys.executable, "experiment.py"], cwd=tmp_path, capture_output=True, text=True).stderr
    assert read(stderr).final[-1][-1].first_line == "ValueError: first"
    why = blame(Case(Outcome("finished", "experiment", 1), "", stderr, sources=lambda name: "", root=str(tmp_path)))
    assert why.evidence == "ValueError: first"


def test_a_progress_bar_before_the_traceback_does_not_hide_it():
    why = blame(case(stderr="\r 10%|#  | 1/10\r 20%|## | 2/10" + TRACE[len("warning: something\n") :]))
    assert why.evidence == "ZeroDivisionError: division by zero"


def test_of_a_progress_bar_only_the_last_state_is_told():
    bar = "loading\n" + "".join(f"\r{i:3d}%|####" for i in range(101)) + "\nkilled\n"
    detail = blame(case(stderr=bar)).detail
    assert "100%" in detail
    assert " 99%" not in detail
    assert "loading" in detail
    assert "killed" in detail


def test_windows_line_ends_in_the_output_are_no_progress_bar():
    assert "first\nsecond" in blame(case(stdout="first\r\nsecond\r\n")).detail


def test_long_output_is_told_by_its_end():
    detail = blame(case(stdout="x" * 1_000_000 + "\nthe end\n")).detail
    assert "the end" in detail
    assert len(detail) < 4000


def test_an_exit_without_a_traceback_tells_its_code_and_the_output():
    why = blame(case(exit_code=3, stdout="so far\n", stderr="oh no\n"))
    assert (why.kind, why.evidence) == ("code", "experiment ended with exit code 3")
    assert "so far" in why.detail
    assert "oh no" in why.detail


@pytest.mark.parametrize(
    ("which", "kind", "evidence"),
    [
        (case("timeout", None, seconds_allowed=600), "resource", "did not end within 10 m 00 s and was killed"),
        (case("limit", None, detail="'experiment' used 3 GB."), "resource", "'experiment' used 3 GB."),
        (case("limit", None), "resource", "experiment exceeded a limit and was killed"),
        (case("finished", None, signal=11), "unknown", "experiment was ended by signal 11 (SIGSEGV)"),
        (case("stopped", None, asked_by="person"), STOPPED, "stopped on request"),
        (case("stopped", None, asked_by="study"), "interrupted", "stopped on request"),
        (case("lost", None), "lost", "the launcher died before the job ended"),
        (case("unstartable", None, detail="no such interpreter"), "environment", "no such interpreter"),
        (case(exit_code=0, problems=("a: bad", "b: bad")), "contract", "a: bad"),
        (case(exit_code=0), "contract", "no usable final_info.json"),
        (
            case(touched=("harness/world.py", "run_0/x")),
            "sealed",
            "the run changed frozen files: harness/world.py, run_0/x",
        ),
        (case("timeout", None, touched=("a",)), "sealed", "the run changed frozen files: a"),
    ],
)
def test_a_row_for_each_ending(which, kind, evidence):
    why = blame(which)
    assert (why.kind, why.evidence) == (kind, evidence)


def test_of_an_exceeded_limit_the_coder_is_told_the_most_that_was_used_and_the_last_output():
    usage = {"memory": 214.33 * 2**20, "processes": 3, "disk": 2**20, "output": 512.0}
    out = Outcome(
        "limit", "experiment", signal=9, detail="'experiment' used 214.3 MB; 200 MB are allowed.", usage=usage
    )
    why = blame(Case(out, "epoch 3\n", ""))
    assert why.kind == "resource" and why.kind in CODER
    used = "The most that was seen: 214.3 MB of memory, 1 MB of disk, 0.0004883 MB of output, 3 processes."
    assert why.detail == used + "\n\nLast output:\nepoch 3"
    bare = Case(Outcome("limit", "experiment", usage={"disk": 2**20}), "", "")  # where no more can be measured
    assert blame(bare).detail == "The most that was seen: 1 MB of disk."


def test_all_problems_of_the_results_are_told():
    detail = blame(case(exit_code=0, problems=tuple(f"m{i}: bad" for i in range(50)))).detail
    assert detail.startswith("- m0: bad\n- m1: bad")
    assert detail.count("\n") == 29


def test_every_kind_has_somebody_who_acts():
    kinds = {
        "code",
        "resource",
        "contract",
        "sealed",
        "numeric",
        "lost",
        "interrupted",
        "environment",
        "unknown",
        "transient",
    }
    groups = (CODER, AGAIN, HELD, (STOPPED,))
    assert {kind for group in groups for kind in group} == {*kinds, STOPPED}
    assert sum(map(len, groups)) == len(kinds) + 1


@pytest.mark.parametrize(
    "stderr",
    [
        "",
        "\n",
        "Traceback (most recent call last):",
        "Traceback (most recent call last):\n",
        "\x1b[31mTraceback\x1b[0m",
        "\r\r\r",
    ],
)
def test_evidence_is_always_one_line(stderr):
    evidence = blame(case(stderr=stderr)).evidence
    assert evidence
    assert len(evidence.splitlines()) == 1
