"""What a reference says, which values count, and what a misspelt one is told."""

import json
import math
import statistics
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.calls import Try
from agent.core.fact import Fact, Problem
from agent.core.fact_text import exact, latex_text, plain_number, probability, signed
from agent.core.facts import facts_of
from agent.core.references import ARITY, references
from agent.core.study_facts import STUDY
from tests.core.facts import study

CASES = json.loads((study.HERE / "cases.json").read_text())


@pytest.fixture(scope="module")
def facts():
    return facts_of(study.state(), study.template(), study.sources())


def said(facts, text):
    (reference,) = references(text)
    return facts.resolve(reference)


@pytest.mark.parametrize(("text", "plain", "latex"), CASES["right"], ids=[case[0] for case in CASES["right"]])
def test_a_reference_says(facts, text, plain, latex):
    found = said(facts, text)
    assert isinstance(found, Fact), found
    assert (found.text, found.latex) == (plain, latex)


@pytest.mark.parametrize(("text", "meant"), CASES["wrong"], ids=[case[0] for case in CASES["wrong"]])
def test_a_reference_to_nothing_is_told_what_was_meant(facts, text, meant):
    found = said(facts, text)
    assert isinstance(found, Problem)
    assert found.suggestion == meant
    assert found.said.endswith(f'(did you mean "{meant}"?)' if meant else found.text)


def test_a_fact_knows_its_file_its_place_in_it_the_commit_and_the_hash(facts):
    found = said(facts, r"\factpm{run_1.core.kl_nats}")
    assert (found.file, found.path, found.commit) == ("run_1/final_info.json", "core.stderrs.kl_nats", "1" * 40)
    assert found.sha256 == study.sources()["run_1/final_info.json"].sha256
    fresh = said(facts, r"\fact{run_2.core.kl_nats}")
    assert (fresh.file, fresh.path) == ("run_2/confirm/final_info.json", "core.means.kl_nats")
    setting = said(facts, r"\factconf{run_1.core.train.tokens}")
    assert (setting.file, setting.path) == ("run_1/final_info.json", "core.protocol.train.tokens")


def test_nothing_was_changed_in_files_that_say_what_was_journaled(facts):
    assert facts.changed == ()


def test_without_files_the_journal_counts_and_no_setting_is_known():
    facts = facts_of(study.state(), study.template())
    assert said(facts, r"\fact{run_2.core.kl_nats}").text == "0.2321"
    assert isinstance(said(facts, r"\factconf{run_2.training.batch}"), Problem)


def test_a_digit_changed_in_a_results_file_is_said_everywhere():
    content = json.loads(study.texts()["run_1"])
    values = content["core"]["values"]["kl_nats"]
    values[0] += 0.03
    content["core"]["means"]["kl_nats"] = statistics.fmean(values)
    content["core"]["stderrs"]["kl_nats"] = statistics.stdev(values) / math.sqrt(3)
    facts = facts_of(study.state(), study.template(), study.sources({"run_1": json.dumps(content)}))
    assert facts.changed == ("run_1/final_info.json",)
    assert said(facts, r"\factpm{run_1.core.kl_nats}").text == "0.2612 ± 0.0099"
    assert said(facts, r"\factdiff{run_1}{run_0}{core.kl_nats}").text == "+0.0105"
    assert (
        said(facts, r"\factp{run_1}{run_0}{core.kl_nats}").text == "0.801"
    )  # of two degrees of freedom: ½ + t/(2√(2 + t²))
    assert "0.2612 ± 0.0099" in said(facts, r"\facttable{run_0,run_1}{core.kl_nats}").text
    assert said(facts, r"\fact{run_2.core.kl_nats}").text == "0.2321"


def test_a_verdict_follows_a_changed_file_of_the_baseline():
    better = {
        "values": {"kl_nats": [0.2001, 0.2002, 0.2003, 0.2004, 0.2005], "l0": [16.0] * 5},
        "seeds": [3, 4, 5, 6, 7],
    }
    better["means"] = {"kl_nats": 0.2003, "l0": 16.0}
    facts = facts_of(study.state(), study.template(), study.sources({"run_0/confirm": json.dumps({"core": better})}))
    assert facts.changed == ("run_0/confirm/final_info.json",)
    assert said(facts, r"\factverdict{run_2}{core.kl_nats}").text == "is worse than"
    assert said(facts, r"\factverdict{run_1}{core.kl_nats}").text == "is within noise of"


def test_a_cost_that_is_not_known_is_not_stated_as_nothing():
    state = study.state()
    call = next(iter(state.calls.values()))
    unpriced = replace(call, tries=(Try(at=0.0, cost=None),))
    found = said(facts_of(replace(state, calls={call.name: unpriced}), study.template()), r"\factstudy{cost_usd}")
    assert isinstance(found, Problem) and "no known price" in found.said


def test_a_change_in_percent_of_what_cannot_be_told_from_zero_is_not_stated(facts):
    found = facts.fact("factpct", "run_6", "run_6", "own.near_zero")  # 0.0004 ± 0.0005
    assert isinstance(found, Problem) and "cannot be told from zero" in found.said


def test_every_count_of_the_study_can_be_stated(facts):
    assert all(isinstance(facts.fact("factstudy", key), Fact) for key in STUDY)


WORDS = st.sampled_from(["run_0", "run_1", "run_2/first", "run_4", "run_0_topk", "core.kl_nats", "own.zero", "run_1.core.kl_nats",
                         "run_6.own.zero", "run_2.training", ".", ",", "", "run_1,run_2", "run_1.", "é", "seeds"])  # fmt: skip


