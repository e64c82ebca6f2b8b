"""What default figures show: the right seeds, each verdict in a way of its own, nothing that is not there; and what is said."""

import json
import math
import re

import pytest

from agent.core.comparison import NOT_COMPARABLE
from agent.writing import axes, captions
from agent.writing.figures import MOST_ROWS, chosen_metrics, document, figures
from tests.helpers import accepted, after, good_run, ready, template
from tests.writing import studies
from tests.writing.studies import STUDIES

KL, L0 = "core.kl_nats", "core.l0"


def made(name):
    state, kind = STUDIES[name]()
    return state, kind, {figure.name: figure for figure in figures(state, kind)}


def point(figure, run, metric=KL):
    panel = next(p for p in figure.panels if p.y.metric == metric)
    return next(p for p in panel.points if p.run == run)


@pytest.mark.parametrize("name", STUDIES)
def test_the_data_of_all_figures_is_plain_json_with_finite_numbers(name):
    state, kind, _ = made(name)
    told = json.loads(json.dumps(document(state, kind), allow_nan=False))
    assert told["figures"] and {"runs", "metrics", "caption", "table"} <= told["figures"][0].keys()


@pytest.mark.parametrize("name", STUDIES)
def test_the_same_state_gives_the_same_data(name):
    state, kind, _ = made(name)
    assert json.dumps(document(state, kind)) == json.dumps(document(*STUDIES[name]()))


def test_there_is_nothing_to_draw_before_anything_was_tried():
    assert figures(ready(), template()) == ()


def test_a_confirmed_run_and_its_baseline_are_drawn_with_their_fresh_seeds():
    state, _, found = made("one")
    ours, base = point(found["default_metrics"], "run_1"), point(found["default_metrics"], "run_0")
    fresh = studies.measures(0.0556, seeds=5, shift=2, l0=16.2)[KL]
    assert (ours.y, ours.y_stderr, ours.n, ours.fresh, ours.mark) == (fresh.mean, fresh.stderr, 5, True, "better")
    assert base.y == state.runs["run_0"].confirmation[KL]["mean"] != state.runs["run_0"].metrics[KL]["mean"]
    assert found["default_metrics"].panels[0].reference == (base.y, base.y_stderr)


def test_without_a_confirmation_the_first_seeds_are_drawn_and_nothing_is_fresh():
    _, _, found = made("sizes")
    points = [p for panel in found["default_metrics"].panels for p in panel.points]
    assert not any(p.fresh for p in points)
    assert point(found["default_runs"], "run_3", "a.tiny").mark == "unconfirmed"


def test_each_run_has_the_mark_of_its_verdict():
    _, _, found = made("ten")
    marks = {p.run: (p.mark, p.fresh) for p in found["default_runs"].panels[0].points}
    assert marks == {
        "run_0": ("baseline", True), "run_0_jumprelu": ("other baseline", False), "run_0_untrained": ("other baseline", False),
        "run_1": ("within noise", False), "run_2": ("better", True), "run_4": ("worse", False), "run_5": ("no effect", False),
        "run_6": (NOT_COMPARABLE, False), "run_7": (NOT_COMPARABLE, False), "run_9": ("within noise", True),
        "run_10": ("better", True),
    }  # fmt: skip


def test_a_failed_run_has_its_place_among_the_runs_and_no_value_anywhere():
    _, _, found = made("three")
    assert [(row.run, row.failed) for row in found["default_runs"].rows if not row.baseline] == [
        ("run_1", False), ("run_2", True), ("run_3", False),
    ]  # fmt: skip
    assert all(p.run != "run_2" for figure in found.values() for panel in figure.panels for p in panel.points)
    assert "run_2" not in found["default_metrics"].runs
    assert "Failed and is crossed out: run 2." in found["default_runs"].caption
    assert "run_2 | Try it | failed: ValueError" in found["default_runs"].table


def test_a_study_whose_runs_all_failed_still_shows_its_baselines():
    state, kind = studies.study("failed", "failed")
    found = {figure.name: figure for figure in figures(state, kind)}
    assert [p.mark for p in found["default_runs"].panels[0].points].count("baseline") == 1
    assert "\\factverdict" not in found["default_runs"].caption


