import pytest

from agent.core import events as e
from agent.core import ledger
from tests.helpers import asked, ready

WORST = {"prompt_tokens": 100, "completion_tokens": 50}
USED = {"prompt_tokens": 60, "cached_tokens": 40, "completion_tokens": 5}


def sent(call="0001-edit", cost=0.5):
    return e.CallSent(call=call, model="m", usage=WORST, cost=cost)


def replied(call="0001-edit", **more):
    return e.CallReplied(call=call, model="m", reply_sha256="0", **{"usage": USED, "cost": 0.1, **more})


def failed(kind, billed, **more):
    return e.CallFailed(call="0001-edit", kind=kind, evidence="x", billed=billed, **more)


def total(*happened, **settings):
    return ledger.total(ready(asked("0001-edit", "run_1"), *happened, **settings).calls.values())


def test_a_call_under_way_is_booked_at_its_worst():
    booked = total(sent())
    assert (booked.cost, booked.estimated_cost, booked.usage["prompt_tokens"]) == (0.5, 0.5, 0)
    assert booked.estimated["completion_tokens"] == 50


def test_a_reply_puts_what_was_used_in_the_place_of_the_worst():
    booked = total(sent(), replied())
    assert (booked.cost, booked.estimated_cost) == (0.1, 0.0)
    assert booked.usage == {**dict.fromkeys(ledger.KEYS, 0), **USED}


def test_a_reply_whose_use_nobody_told_stays_at_the_worst():
    booked = total(sent(), replied(usage=WORST, cost=0.5, estimated=True))
    assert (booked.cost, booked.estimated_cost) == (0.5, 0.5)


def test_a_killed_session_leaves_the_worst_case_of_its_try_and_the_next_try_comes_on_top():
    booked = total(sent(), sent(), replied())
    assert (booked.tries, round(booked.cost, 9), booked.estimated_cost) == (2, 0.6, 0.5)


@pytest.mark.parametrize(("billed", "cost"), [(False, 0.0), (True, 0.5)])
def test_a_failure_costs_its_worst_case_only_where_the_provider_may_charge(billed, cost):
    assert total(sent(), failed("timeout" if billed else "rate", billed)).cost == cost


def test_a_failure_with_a_bill_costs_that():
    booked = total(sent(), failed("oversize", True, usage=USED, cost=0.3))
    assert (booked.cost, booked.estimated_cost, booked.usage["prompt_tokens"]) == (0.3, 0.0, 60)


def test_an_unknown_price_is_counted_and_not_taken_for_nothing():
    assert total(sent(cost=None), replied(cost=None)).unpriced == 1


def test_costs_are_told_by_run_and_by_phase():
    state = ready(
        asked("0001-edit", "run_1"), sent(), replied(),
        asked("0002-notes", "run_1", action="notes"), sent("0002-notes"), replied("0002-notes", cost=0.2),
    )  # fmt: skip
    assert round(ledger.of_run(state, "run_1").cost, 9) == 0.3
    assert ledger.of_phase(state, "experiments").cost == 0.1
    assert ledger.of_phase(state, "writing").cost == 0.2


def test_the_experiments_leave_the_reserve_for_writing_alone():
    state = ready(asked("0001-edit", "run_1"), sent(), replied(cost=0.4), max_cost=1.0)
    assert ledger.left(state, "experiments") == pytest.approx(0.3)
    assert ledger.left(state, "writing") == pytest.approx(0.6)
    assert ledger.fits(state, "experiments", 0.29)
    assert not ledger.fits(state, "experiments", 0.31)
    assert ledger.fits(state, "writing", 0.31)


def test_without_a_limit_everything_fits():
    state = ready(asked("0001-edit", "run_1"), sent(cost=1e9), max_cost=None)
    assert ledger.left(state, "experiments") is None
    assert ledger.fits(state, "experiments", 1e9)


def test_journals_from_before_there_were_tries_can_be_read():
    old = e.event_from({"type": "call.replied", "call": "0001-edit", "model": "m", "reply_sha256": "0", "usage": USED})
    booked = total(old)
    assert (booked.cost, booked.usage["prompt_tokens"]) == (0.0, 60)


def test_a_call_that_does_not_fit_is_not_waited_for_and_can_be_asked_for_later():
    reached = e.BudgetReached(call="0001-edit", phase="experiments", needed=0.5, left=0.1)
    state = ready(asked("0001-edit", "run_1"), sent(), failed("cut", True), reached)
    assert state.waiting_call is None
    assert not state.affordable("experiments")
    assert state.affordable("writing")
