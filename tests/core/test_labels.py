"""Which runs plot.py draws is read from its text, and is unknown rather than guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.labels import labelled

KNOWN = {
    'labels = {"run_0": "baseline", "run_3": "mine"}': ("run_0", "run_3"),
    'from x import y\nlabels: dict[str, str] = {\n    "run_1": f"{y}",\n}\nprint(labels["run_1"])': ("run_1",),
    "labels = {}": (),
    'labels = {"run_1": "a", "run_1": "b"}': ("run_1",),
    'labels = {"run_1": "a"}\nfor run in labels.items():\n    axis.legend(labels=[run])': ("run_1",),
}
UNKNOWN = (
    "", "import json", "labels = ['run_1']", "labels = dict(run_1='a')", 'labels = {**others, "run_1": "a"}',
    "labels = {1: 'a'}", "labels = {}\nlabels['run_1'] = 'a'", "labels = {}\nlabels.update(run_1='a')",
    "labels = {}\nlabels |= {'run_1': 'a'}", "labels = {'run_1': 'a'}\nif x:\n    del labels['run_1']",
    "labels = {}\nlabels = {'run_2': 'x'}", "def f():\n    labels = {'run_1': 'a'}", "labels = {'run_1': ", "\0",
)  # fmt: skip


@pytest.mark.parametrize("text", KNOWN)
def test_labels_that_are_written_out_are_read(text):
    assert labelled(text) == KNOWN[text]


@pytest.mark.parametrize("text", UNKNOWN)
def test_what_only_the_program_knows_is_unknown(text):
    assert labelled(text) is None


@given(st.text())
def test_no_text_breaks_it(text):
    assert labelled(text) is None or isinstance(labelled(text), tuple)