def test_without_a_constraint_there_is_no_tradeoff():
    assert set(made("plain")[2]) == {"default_metrics", "default_runs"}


def test_a_constraint_that_is_the_same_in_all_runs_has_no_panel():
    tradeoff = made("ten")[2]["default_tradeoff"]
    assert [panel.x.metric for panel in tradeoff.panels] == [L0]
    assert tradeoff.panels[0].allowed == pytest.approx((14.4, 17.6))
    assert point(tradeoff, "run_7").x > 17.6


def test_the_primary_metric_comes_first_and_costs_and_loss_shares_never():
    state, kind = STUDIES["ten"]()
    runs = [*state.good, state.reference]
    assert chosen_metrics(runs, kind, KL) == [KL, "core.explained_variance", "synthetic.f1"]
    few = template(
        metrics={
            "a.p": {"role": "primary", "direction": "up"},
            "a.q": {"direction": "down"},
            "a.t": {"role": "cost", "direction": "down"},
        }
    )
    shown = [accepted("run_1", metrics={m: {"mean": 1.0} for m in ("a.p", "a.q", "a.r", "a.t", "loss_share.x")})]
    assert chosen_metrics(shown, few, "a.p") == ["a.p", "a.q"]


def test_a_run_that_lacks_a_metric_has_no_point_there():
    state = after(ready(*good_run(1, metrics={"fit.mse": {"mean": 1.0}, "fit.more": {"mean": 2.0}})))
    kind = template(metrics={"fit.mse": {"direction": "down"}, "fit.more": {"direction": "up"}})
    found = figures(state, kind)[0]
    assert [p.run for p in found.panels[1].points] == ["run_1"] and found.panels[1].reference is None
    assert "run_0 | baseline | 3 | 2.0000 ± 0.1000 | –" in found.table


def test_of_very_many_runs_the_best_and_the_newest_are_drawn_and_the_rest_is_counted():
    steps = [studies.ran(0.05 if n == 3 else 0.07 + n / 1000) for n in range(1, 41)]
    state, kind = studies.study(*steps)
    found, over_runs, *_ = figures(state, kind)
    runs = [row.number for row in found.rows if not row.baseline]
    assert len(found.rows) == MOST_ROWS and runs[0] == 3 and runs[1:] == list(range(25, 41))
    assert "23 earlier runs are left out." in found.caption
    assert len(over_runs.rows) == 43 and "left out" not in over_runs.caption


# ---- axes


def test_what_must_be_shown_is_within_the_axis_and_a_far_baseline_is_not():
    _, _, found = made("ten")
    for panel in found["default_metrics"].panels:
        for p in panel.points:
            inside = panel.y.low < p.y - (p.y_stderr or 0) and p.y + (p.y_stderr or 0) < panel.y.high
            assert inside == (p.run != "run_0_untrained"), (panel.y, p)


def test_values_over_several_powers_of_ten_get_a_logarithmic_axis():
    _, _, found = made("sizes")
    scales = {panel.y.metric: panel.y.scale for panel in found["default_metrics"].panels}
    assert scales == {**dict.fromkeys(scales, "linear"), "a.wide": "log"}


@pytest.mark.parametrize("value", [0.0, 1.0, -3e-12, 1e15, 1.7e308, -1.7e308, 5e-324])
def test_an_axis_has_a_length_whatever_is_on_it(value):
    axis = axes.axis("a.b", template(), [(value, value, axes.RUN)])
    assert axis.low < axis.high and math.isfinite(axis.low) and math.isfinite(axis.high)


def ends(direction, *spans):
    metrics = {"a.b": {"direction": direction}}
    axis = axes.axis("a.b", template(metrics=metrics), [(s, s, rank) for s, rank in spans])
    return axis.scale, axis.low, axis.high


USUAL = ((0.06, axes.KEPT), (0.062, axes.RUN), (0.061, axes.RUN))


def test_a_run_that_is_far_worse_does_not_press_the_others_together():
    scale, low, high = ends("down", *USUAL, (3.0, axes.RUN))
    assert scale == "linear" and 0.05 < low < 0.06 and 0.062 < high < 0.07
    scale, low, high = ends("up", *USUAL, (-3.0, axes.RUN))
    assert 0.05 < low < 0.06 and 0.062 < high < 0.07