@given(st.sampled_from(sorted(ARITY)), st.lists(WORDS, max_size=3))
def test_no_reference_makes_it_fail_and_what_is_said_is_never_empty(facts, macro, arguments):
    found = facts.fact(macro, *arguments)
    assert (found.id.startswith(f"\\{macro}") and found.text) or macro == "lit"


def test_what_gives_the_same_results_differs_by_nothing_though_the_baseline_has_more_seeds():
    changed = {name: json.loads(study.texts()[name]) for name in ("run_0", "run_9")}
    changed["run_0"]["core"]["values"]["kl_nats"][-1] += 0.01
    changed["run_9"]["core"].update(seeds=changed["run_9"]["core"]["seeds"][:2], n=2)
    for core, seeds in ((changed["run_0"]["core"], 3), (changed["run_9"]["core"], 2)):
        core["values"] = {metric: values[:seeds] for metric, values in core["values"].items()}
        core["means"] = {metric: statistics.fmean(values) for metric, values in core["values"].items()}
        del core["stderrs"]
    sources = study.sources({name: json.dumps(content) for name, content in changed.items()})
    facts = facts_of(study.state(), study.template(), sources)
    assert said(facts, r"\factverdict{run_9}{core.kl_nats}").text == "gives the same results as"
    alone, base = (said(facts, f"\\fact{{{run}.core.kl_nats}}").text for run in ("run_9", "run_0/first"))
    assert alone != base
    assert said(facts, r"\factdiff{run_9}{run_0}{core.kl_nats}").text == "0.0000"
    assert said(facts, r"\factdiff{run_0}{run_9}{core.kl_nats}").text == "0.0000"
    assert said(facts, r"\factpct{run_9}{run_0}{core.kl_nats}").text == "0.0 %"


# --- tables -------------------------------------------------------------------------------------------------------------


def rows(facts, runs, metrics="core.kl_nats"):
    lines = facts.fact("facttable", runs, metrics).text.strip().splitlines()
    return {line.split(" | ")[0].lstrip("| "): line for line in lines[2:] if line.startswith("|")}


def bold(facts, runs, metrics="core.kl_nats"):
    return [name for name, line in rows(facts, runs, metrics).items() if "**" in line]


def test_a_confirmed_run_is_bold_and_its_baseline_stands_beside_it_with_its_fresh_seeds(facts):
    assert bold(facts, "run_0,run_2") == ["run_2"]
    assert "0.2511 ± 0.0003" in rows(facts, "run_0,run_2")["run_0 (topk)"]


def test_an_unconfirmed_run_is_never_bold_though_it_is_the_best(facts):
    assert bold(facts, "run_0,run_8,run_7") == []


def test_values_within_noise_of_the_best_are_bold_with_it_or_none_is(facts):
    assert bold(facts, "run_0,run_1") == []
    assert bold(facts, "run_0,run_1,run_0_jumprelu,run_7") == ["run_0 (topk)", "run_1"]


def test_a_run_that_is_not_comparable_carries_a_dagger_and_takes_no_part(facts):
    assert bold(facts, "run_0,run_2,run_3") == ["run_2"]
    text = facts.fact("facttable", "run_0,run_2,run_3", "core.kl_nats")
    assert "| run_3† |" in text.text and text.text.endswith("† not comparable with the baseline\n")
    assert r"run\_3\textsuperscript{$\dagger$}" in text.latex and r"\multicolumn{2}" in text.latex


def test_a_value_whose_noise_is_not_known_is_never_bold(facts):
    assert bold(facts, "run_0,run_2,run_5") == ["run_2"]


def test_beside_confirmed_and_other_runs_the_baseline_stands_twice(facts):
    found = rows(facts, "run_0,run_1,run_2")
    assert "0.2507" in found["run_0 (topk)"] and "0.2511" in found["run_0 (topk), fresh seeds"]


def test_metrics_without_direction_and_costs_have_no_best(facts):
    assert bold(facts, "run_0,run_2", "core.l0,training.seconds") == []


def test_a_table_names_each_run_once(facts):
    assert isinstance(facts.fact("facttable", "run_0,run_0", "core.mse"), Problem)


# --- numbers ------------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def read_back(text):
    return float(text.replace("−", "-"))


@given(NUMBERS, st.integers(0, 8))
def test_a_printed_number_can_be_read_back_within_its_digits(value, digits):
    text = plain_number(value, digits)
    assert "-" not in text.partition("e")[0]
    error = max(0.5 * 10.0**-digits, abs(value) * 0.5 * 10.0 ** (1 - max(1, digits)))
    assert abs(read_back(text) - value) <= error * 1.0001
    assert value == 0 or read_back(text) != 0


@given(NUMBERS)
def test_a_setting_is_printed_with_all_its_digits(value):
    assert read_back(exact(value)) == value


@given(NUMBERS, st.integers(0, 8))
def test_a_difference_shows_its_sign(value, digits):
    assert signed(value, digits)[0] == ("+" if value > 0 else "−" if value < 0 else "0")


@given(st.floats(0, 1))
def test_a_probability_is_neither_nothing_nor_certain(p):
    text = probability(p)
    assert text not in ("0.000", "1.000") and math.isclose(float(text.lstrip("<> ")), p, abs_tol=0.0011)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_words_for_latex_hold_no_character_that_would_break_it(text):
    made = latex_text(text)
    assert all(c.isascii() or c <= "ÿ" for c in made)
    assert not set("%&#$_") & set(made.replace("\\%", "").replace("\\&", "").replace("\\#", "").replace("\\$", "")
                                  .replace("\\_", "").replace("\\ensuremath{^", ""))  # fmt: skip
