"""Real failures are judged as people judged them, before the rules were written. `bench/triage.py` counts both halves."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.case import CODER, Case
from agent.core.job import Outcome
from agent.core.signs import SIGNS
from agent.core.triage import blame
from tests.logs import logs
from tests.logs.judged import case_of

EVERY = {log.name: log for log in logs()}
OPEN = [name for name, log in EVERY.items() if not log.frozen]
FROZEN = [name for name, log in EVERY.items() if log.frozen]


@pytest.mark.parametrize("name", OPEN)
def test_an_open_log_is_judged_rightly(name):
    found = blame(case_of(EVERY[name]))
    assert (found.kind, found.evidence != "") == (EVERY[name].expected, True), found.evidence


def test_of_the_frozen_half_at_least_95_percent_are_judged_rightly():
    right = sum(blame(case_of(EVERY[name])).kind == EVERY[name].expected for name in FROZEN)
    assert len(FROZEN) >= 40
    assert right >= 0.95 * len(FROZEN)


def test_no_failure_of_the_network_or_the_machine_is_blamed_on_the_coder():
    unjust = [n for n, log in EVERY.items() if log.expected not in CODER and blame(case_of(log)).kind in CODER]
    assert unjust == []


def test_evidence_is_one_line_and_an_environment_says_what_to_do():
    for log in EVERY.values():
        found = blame(case_of(log))
        assert len(found.evidence.splitlines()) == 1
        assert len(found.evidence) <= 400
        assert found.action or found.kind not in ("environment", "transient", "unknown"), log.name
        assert "{" not in found.action


def test_what_the_coder_reads_is_bounded_and_holds_its_own_lines():
    shown = 0
    for log in EVERY.values():
        found = blame(case_of(log))
        assert len(found.detail) <= 3100, log.name
        if found.kind not in CODER:
            assert found.detail == "", log.name
        elif 'File "/study/experiment.py"' in log.stderr and "Traceback" in log.stderr:
            assert "experiment.py, line " in found.detail, log.name
            shown += 1
    assert shown > 60


def test_without_its_template_a_missing_module_is_nobodys():
    """Whether the template needs it cannot be known, and unknown is not the coder's fault."""
    log = EVERY["module_only_the_edit_names"]
    case = case_of(log)
    assert blame(case).kind == "code"
    without = Case(case.outcome, case.stdout, case.stderr, editable=case.editable, sources=case.sources, root=case.root)
    assert blame(without).kind == "unknown"


def test_a_baseline_that_lacks_a_module_is_not_the_coders_whatever_the_texts_say():
    case = case_of(EVERY["module_only_the_edit_names"])
    assert blame(Case(**{**vars(case), "baseline": True})).kind == "environment"


def test_the_same_failure_is_the_coders_where_the_profile_has_no_network():
    case = case_of(EVERY["edits_repository_times_out"])
    raised = (
        'Traceback (most recent call last):\n  File "/study/experiment.py", line 12, in main\n'
        "    path = hf_hub_download('sparse-lab/big-corpus', 'data/part-0.jsonl', repo_type='dataset')\n"
        "httpx.ConnectError: [Errno -3] Temporary failure in name resolution\n"
    )
    outcome = Outcome("finished", "experiment", 1)
    kinds = {
        network: blame(Case(**{**vars(case), "outcome": outcome, "stderr": raised, "network": network}))
        for network in ("hub", "host", "none")
    }
    assert {network: found.kind for network, found in kinds.items()} == {
        "hub": "transient",
        "host": "transient",
        "none": "code",
    }
    assert "this profile has no network" in kinds["none"].detail


def test_every_row_of_the_table_is_of_a_known_class():
    assert {sign.kind for sign in SIGNS} <= {
        "transient",
        "environment",
        "resource",
        "numeric",
        "code",
        "unknown",
        "interrupted",
    }


@given(
    st.lists(
        st.one_of(st.sampled_from([log.stderr[-800:] for log in EVERY.values()]), st.text(max_size=200)), max_size=4
    ),
    st.text(max_size=100),
    st.one_of(st.none(), st.integers(-300, 300)),
    st.one_of(st.none(), st.integers(0, 80)),
    st.sampled_from(["finished", "timeout", "limit", "lost", "stopped", "unstartable"]),
    st.sampled_from(["", "/study", "/"]),
)
@settings(max_examples=200, deadline=None)
def test_any_log_is_judged(pieces, stdout, exit_code, signal, ending, root):
    template = {"experiment.py": "import torch\n", "x.py": "\x00(("}
    case = Case(Outcome(ending, "experiment", exit_code, signal), stdout, "".join(pieces), root=root, template=template)
    found = blame(case)
    assert found.evidence
    assert len(found.evidence.splitlines()) == 1


FRAME = '  File "/study/experiment.py", line {}, in f\n    f()\n'
ONE = "Traceback (most recent call last):\n" + FRAME.format(3) + "OSError: [Errno 2] No such file or directory: 'a'\n"
LINK = "\nDuring handling of the above exception, another exception occurred:\n\n"
MEMBER = "  +---------------- 1 ----------------\n    | ValueError: x\n"


@pytest.mark.parametrize(
    "piece", [ONE + LINK, ONE, MEMBER, FRAME.format(7), LINK, "ValueError: " + "nan " * 1000 + "\n", "https://a/b/c/resolve/" * 200],
    ids=["chain", "tracebacks", "group", "frames", "links", "words", "addresses"],
)  # fmt: skip
def test_no_log_takes_long_to_judge(piece):
    stderr = piece * (1_000_000 // len(piece)) + ONE
    case = case_of(EVERY["shape_mismatch"])
    started = time.process_time()
    assert blame(Case(**{**vars(case), "stderr": stderr})).evidence
    assert time.process_time() - started < 2
