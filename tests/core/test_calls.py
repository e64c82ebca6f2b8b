from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core import calls
from agent.core.calls import KINDS, LONGEST_WAIT, MOST_TRIES, Again, GiveUp, Try, after


def failed(kind, count=1, **more):
    return [Try(at=100.0 + i, kind=kind, evidence="it said no", ended=101.0 + i, **more) for i in range(count)]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_tried_as_often_as_the_table_says_and_then_given_up(kind):
    most = KINDS[kind].tries
    for count in range(1, most):
        assert isinstance(after(failed(kind, count), 0.0, 2.0, "s"), Again)
    end = after(failed(kind, most), 0.0, 2.0, "s")
    assert isinstance(end, GiveUp)
    assert end.exit_code == KINDS[kind].exit_code
    assert end.why.startswith(KINDS[kind].said)
    assert "it said no" in end.why
    assert end.hint


@pytest.mark.parametrize("kind", ["key", "model", "request", "context", "credit", "refused"])
def test_a_fault_of_the_set_up_is_tried_once_and_is_the_users(kind):
    assert (KINDS[kind].tries, KINDS[kind].exit_code, KINDS[kind].billed) == (1, 2, False)


def test_what_may_have_been_billed_is_tried_less_often_than_what_costs_nothing():
    paid = [k.tries for k in KINDS.values() if k.billed]
    free = [k.tries for k in KINDS.values() if not k.billed and k.exit_code == 4]
    assert max(paid) < min(free)


def test_no_mixture_of_failures_goes_on_for_ever():
    mixed = [t for kind in ("rate", "server", "connection") for t in failed(kind, MOST_TRIES // 3)]
    assert isinstance(after(mixed[1:], 0.0, 2.0, "s"), Again)
    assert isinstance(after(mixed, 0.0, 2.0, "s"), GiveUp)


def test_waits_double_and_are_counted_from_the_failure():
    waits = []
    for count in range(1, 6):
        tries = failed("server", count)
        waits.append(after(tries, 0.0, 2.0, "s").not_before - tries[-1].ended)
    for wait, expected in zip(waits, (2, 4, 8, 16, 32), strict=True):
        assert expected <= wait <= expected * 1.25


def test_a_provider_is_never_asked_before_the_time_it_named():
    tries = failed("rate", retry_after=30.0)
    assert after(tries, 0.0, 2.0, "s").not_before >= tries[-1].ended + 30


def test_a_provider_that_asks_for_hours_is_not_waited_for():
    end = after(failed("rate", retry_after=LONGEST_WAIT + 1), 0.0, 2.0, "s")
    assert (end.exit_code, "asks to wait" in end.why) == (4, True)


def test_two_studies_that_failed_together_do_not_come_back_together():
    times = {after(failed("rate"), 0.0, 2.0, f"study {n}").not_before for n in range(20)}
    assert len(times) == 20


def test_a_new_session_tries_again_at_once():
    tries = failed("key")
    assert isinstance(after(tries, 50.0, 2.0, "s"), GiveUp)
    assert after(tries, 200.0, 2.0, "s") == Again(0.0)


def test_a_try_that_was_under_way_when_its_session_was_killed_is_no_failure():
    assert after([Try(at=100.0)], 100.0, 2.0, "s") == Again(0.0)
    assert after([replace(failed("server")[0], kind="lost")], 0.0, 2.0, "s") == Again(0.0)


@given(st.lists(st.sampled_from([*KINDS, "lost"]), min_size=1, max_size=40), st.floats(0.01, 10))
def test_there_is_always_an_answer_and_no_wait_is_beyond_reason(kinds, wait):
    tries = [Try(at=float(i), kind=kind, ended=i + 0.5) for i, kind in enumerate(kinds)]
    verdict = after(tries, 0.0, wait, "s")
    if isinstance(verdict, Again):
        assert verdict.not_before <= tries[-1].ended + calls._CAP * 1.25 + 1
