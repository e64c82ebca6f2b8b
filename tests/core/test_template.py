import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.errors import InputProblem
from agent.core.file_names import globbed as matches
from agent.core.template import classic, is_experiment, parse_template
from tests.helpers import template

SMALL = {"name": "toy", "command": "python experiment.py --out_dir={out_dir}", "editable": ["experiment.py"]}


def problems(**changes):
    data = {key: value for key, value in {**SMALL, **changes}.items() if value is not None}
    with pytest.raises(InputProblem) as caught:
        parse_template(data, "template.toml")
    return list(caught.value.problems)


def test_a_small_template_has_one_profile_and_one_baseline():
    small = parse_template(SMALL, "t")
    assert small.profile() == ("default", small.profiles["default"])
    assert small.baseline_run("") == "run_0"
    assert not small.classic


def test_unknown_keys_are_named_with_what_was_meant_at_every_depth():
    said = problems(
        primery="a.b",
        profiles={"tiny": {"seds": {}, "seeds": {"scren": 3}}},
        metrics={"a.b": {"lable": "x"}},
        baselines=[{"name": "a", "envv": {}}],
        environment={"pyton": "x"},
    )
    assert sorted(said) == [
        'baselines.0.envv: unknown key (did you mean "env"?)',
        'environment.pyton: unknown key (did you mean "python"?)',
        'metrics.a.b.lable: unknown key (did you mean "label"?)',
        'primery: unknown key (did you mean "primary"?)',
        'profiles.tiny.seds: unknown key (did you mean "seeds"?)',
        'profiles.tiny.seeds.scren: unknown key (did you mean "screen"?)',
    ]


def test_wrong_values_and_missing_keys_come_together():
    said = problems(
        name="Toy!", command=None, editable=[], profiles={"tiny": {"timeout": "soon", "seeds": {"screen": 0}}}
    )
    assert [s.split(":")[0] for s in said] == [
        "name",
        "command",
        "editable",
        "profiles.tiny.timeout",
        "profiles.tiny.seeds.screen",
    ]


def test_what_does_not_fit_together_comes_together():
    said = problems(primary="a.c", metrics={"a.b": {}, "lonely": {}}, baselines=[{"name": "x"}, {"name": "x"}])
    assert len(said) == 1
    for part in (
        '"a.c" is not under [metrics] (did you mean "a.b"?)',
        '"lonely" must be FAMILY.METRIC',
        '"x" stands twice',
    ):
        assert part in said[0]


@pytest.mark.parametrize("path", ["/etc/passwd", "~/x", "../x", "a/../../b", "", "a\\..\\b"])
def test_a_path_outside_the_template_is_refused(path):
    assert problems(editable=[path])


@pytest.mark.parametrize("command", ["", "python 'x --out_dir={out_dir}", '"" {out_dir}'])
def test_a_command_that_no_shell_would_split_is_refused(command):
    assert "command" in problems(command=command)[0]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_in_a_template_is_finite(value):
    assert problems(metrics={"a.b": {"target": value}})
    assert problems(profiles={"tiny": {"timeout": value}})


def test_where_the_results_go_must_be_in_both_commands():
    assert [s.split(",")[0] for s in problems(command="python a.py", evaluate="python -m e")] == [
        "command: there is no {out_dir} in it",
        "evaluate: there is no {out_dir} in it",
    ]


def test_braces_of_a_command_are_its_own():
    parse_template({**SMALL, "command": "python e.py --out_dir={out_dir} --set '{\"a\": {}}'"}, "t")


def test_a_constraint_needs_a_tolerance():
    assert "needs a tolerance" in problems(metrics={"a.b": {"role": "constraint"}})[0]


def test_one_interpreter_only():
    assert "one of" in problems(environment={"python": "a", "uv": "b"})[0]


def test_a_profile_that_is_not_there_is_named_with_those_that_are():
    toy = template(profiles={"tiny": {}, "small": {}})
    assert toy.profile()[0] == "tiny"
    with pytest.raises(InputProblem, match='no profile "tinny" \\(did you mean "tiny"'):
        toy.profile("tinny")


def test_the_first_baseline_is_run_0_under_its_own_name_too():
    toy = template(baselines=[{"name": "sgd"}, {"name": "zero"}])
    assert [toy.baseline_run(n) for n in ("", "sgd", "zero")] == ["run_0", "run_0", "run_0_zero"]
    with pytest.raises(InputProblem, match='no baseline "zerro"'):
        toy.baseline_run("zerro")


def test_an_unknown_metric_has_no_direction():
    assert template().metric("x.y").direction == "none"