def test_so_do_several_that_are_far_worse_together():
    runs = [*USUAL, *((0.06 + at / 1000, axes.RUN) for at in range(6)), *((far, axes.RUN) for far in (1.0, 1.4, 1.5))]
    assert 0.065 < ends("down", *runs)[2] < 0.07
    assert ends("down", *runs[:5], *runs[-3:])[2] > 1.0  # three of seven are too many to be left out


def test_what_is_far_better_and_the_baseline_are_always_on_the_axis():
    assert ends("down", *USUAL, (0.0001, axes.RUN))[1] < 0.0001
    assert ends("up", *USUAL, (3.0, axes.RUN))[2] > 3.0
    assert ends("none", *USUAL, (-3.0, axes.RUN))[1] < -3.0
    far = ((9.0, axes.KEPT), (0.06, axes.RUN), (0.061, axes.RUN), (0.062, axes.RUN))
    assert ends("down", *far)[2] > 9.0


def test_only_few_runs_are_left_beyond_an_axis():
    runs = [(0.06, axes.KEPT), (0.061, axes.RUN), (-50.0, axes.RUN), (-60.0, axes.RUN), (-2000.0, axes.RUN)]
    assert -100 < ends("up", *runs)[1] < -60


def test_a_unit_is_taken_out_of_a_label():
    assert axes.split_unit("Training time per seed (s)") == ("Training time per seed", "s")
    assert axes.split_unit("(odd)") == ("(odd)", "") and axes.split_unit("plain") == ("plain", "")


# ---- what is said


@pytest.mark.parametrize("name", STUDIES)
def test_a_caption_has_no_measured_number_but_by_reference(name):
    for figure in made(name)[2].values():
        said = re.sub(r"\\fact\w+(\{[^{}]*\})+", "", figure.caption)
        said = said.replace("± 1 standard error", "")
        for axis in (axis for panel in figure.panels for axis in (panel.y, panel.x) if axis):
            said = said.replace(axis.label, "")
        assert not re.search(r"\d", re.sub(r"([Rr]un|in) \d+", "", said)), said


def test_a_caption_says_what_marks_are_only_where_there_are_such():
    ten, sizes, plain = (made(name)[2]["default_runs"].caption for name in ("ten", "sizes", "plain"))
    assert "Not comparable with the baseline (hatched): run 6 and run 7." in ten
    assert "Filled: measured again on fresh seeds, as the baseline is; hollow: as first measured." in ten
    assert "Run 10 \\factverdict{run_10}{core.kl_nats} the baseline (\\factdiff{run_10}{run_0}{core.kl_nats})." in ten
    assert "factverdict" not in sizes  # the best is not confirmed, and so it is not said to be better
    assert "Not confirmed on fresh seeds: run 3." in sizes and "Filled" not in sizes
    assert "no standard error is known" in plain and "hatched" not in plain and "Seeds" not in plain


def test_a_caption_becomes_latex_with_its_references_untouched():
    said = captions.in_latex(r"50 % of $x_1$: \factn{run_1}, \factdiff{run_1}{run_0}{a.b_c} ± 1 \ {~}")
    assert said == (
        r"50 \% of \$x\_1\$: \factn{run_1}, \factdiff{run_1}{run_0}{a.b_c} $\pm$ 1 \textbackslash{} \{\textasciitilde{}\}"
    )


@pytest.mark.parametrize("name", STUDIES)
def test_the_table_has_every_plotted_number(name):
    for figure in made(name)[2].values():
        for panel in figure.panels:
            for p in panel.points:
                line = next(line for line in figure.table.splitlines() if line.startswith(f"{p.run} |"))
                assert p.said in line and (p.x_said in line)


def test_the_runs_and_metrics_of_a_figure_are_those_that_it_shows():
    tradeoff = made("ten")[2]["default_tradeoff"]
    assert tradeoff.metrics == (KL, L0)
    assert set(tradeoff.runs) == {p.run for panel in tradeoff.panels for p in panel.points}
