"""The digest with verdicts: what is unconfirmed, confirmed, not comparable or a copy says so; and it stays short."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from agent.core import events as e
from agent.core.cells import best, verdict
from agent.core.compare import Rules
from agent.core.curve import parse_curve
from agent.core.digest import HISTORY, LATEST, cell, difference, history, latest
from agent.core.fold import fold
from agent.core.measures import Measure
from agent.core.result import Result, parse_result
from agent.core.template import parse_template
from agent.core.verdicts import confirmed, screened, wants_confirmation
from tests.helpers import accepted, after, created, entries, good_run, opened, ready, template

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

TOY = template(metrics={"fit.mse": {"direction": "down", "role": "primary"}})
RULES = Rules(TOY, "fit.mse")
BASE = [2.0, 2.1, 1.9, 2.05, 1.95]


def of(values, first_seed=0, protocol=None):
    seeds = tuple(range(first_seed, first_seed + len(values)))
    return Result({"fit.mse": Measure.of(values, seeds)}, protocol or {}, {}, seeds={"fit": seeds})


def json_of(result):
    return {m: v.to_json() for m, v in result.measures.items()}


def with_run(state, number, result, **others):
    """`state` with one more run, screened."""
    name = f"run_{number}"
    state = after(state, *good_run(number, metrics=json_of(result)))
    return after(state, screened(name, {"run_0": of(BASE), **others, name: result}, "run_0", RULES))


def test_a_run_that_screens_as_better_is_unconfirmed_and_asks_for_fresh_seeds():
    state = with_run(ready(), 1, of([1.0, 1.1, 0.9]))
    run = state.runs["run_1"]
    assert wants_confirmation(run.comparison)
    assert latest(state, TOY, run).startswith("run_1: unconfirmed. fit.mse: -1 (95 % interval")
    assert "3 seeds against 5 of run_0" in latest(state, TOY, run)
    assert history(state, TOY).splitlines()[-1].endswith("| −1.0000 | unconfirmed")


def test_a_confirmed_run_is_shown_with_its_fresh_seeds_and_so_is_the_baseline_beside_it():
    state = with_run(ready(), 1, of([1.0, 1.1, 0.9]))
    fresh, base = of([1.3, 1.2, 1.4, 1.25, 1.35], 10), of([2.2, 2.1, 2.3, 2.15, 2.25], 10)
    state = after(state, confirmed(state.runs["run_1"].comparison, fresh, base, RULES))
    run = state.runs["run_1"]
    assert verdict(run) == "better"
    assert cell(run, "fit.mse", TOY).startswith("1.3000")
    assert difference(run, state.reference, "fit.mse", TOY) == "−0.9000"
    assert "| 2.2000 ± 0.0354 | 1.3000 ± 0.0354 | −0.9000 | better" in latest(state, TOY, run)
    assert run.screened["stage"] == "screen"
    assert not wants_confirmation(run.comparison)


def test_the_best_run_is_a_confirmed_one_before_a_better_mean():
    state = with_run(ready(), 1, of([1.5, 1.6, 1.4]))
    fresh, base = of([1.5, 1.6, 1.4, 1.55, 1.45], 10), of([v + 0.01 for v in BASE], 10)
    state = after(state, confirmed(state.runs["run_1"].comparison, fresh, base, RULES))
    state = with_run(state, 2, of([1.0, 1.1, 0.9]))
    assert best(state, TOY).name == "run_1"
    assert "best so far: run_1 1.5000 ± 0.0354 (better)" in latest(state, TOY, state.runs["run_2"])


def test_what_is_not_comparable_is_never_the_best_and_says_so_in_every_cell():
    state = with_run(ready(), 1, of([1.5, 1.6, 1.4]))
    state = with_run(state, 2, of([0.1, 0.2, 0.15], protocol={"fit": {"eval": {"points": 3}}}))
    text = latest(state, TOY, state.runs["run_2"])
    assert text.startswith("run_2: not comparable. fit.protocol.eval.points: missing → 3")
    assert text.splitlines()[2].endswith("| not comparable")
    assert history(state, TOY).splitlines()[-1].endswith("| not comparable")
    assert best(state, TOY).name == "run_1"


def test_results_of_another_run_are_named_in_outcome_and_warning():
    copied = of([1.5, 1.6, 1.4])
    state = with_run(ready(), 1, copied)
    state = with_run(state, 2, copied, run_1=copied)
    text = latest(state, TOY, state.runs["run_2"])
    assert text.startswith("run_2: no effect. all results are those of run_1 to the bit")
    assert "warning: the results of run_2 are those of run_1 to the bit" in text


def test_a_run_equal_on_the_seeds_that_both_have_differs_by_nothing_though_the_baseline_has_more():
    base, copied = of([2.0, 2.3, 1.9, 2.05, 1.95]), of([2.0, 2.3, 1.9])
    state = after(ready(), e.RunAccepted(run="run_0", attempt=0, head="1" * 40, metrics=json_of(base)))
    state = after(
        state,
        *good_run(1, metrics=json_of(copied)),
        screened("run_1", {"run_0": base, "run_1": copied}, "run_0", RULES),
    )
    run = state.runs["run_1"]
    assert cell(state.reference, "fit.mse", TOY).startswith("2.0400") and cell(run, "fit.mse", TOY).startswith("2.0667")
    assert difference(run, state.reference, "fit.mse", TOY) == "+0.0000"
    assert "| 2.0667 ± 0.1202 | 2.0667 ± 0.1202 | +0.0000 | no effect" in latest(state, TOY, run)
    assert history(state, TOY).splitlines()[-1].endswith("| 2.0667 ± 0.1202 | +0.0000 | no effect")


def test_warnings_of_a_confirmation_join_those_of_the_screening_once():
    state = with_run(ready(), 1, of([1.0, 1.1, 0.9]))
    again = e.RunCompared(
        run="run_1", stage="confirmed", comparison=state.runs["run_1"].comparison, warnings=("a", "b")
    )
    state = after(state, again, again)
    assert state.runs["run_1"].warnings == ("a", "b")


# --- the SAE template's own results --------------------------------------------------------------------------------------

CASES = Path(__file__).parent / "cases" / "sae"
SAE = Path(__file__).parents[2] / "templates" / "sae" / "template.toml"
BASELINES = ("run_0", "run_0_jumprelu", "run_0_l1")


def sae(runs=1):
    """Three baselines and a run of the SAE template, profile tiny, as measured; further runs are that one, moved by one per cent."""
    made = parse_template(tomllib.loads(SAE.read_text("utf-8")), "sae")
    results = {name: parse_result((CASES / f"{name}.json").read_text("utf-8")) for name in (*BASELINES, "run_1")}
    first = results.pop("run_1")
    plan = e.PlanFrozen(plan={"primary": "core.kl_nats", "max_runs": 10}, sha256="0")
    measured = [accepted(name, 0, metrics=json_of(result)) for name, result in results.items()]
    state = fold(entries(created(BASELINES), opened(), *measured, plan))
    for i in range(1, runs + 1):
        results[f"run_{i}"] = first if i == 1 else _moved(first, 1 + 0.01 * i)
        state = after(state, *good_run(i, metrics=json_of(results[f"run_{i}"])))
        state = after(state, screened(f"run_{i}", results, "run_0", Rules(made, "core.kl_nats")))
    return state, made


def _moved(result, factor):
    moved = {m: Measure.of([x * factor for x in v.values], v.seeds) for m, v in result.measures.items()}
    kept = {m: v for m, v in result.measures.items() if m in ("core.l0", "training.tokens")}
    return Result({**moved, **kept}, result.protocol, result.config, seeds=result.seeds)


def test_a_run_of_the_sae_template_against_three_baselines_takes_900_characters_and_what_matters_is_in_them():
    state, made = sae()
    curve = parse_curve((CASES / "run_1_training.json").read_text("utf-8"))
    text = latest(state, made, state.runs["run_1"], curve)
    assert len(text) <= 900
    primary = [m for m, metric in made.metrics.items() if metric.role == "primary"]
    assert all(any(line.startswith(m) for line in text.splitlines()) for m in primary)
    for said in (
        "core.l0 16.00",
        "training.tokens",
        "loss: reconstruction",
        "by step 1:",
        "also: ",
        "within noise",
        "± 0.0012",
    ):
        assert said in text


def test_ten_runs_of_the_sae_template_take_2500_characters_all_told():
    state, made = sae(10)
    rows = history(state, made)
    assert len(rows) + len(latest(state, made, state.runs["run_10"])) <= 2500
    assert [line.split(" | ")[0] for line in rows.splitlines()[1:]] == [*BASELINES, *(f"run_{i}" for i in range(1, 11))]


words = st.text(max_size=300)
measures = st.builds(Measure.of, st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=5), st.just(()))


@given(st.dictionaries(words.filter(bool), measures, min_size=1, max_size=40), st.lists(words, max_size=6), st.data())
def test_no_result_and_no_warning_makes_a_digest_longer_than_its_limit(metrics, told, data):
    primary = data.draw(st.sampled_from(sorted(metrics)))
    base = Result({m: Measure.of([v.mean + 1, v.mean + 2, v.mean + 4]) for m, v in metrics.items()}, {}, {})
    run, made = Result(metrics, {}, {}), template(metrics={})
    plan = e.PlanFrozen(plan={"primary": primary, "max_runs": 9}, sha256="0")
    state = fold(entries(created(), opened(), accepted("run_0", 0, metrics=json_of(base)), plan))
    event = screened("run_1", {"run_0": base, "run_1": run}, "run_0", Rules(made, primary))
    event = event.model_copy(update={"warnings": (*event.warnings, *told)})
    state = after(state, *good_run(1, metrics=json_of(run)), event)
    steps = data.draw(st.integers(1, 300))
    curve = {name: tuple(float(i) for i in range(steps)) for name in ("step", "loss")}
    text = latest(state, made, state.runs["run_1"], curve)
    assert len(text) <= LATEST
    assert "(primary)" in text
    assert len(history(state, made)) <= HISTORY
    assert json.loads(json.dumps(event.comparison)) == event.comparison