def test_a_metric_without_a_label_is_read_as_words():
    made = template(
        metrics={
            "core.mse": {"label": "Mean squared error"},
            "core.l0": {},
            "probes.*": {"optional": True},
            "scr.*": {"label": "SCR"},
        }
    )
    said = {
        "core.mse": "Mean squared error", "core.l0": "core: l0", "probes.temporal_consistency": "probes: temporal consistency",
        "scr.top_5": "SCR: top 5", "unknown.a_b.c": "unknown: a b c", "loss": "loss",
    }  # fmt: skip
    assert {metric: made.label(metric) for metric in said} == said


def test_notes_can_always_be_edited_and_the_rest_is_frozen():
    toy = template(editable=["experiment.py", "src/**/*.py", "conf/*.toml"])
    for path in ("experiment.py", "notes/run_3.txt", "src/a.py", "src/deep/er/a.py", "conf/a.toml"):
        assert toy.may_edit(path), path
    for path in (
        "notes.txt",
        "harness/world.py",
        "src/a.txt",
        "conf/deep/a.toml",
        "notes/deep/x.txt",
        "experiment_py",
        "x/experiment.py",
    ):
        assert not toy.may_edit(path), path


@pytest.mark.parametrize(
    ("path", "pattern", "fits"),
    [
        ("a.py", "*.py", True),
        ("d/a.py", "*.py", False),
        ("d/a.py", "**/*.py", True),
        ("a.py", "**/*.py", True),
        ("d/e/a.py", "d/**", True),
        ("d", "d/**", False),
        ("a.py", "?.py", True),
        ("/.py", "?.py", False),
        ("a+b.py", "a+b.py", True),
        ("a\nb", "a*", True),
        ("a.py\n", "a.py", False),
        ("d/e/f/a", "d/**/a", True),
        ("d/a", "d/**/a", True),
        ("dxa", "d/**/a", False),
    ],
)
def test_stars_stay_inside_a_folder_and_double_stars_cross(path, pattern, fits):
    assert matches(path, (pattern,)) is fits


NAME = st.text("ab.*?+[]()\\^$/\n", min_size=1, max_size=8)


@given(NAME.filter(lambda n: "*" not in n and "?" not in n), NAME)
def test_a_plain_name_matches_itself_only(name, other):
    assert matches(name, (name,))
    assert matches(other, (name,)) is (other == name)


@given(st.lists(st.text("abc.", min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_double_star_matches_every_path_and_a_star_one_level(parts):
    path = "/".join(parts)
    assert matches(path, ("**",))
    assert matches(path, ("*",)) is (len(parts) == 1)
    assert matches(path, ("/".join("*" * len(parts)),))
    assert matches(path, ("**/" + parts[-1],))


@pytest.mark.parametrize(
    "path", ["plot.py", "probes.py", "notes/run_1.txt", "notes.txt", "latex/template.tex", "latex/a/b.tex"]
)
def test_changing_these_starts_no_run(path):
    assert not is_experiment(path)


@pytest.mark.parametrize("path", ["experiment.py", "src/plot.py", "conf/a.toml", "notes.py"])
def test_changing_these_starts_a_run(path):
    assert is_experiment(path)


def test_trust_is_1_only_with_frozen_code():
    assert template().trust(("experiment.py", "harness/world.py"))[0] == 1
    assert template().trust(("experiment.py", "harness/api.md"))[0] == 0
    assert "evaluate is a job" in template(evaluate="python -m h {out_dir}").trust(("h.py",))[1]
    assert classic("c", {}).trust(("experiment.py", "other.py"))[0] == 0


def test_trust_is_2_only_with_a_second_job_sealed_data_and_a_sandbox_that_hides_them():
    whole = template(evaluate="python -m h {out_dir}", sealed=["harness/heldout/**"])
    assert whole.trust(("h.py",), hides=True)[0] == 2
    assert whole.trust(("h.py",), hides=False)[0] == 1
    assert template(evaluate="python -m h {out_dir}").trust(("h.py",), hides=True)[0] == 1
    assert template(sealed=["x"]).trust(("h.py",), hides=True)[0] == 1
    assert whole.trust(("h.txt",), hides=True)[0] == 0


def test_a_classic_template_freezes_all_but_experiment_plot_and_latex():
    old = classic("NanoGPT-lite (2)", {"system": "You are…", "task_description": "Do it.", "other": 1})
    assert (old.name, old.task, old.classic) == ("nanogpt_lite_2_", "You are…\n\nDo it.", True)
    assert [old.may_edit(p) for p in ("experiment.py", "plot.py", "notes/run_1.txt", "latex/t.tex", "prompt.json")] == [
        True,
        True,
        True,
        True,
        False,
    ]
    assert classic("—", {}).name == "_"
