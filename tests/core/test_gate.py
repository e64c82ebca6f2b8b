import warnings

import pytest

from agent.core.gate import Passed, Refused, check

OLD = {"experiment.py": "x = 1\n", "plot.py": "y = 1\n"}


def refused(changed, seen=None, before=OLD):
    result = check(before, changed, seen or {})
    assert isinstance(result, Refused)
    return result.problems


def test_a_change_of_the_experiment_starts_a_run():
    assert check(OLD, {"experiment.py": "x = 2\n"}, {"run_0": OLD}) == Passed({"experiment.py": "x = 2\n"}, True)


@pytest.mark.parametrize("name", ["plot.py", "notes/run_1.txt", "probes.py"])
def test_a_change_of_plots_or_notes_alone_starts_none(name):
    passed = check(OLD, {name: "z = 1\n"}, {"run_0": OLD})
    assert (passed.files, passed.starts_run) == ({name: "z = 1\n"}, False)
    assert "does not touch the experiment's own code" in passed.why


def test_a_file_that_stays_as_it_is_is_no_change():
    passed = check(OLD, dict(OLD), {})
    assert (passed.files, passed.starts_run) == ({}, False)


def test_code_that_does_not_compile_is_quoted_with_its_line():
    (said,) = refused({"experiment.py": "x = 1\ndef f(:\n    pass\n"})
    assert said == "experiment.py would not compile: invalid syntax (line 2 after the change: `def f(:`)"


def test_all_files_that_do_not_compile_are_named():
    said = refused({"plot.py": "(", "experiment.py": "  x = 1\n"})
    assert [s.split()[0] for s in said] == ["experiment.py", "plot.py"]


@pytest.mark.parametrize(
    "code",
    ["x = '\0'\n", "(" * 5000 + ")" * 5000, "x = " + "-" * 100_000 + "1", "\ud800 = 1", "return 1", "x = '\ud800'"],
)
def test_hopeless_code_is_refused_and_not_a_crash(code):
    assert "would not compile" in refused({"experiment.py": code})[0]


def test_a_syntax_warning_is_no_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check(OLD, {"experiment.py": "x = '\\d' is 'y'\n"}, {}).starts_run


def test_other_languages_are_not_compiled():
    assert check(OLD, {"conf.toml": "def f(:"}, {}).starts_run


def test_an_experiment_whose_results_are_known_is_not_run_again():
    seen = {"run_0": {"experiment.py": "x = 0\n"}, "run_1": {"experiment.py": "x = 2\n", "plot.py": "other"}}
    assert (
        "the experiment is now the one of run_1, whose results are known"
        in refused({"experiment.py": "x = 2\n"}, seen)[0]
    )
    said = refused({"experiment.py": "x = 2  # two\n"}, seen)[0]
    assert "in all but comments and layout the one of run_1" in said


def test_comments_docstrings_and_layout_are_taken_and_start_no_run():
    new = {"experiment.py": '"""Sets x."""\n\n# one\nx = (1)\n', "notes/run_1.txt": "seen"}
    passed = check(OLD, new, {"run_0": OLD})
    assert (passed.files, passed.starts_run) == (new, False)
    assert "of experiment.py it changes only comments, docstrings or layout" in passed.why


def test_what_calls_into_libraries_say_refuses_a_change_that_can_be_mended():
    result = check(OLD, {"experiment.py": "x = 2\n"}, {}, lambda before, changed: tuple(changed))
    assert result == Refused(("experiment.py",), mendable=True)


def test_a_file_more_makes_another_experiment():
    seen = {"run_1": {"experiment.py": "x = 2\n"}}
    assert check(OLD, {"experiment.py": "x = 2\n", "model.py": ""}, seen).starts_run


@pytest.mark.parametrize("name", ["experiment.py", "plot.py", "probes.py"])
def test_code_that_would_surely_fail_is_refused_with_its_line_and_can_be_mended(name):
    result = check(OLD, {name: "z = 1\nnp.zeros(z)\n"}, {})
    said = f"{name} would fail in line 2 after the change, `np.zeros(z)`: `np` is not imported in this file"
    assert result == Refused((said,), mendable=True)


def test_what_compiles_not_is_said_before_what_would_fail():
    (said,) = refused({"experiment.py": "spam\n", "plot.py": "("})
    assert said.startswith("plot.py would not compile")


def test_a_fault_that_was_there_before_is_no_fault_of_the_change():
    old = {"experiment.py": "x = 1\nspam()\n"}
    assert check(old, {"experiment.py": "x = 2\n\nspam()\n"}, {}).starts_run
    assert "`spam`" in refused({"experiment.py": "x = 2\nspam()\nspam()\n"}, before=old)[0]


def test_other_languages_and_notes_are_not_read_for_names():
    assert check(OLD, {"notes/run_1.txt": "spam()", "conf.toml": "spam = eggs"}, {})
