"""`show`, README.md, notes.txt and the lines that are told while a study runs all say the verdict."""

import json

from agent.core import events as e
from agent.core.compare import Rules
from agent.core.digest import history, latest
from agent.core.measures import Measure
from agent.core.result import Result
from agent.core.verdicts import confirmed, screened
from agent.report.narrate import narrate
from agent.report.record import record
from agent.report.summary import facts, notes, readme, run_table
from tests.helpers import after, good_run, ready, template

TOY = template(metrics={"fit.mse": {"direction": "down", "role": "primary"}})
RULES = Rules(TOY, "fit.mse")


def of(values, first=0):
    return Result({"fit.mse": Measure.of(values, range(first, first + len(values)))}, {}, {})


BASE, RUN = of([2.0, 2.1, 1.9, 2.05, 1.95]), of([1.0, 1.1, 0.9])


def with_run(number=1, result=RUN, state=None, **others):
    name = f"run_{number}"
    metrics = {m: v.to_json() for m, v in result.measures.items()}
    state = after(state or ready(), *good_run(number, judged=False, metrics=metrics))
    event = screened(name, {"run_0": BASE, **others, name: result}, "run_0", RULES)
    return after(state, event), event


def test_the_best_run_is_shown_with_what_may_be_claimed_of_it():
    state, _ = with_run()
    assert dict(facts(state, TOY))["Best mean"].startswith(
        "run_1: fit.mse 1.0000 ± 0.0577; unconfirmed: -1 (95 % interval"
    )
    before = state.runs["run_1"].comparison
    fresh, base = of([1.3, 1.2, 1.4, 1.25, 1.35], 10), of([2.2, 2.1, 2.3, 2.15, 2.25], 10)
    state = after(state, confirmed(before, fresh, base, RULES))
    assert dict(facts(state, TOY))["Best"].startswith("run_1: fit.mse 1.3000 ± 0.0354; better: -0.9")
    assert record(state, TOY)["best"] == {"run": "run_1", "verdict": "better"}
    assert record(state, TOY)["runs"][1]["screened"] == before
    json.dumps(record(state, TOY))


def test_a_run_without_a_comparison_is_not_claimed_to_be_anything():
    state = after(ready(), *good_run(1, judged=False))
    assert dict(facts(state, TOY))["Best mean"].endswith("not tested for noise")
    assert record(state, TOY)["best"] == {"run": "run_1", "verdict": "–"}


def test_every_table_has_the_verdict_of_a_run_that_is_not_comparable_and_its_reason_is_told():
    drifted = Result(RUN.measures, {"fit": {"eval": {"points": 3}}}, {})
    state, event = with_run(result=drifted)
    for text in (run_table(state, TOY, 140), readme(state, TOY, "Toy"), notes(state, TOY, "Toy", {})):
        assert "not comparable" in text
    tone, said = narrate(e.Entry(v=1, seq=99, at=0, event=event), state, state, TOY)
    assert tone == "bad"
    assert said == "run_1  not comparable: fit.protocol.eval.points: missing → 3"
    assert not {"Best", "Best mean"} & set(dict(facts(state, TOY)))


def test_a_run_that_repeats_another_is_said_to_do_so_once_and_neutrally_where_people_read_it():
    state, _ = with_run()
    state, event = with_run(2, RUN, state, run_1=RUN)
    said = "all results are those of run_1 to the bit"
    assert dict(facts(state, TOY))["No effect"] == f"run_2: {said}" and "Warnings" not in dict(facts(state, TOY))
    told = (notes(state, TOY, "Toy", {}), narrate(e.Entry(v=1, seq=99, at=0, event=event), state, state, TOY)[1])
    assert [(text.count(said), text.count("to the bit"), text.lower().count("warning")) for text in told] == [
        (1, 1, 0)
    ] * 2
    for table in (run_table(state, TOY, 140), readme(state, TOY, "Toy"), history(state, TOY)):
        assert "no effect (as run_1)" in table
    assert "warning: the results of run_2 are those of run_1 to the bit" in latest(state, TOY, state.runs["run_2"])


def test_what_the_verdict_does_not_say_stays_a_warning_and_stands_in_the_notes_once():
    state, event = with_run()
    state = after(
        state,
        event.model_copy(
            update={"warnings": ("the loss term flow is 0.01 % of the loss: it changes next to nothing",)}
        ),
    )
    assert "run_1: the loss term flow" in dict(facts(state, TOY))["Warnings"]
    assert notes(state, TOY, "Toy", {}).count("the loss term flow") == 1
