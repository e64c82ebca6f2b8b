"""Fetching data: what a template may name, what its function may return, and what each way to fail leads to."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.calls import Again, GiveUp
from agent.core.job import Outcome
from agent.core.prefetch import KINDS, Failure, after, failure_of, problem_with, revisions_in, split

FILES = {
    "harness/data.py": b"import os\n\ndef fetch(*, force=False):\n    return None\n\nlate = fetch\n",
    "harness/wants.py": b"def fetch(where): pass\n",
    "harness/broken.py": b"def fetch(:\n",
    "experiment.py": b"def fetch(): pass\n",
}


def editable(name):
    return name == "experiment.py"


def test_a_place_is_a_file_and_a_function():
    assert split("harness/data.py:prefetch") == ("harness/data.py", "prefetch")


@pytest.mark.parametrize(
    "place",
    [
        "harness/data.py",
        "harness.data:f",
        "/etc/x.py:f",
        "../x.py:f",
        "a/../x.py:f",
        "x.py:f()",
        "a-b.py:f",
        "x.py:a.b",
        ":f",
    ],
)
def test_what_is_no_place_is_refused(place):
    with pytest.raises(ValueError, match="a file and a function"):
        split(place)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("harness/data.py:fetch", ""),
        ("harness/none.py:fetch", "there is no harness/none.py"),
        ("harness/data.py:load", "defines no function load"),
        ("harness/data.py:late", "defines no function late"),
        ("harness/wants.py:fetch", "must do without arguments"),
        ("harness/broken.py:fetch", "is no Python"),
        ("experiment.py:fetch", "is editable, and what the coder writes never runs outside the sandbox"),
    ],
)
def test_the_function_must_be_there_frozen_and_without_arguments(place, said):
    found = problem_with(place, FILES, editable)
    assert said in found and bool(said) == bool(found)


@pytest.mark.parametrize(
    ("answer", "revisions"),
    [
        ('{"b/model": "2", "a/model": "1"}', {"a/model": "1", "b/model": "2"}),
        ("null", {}),
        ("{}", {}),
        ("", None),
        ("[1]", None),
        ('"abc"', None),
        ('{"a": 1}', None),
        ('{"a": ""}', None),
        ('{"a": {"b": "c"}}', None),
        ("[" * 5000, None),
    ],
)
def test_revisions_are_text_for_text_or_nothing(answer, revisions):
    assert revisions_in(answer) == revisions


def failed(last, *before, ending="finished", code=1):
    said = "\n".join(["Traceback (most recent call last):", *before, last, ""])
    return failure_of(Outcome(ending, exit_code=code, detail="'prefetch' ended"), said, "")


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded", "network"),
        ("httpx.ConnectError: [Errno -3] Temporary failure in name resolution", "network"),
        ("httpx.ReadTimeout: The read operation timed out", "network"),
        ("huggingface_hub.errors.HfHubHTTPError: Server error '503 Service Unavailable' for url 'x'", "network"),
        ("huggingface_hub.errors.HfHubHTTPError: 429 Too Many Requests", "network"),
        ("urllib.error.URLError: <urlopen error [Errno 111] Connection refused>", "network"),
        ("huggingface_hub.errors.LocalEntryNotFoundError: An error happened while trying to locate the file on the Hub", "network"),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", "network"),
        ("huggingface_hub.errors.GatedRepoError: 403 Client Error. Access to model google/gemma-2-2b is restricted", "refused"),
        ("huggingface_hub.errors.HfHubHTTPError: Client error '401 Unauthorized' for url 'x'", "refused"),
        ("OSError: [Errno 28] No space left on device", "room"),
        ("ValueError: 512 is not a size, Error", "code"),
        ("KeyError: 'train'", "code"),
    ],
)  # fmt: skip
def test_the_last_line_tells_what_failed(last, kind):
    found, evidence = failed(last)
    assert found == kind and evidence in last


def test_a_cause_that_stands_further_up_counts_only_if_the_last_line_says_nothing():
    assert failed("RuntimeError: could not load", "httpx.ConnectError: refused")[0] == "network"
    assert failed("RuntimeError: could not load", "    raise ConnectionError(why)")[0] == "code"
    assert failed("OSError: [Errno 28] No space left on device", "httpx.ConnectError: refused")[0] == "room"


def test_how_the_job_ended_is_told_before_what_it_said():
    assert failed("ConnectionError", ending="timeout", code=None)[0] == "time"
    assert failed("ConnectionError", ending="lost", code=None)[0] == "lost"
    assert failed("ConnectionError", ending="stopped", code=None)[0] == "lost"
    assert failed("ConnectionError", ending="unstartable", code=None)[0] == "start"
    killed = Outcome("finished", signal=11, detail="'prefetch' was killed by signal 11.")
    assert failure_of(killed, "Connection reset by peer", "") == ("code", killed.detail)
    kind, said = failure_of(Outcome("finished", exit_code=0), "", "[1, 2]")
    assert kind == "answer" and "not [1, 2]" in said


def test_a_network_that_fails_is_tried_again_with_longer_and_longer_waits_a_bounded_number_of_times():
    failures, waits = [], []
    for number in range(KINDS["network"].tries):
        verdict = after(failures, 0.0, 2.0)
        assert isinstance(verdict, Again)
        waits.append(verdict.not_before - (failures[-1].at if failures else 0))
        failures.append(Failure(1000.0 * (number + 1), "network", "no route"))
    assert waits == [0, 2, 4, 8, 16]
    verdict = after(failures, 0.0, 2.0)
    assert verdict == GiveUp(
        4, "the data could not be fetched: the network failed (5 times): no route", KINDS["network"].hint
    )
    assert after(failures, 9000.0, 2.0) == Again(0.0)  # a new session


@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=60))
def test_whatever_fails_a_session_gives_up_at_last(kinds):
    failures = [Failure(float(n), kind, "x") for n, kind in enumerate(kinds)]
    bound = sum(kind.tries for kind in KINDS.values())
    assert len(failures) < bound or isinstance(after(failures, 0.0, 1.0), GiveUp)


@given(st.text(max_size=200))
def test_any_answer_is_either_revisions_or_not(answer):
    assert revisions_in(json.dumps(answer)) is None
    revisions_in(answer)
