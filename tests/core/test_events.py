import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.core import events as e
from agent.core import fold
from agent.core.config import Settings
from tests.helpers import HEAD, accepted, asked, committed, created, ended, entries, failed, launched, opened, replied

ONE_OF_EACH = [
    created(),
    opened(max_time="1h", model="replay:/x"),
    e.StudyEnded(reason="completed", head=HEAD),
    e.PlanFrozen(plan={"primary": "a.b", "seeds": {"screen": 3}}, sha256="0"),
    e.PlanDeviated(what="max_runs", planned=3, now=5),
    e.WorkspaceSettled(head=HEAD),
    e.DataFetched(attempt=2, revisions={"tiny/model": "c0ffee"}, seconds=1.5),
    e.DataFailed(attempt=1, kind="network", evidence="no route"),
    asked("0001-edit", "run_1"),
    e.CallSent(call="0001-edit", model="m", usage={"prompt_tokens": 9}, cost=0.5),
    e.CallFailed(call="0001-edit", kind="rate", evidence="slow down", billed=False, retry_after=2.0),
    replied("0001-edit"),
    e.BudgetReached(call="0002-edit", phase="experiments", needed=0.5, left=0.25),
    e.EditRejected(call="0001-edit", run="run_1", problems=("no",), kept=({"file": "a", "line": 3},), base="run_0"),
    committed("0001-edit", "run_1", notes=("left out",)),
    e.BaseChosen(call="0001-edit", run="run_1", base="run_0", head=HEAD),
    e.CoderCompleted(call="0001-edit", run="run_1", head=HEAD),
    e.CompletionRefused(call="0001-edit", run="run_1", reason="no run"),
    e.CoderRequested(call="0001-edit", run="run_1", text="please install einops"),
    launched("run_1"),
    e.SmokePassed(run="run_1", attempt=1, seconds=2.5),
    ended("run_1"),
    accepted("run_1", warnings=("odd",)),
    e.RunCompared(run="run_1", stage="screen", comparison={"verdict": "within noise"}, warnings=("stale",)),
    failed("run_1"),
    e.RunClosed(run="run_1", reason="x", head=HEAD),
    e.CoderReplicated(call="0001-edit", run="run_2", of="run_1", seeds=5),
    e.PlanStated(call="0001-edit", text="First this, then that.", sha256="0" * 64),
    e.SeedsMeasured(run="run_1", attempt=2, head=HEAD, metrics={"fit.mse": {"mean": 1.0, "stderr": 0.1, "n": 5}}),
    e.FiguresDrawn(attempt=1, head=HEAD, files=("figures/a.png",), shows={"figures/a.png": e.Shown(runs=("run_1",))}),
    e.ProbesMeasured(attempt=2, runs={"run_1": {"probes.x": {"mean": 1.0, "stderr": None, "n": 1}}}),
    e.SideFailed(what="plot", attempt=3, evidence="NameError", feedback="mend it"),
    e.PartWritten(call="0004-draft", action="draft", part="results", head=HEAD),
    e.PartRejected(call="0004-draft", action="draft", part="results", problems=("line 3: 0.5 is typed",)),
    e.PaperBuilt(attempt=1, head=HEAD, pages=4, errors=("paper.tex:3: a placeholder is left",)),
    e.HumanEdited(files=("a", "b"), saved=HEAD),
    e.HumanTook(files=("a",), head=HEAD),
    e.HumanStashed(files=("a",), saved=HEAD),
    e.HumanNoted(slip="1", text="try ünïcode \N{PILE OF POO} \u2028", keep=True),
    e.HumanStopped(slip="2", what="run"),
    e.HumanRewrote(steps=(("draft", "results"), ("refine", "results"))),
]
CLASSES = get_args(e.Event)


def test_there_is_an_example_of_every_class():
    assert {type(event) for event in ONE_OF_EACH} == set(CLASSES)


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type)
def test_an_event_goes_through_json_unchanged(event):
    text = json.dumps(event.model_dump(mode="json"), ensure_ascii=False)
    assert e.event_from(json.loads(text)) == event


@pytest.mark.parametrize("event", ONE_OF_EACH, ids=lambda event: event.type)
def test_an_unknown_field_of_an_event_is_refused(event):
    with pytest.raises(ValidationError, match="Extra inputs"):
        e.event_from({**event.model_dump(mode="json"), "zzz": 1})


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_the_state_knows_what_each_event_does(kind):
    assert kind in fold._HANDLERS


def test_no_two_events_share_a_word():
    words = [kind.model_fields["type"].default for kind in CLASSES]
    assert len(set(words)) == len(words)
    assert all(
        word.startswith("human.") == kind.__name__.startswith("Human")
        for word, kind in zip(words, CLASSES, strict=True)
    )


@pytest.mark.parametrize(
    "data", [{}, {"type": "study.exploded"}, {"type": None}, {"type": "run.closed"}, {"type": ["run.closed"]}]
)
def test_an_unknown_or_incomplete_event_is_refused(data):
    with pytest.raises(ValidationError):
        e.event_from(data)


@given(st.text(), st.text())
def test_a_note_of_any_text_goes_through_json(slip, text):
    note = e.HumanNoted(slip=slip, text=text)
    assert e.event_from(json.loads(json.dumps(note.model_dump(mode="json"), ensure_ascii=False))) == note


def test_settings_of_an_older_journal_get_todays_defaults():
    old = {"type": "study.opened", "version": "0", "settings": {"model": "m"}}
    assert e.event_from(old).settings == Settings(model="m")


def test_a_journal_from_before_there_was_data_to_fetch_folds_as_ever():
    old = [event.model_dump(mode="json") for event in (created(), opened(), accepted("run_0", 0))]
    del old[0]["prefetch"], old[2]["protocol"]
    state = fold.fold(entries(*map(e.event_from, old)))
    assert (state.prefetch, state.revisions, state.runs["run_0"].protocol) == ("", None, {})
