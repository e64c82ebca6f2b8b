"""The generated appendix: every run is in it, whatever the text says, and what is cited has its source."""

from dataclasses import replace

import pytest

from agent.core.facts import facts_of
from agent.writing.appendix import appendix, with_appendix
from tests.core.facts import study

TEX = "\\input{facts.tex}\\begin{document}A \\fact{run_2.core.kl_nats}, \\fact{run_2.core.nothing}, \\lit{3}{why}.\n\\end{document}\n"
MACHINE = {"python": "3.11.7", "torch": "2.13.0", "processor": "Some & Co", "processors": 2, "gpus": []}


@pytest.fixture(scope="module")
def made():
    state, template = study.state(), study.template()
    return appendix(state, template, facts_of(state, template), TEX, MACHINE)


def test_all_runs_are_there_failed_ones_with_their_reason(made):
    rows = [line for line in made.splitlines() if line.startswith("run\\_")]
    named = {row.split(" & ")[0] for row in rows}
    assert {"run\\_0", "run\\_0\\_jumprelu", *(f"run\\_{n}" for n in range(1, 10))} <= named
    assert any("no result" in row for row in rows)
    assert any("not comparable" in row for row in rows) and any("no effect" in row for row in rows)


def test_values_in_it_are_references_and_so_follow_the_data(made):
    assert "\\factpm{run_2.core.kl_nats}" in made


def test_cited_facts_are_listed_with_their_file_and_unknown_ones_and_literals_are_not(made):
    assert "\\textbackslash{}fact\\{run\\_2.core.kl\\_nats\\}" in made and "run\\_2/confirm/final\\_info.json" in made
    assert "nothing" not in made and "lit\\{3" not in made


def test_what_it_ran_on_is_said_and_special_characters_are_escaped(made):
    assert "Some \\& Co" in made and "GPUs none" in made
    assert "baseline: 5, screen: 3, confirm: 5" in made


def test_the_appendix_is_brought_in_once_and_at_the_end():
    once = with_appendix(TEX)
    assert once.endswith("\\appendix\n\\input{appendix}\n\\end{document}\n")
    assert with_appendix(once) == once
    assert with_appendix("no document") == "no document"
    other = TEX.replace("\\input{facts.tex}", "")
    assert with_appendix(other) == other, "a paper without facts could not read it"


def test_where_a_recording_lies_on_somebodys_machine_is_not_printed():
    state, template = study.state(), study.template()
    call = replace(next(iter(state.calls.values())), model="replay:/home/somebody/ideas/told.replay.jsonl")
    state = replace(state, calls={call.name: call})
    told = appendix(state, template, facts_of(state, template), TEX, MACHINE)
    assert "replay:told.replay.jsonl" in told and "somebody" not in told
