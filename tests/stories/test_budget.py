"""Money: never more than the limit, whatever happens, and a killed call is booked. A real client, a fake provider."""

import os
import signal
import subprocess
import sys

import pytest

from agent.core import ledger
from tests.fake_llm import FakeLLM, Hang, Say, rate_limited
from tests.stories import world
from tests.stories.test_kill import begin, command, happened, kill, study
from tests.stories.world import block, notes, rate

REPLY_TOKENS = 400
IN, OUT = 3.0, 15.0  # dollars per million tokens
RATES = [0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.008]


@pytest.fixture(autouse=True)
def a_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")


def coder(request):
    """Answers by what is asked: the next learning rate, or the notes that are missing."""
    text = request.texts[-1]
    if "Write the notes that are still missing" in text:
        due = [f"run_{n}" for n in range(1, 9) if f"notes/run_{n}.txt" in text]
        return Say("".join(notes(run) for run in due))
    shown = "\n".join(request.texts)
    now = next(r for r in RATES if f'"learning_rate": {r},' in shown.replace("old,", ""))
    return Say(rate(now, RATES[RATES.index(now) + 1]))


def start(tmp_path, server, **settings):
    given = {"model": "openai/test", "base_url": server.openai_url, "price": f"{IN}/{OUT}", "reply_tokens": REPLY_TOKENS,
             "retry_wait": 0.05, "max_runs": 6, **settings}  # fmt: skip
    return world.start(tmp_path, **given)


def go(root, settings, **given):
    return world.go(root, None, settings, **given)


def cost_of(usage):
    return (usage["prompt"] * IN + usage["completion"] * OUT) / 1e6


def spent(root):
    return ledger.total(world.state_of(root).calls.values())


def test_a_study_stops_at_its_cost_limit_and_goes_on_with_a_higher_one(tmp_path):
    with FakeLLM(coder) as server:
        root, settings = start(tmp_path, server, max_cost=0.045)
        stop = go(root, settings)
        assert stop.exit_code == 3
        assert "cost limit of $0.04 is reached" in stop.why and "--max-cost" in stop.hint
        assert spent(root).cost == pytest.approx(cost_of(server.delivered)) and spent(root).cost <= 0.045
        assert spent(root).estimated_cost == 0
        done = len(world.state_of(root).good)
        assert 1 <= done < 6
        sent = [e for e in world.events_of(root) if e.type == "call.sent"]
        assert len(sent) == len(server.requests)
        assert go(root, settings, reopen=True, max_cost=10.0).exit_code == 0
        assert len(world.state_of(root).good) == 6
        assert spent(root).cost == pytest.approx(cost_of(server.delivered))


def test_no_call_is_sent_whose_worst_case_does_not_fit(tmp_path):
    """At each call: what was spent before it and its own worst case stay within the limit of its phase."""
    with FakeLLM(coder) as server:
        root, settings = start(tmp_path, server, max_cost=0.08)
        go(root, settings)
    booked, pending = 0.0, {}
    for event in world.events_of(root):
        if event.type == "call.sent":
            share = 1.0 if event.call.endswith("notes") else 1 - ledger.WRITING_COST
            assert booked + event.cost <= 0.08 * share
            pending[event.call] = event.cost
        elif event.type == "call.replied":
            assert event.cost <= pending.pop(event.call)
            booked += event.cost


def test_the_reserve_pays_for_the_notes_when_the_experiments_have_used_their_share(tmp_path):
    with FakeLLM(coder) as server:
        root, settings = start(tmp_path, server, max_cost=0.045)
        go(root, settings)
    state = world.state_of(root)
    assert [reached.phase for reached in state.unaffordable][:1] == ["experiments"]
    assert set(state.noted) >= {run.name for run in state.good[-3:]}
    assert ledger.of_phase(state, "writing").cost > 0


def test_an_edit_that_is_paid_for_is_run_even_when_nothing_is_left(tmp_path):
    with FakeLLM(coder) as server:
        root, settings = start(tmp_path, server, max_cost=0.045)
        go(root, settings)
    state = world.state_of(root)
    committed = [e.run for e in world.events_of(root) if e.type == "edit.committed" and e.starts_run]
    assert committed == [run.name for run in state.good]


def test_a_limit_below_the_first_call_costs_nothing_at_all(tmp_path):
    with FakeLLM(coder) as server:
        root, settings = start(tmp_path, server, max_cost=0.001)
        stop = go(root, settings)
        assert stop.exit_code == 3
        assert server.requests == []
        assert not [e for e in world.events_of(root) if e.type in ("call.asked", "call.sent")]
        assert go(root, settings).exit_code == 3  # again, with the same limit: the same sentence, nothing sent
        assert server.requests == []
        assert "0001-edit" in [e.call for e in world.events_of(root) if e.type == "budget.reached"]


def test_a_silent_provider_uses_up_the_limit_by_worst_cases_and_no_more(tmp_path):
    with FakeLLM([Hang()], repeat=True) as server:
        root, settings = start(tmp_path, server, max_cost=0.03, reply_timeout=0.3)
        stop = go(root, settings)
        assert stop.exit_code == 3
        assert 1 <= len(server.requests) <= 3
    total = spent(root)
    assert total.cost == total.estimated_cost <= 0.03
    assert total.usage["prompt_tokens"] == 0 and total.estimated["completion_tokens"] == REPLY_TOKENS * len(
        server.requests
    )


def test_a_failure_that_costs_nothing_takes_nothing_from_the_limit(tmp_path):
    with FakeLLM([rate_limited()] * 5 + [Say(rate(0.05, 0.01)), Say(notes("run_1"))]) as server:
        root, settings = start(tmp_path, server, max_cost=0.045, max_runs=1, retry_wait=0.01)
        assert go(root, settings).exit_code == 0
    assert spent(root).cost == pytest.approx(cost_of(server.delivered))
    assert spent(root).tries == 7


def test_an_unknown_price_with_no_limit_is_told_as_unknown(tmp_path):
    from agent.report.summary import spending

    with FakeLLM([Say(rate(0.05, 0.01)), Say(notes("run_1"))]) as server:
        root, settings = start(tmp_path, server, max_cost=None, price="", max_runs=1)
        assert go(root, settings).exit_code == 0
    assert "2 calls of unknown price" in spending(world.state_of(root))
    assert "$" not in spending(world.state_of(root))


def test_a_cut_reply_is_paid_for_and_its_whole_blocks_are_used(tmp_path):
    whole = rate(0.05, 0.01)
    more = block('    "epochs": 3,', '    "epochs": 4,')
    with FakeLLM([Say(whole + more[:40], finish="length"), Say(more), Say(notes("run_1"))]) as server:
        root, settings = start(tmp_path, server, max_runs=1)
        assert go(root, settings).exit_code == 0
    assert spent(root).cost == pytest.approx(cost_of(server.delivered))
    code = (root / "experiment.py").read_text()
    assert '"learning_rate": 0.01,' in code and '"epochs": 4,' in code
    [rejected] = [e for e in world.events_of(root) if e.type == "edit.rejected"]
    assert "cut off" in rejected.problems[0] and len(rejected.kept) == 1
    shown = "\n".join(server.requests[1].texts)
    assert '"learning_rate": 0.01,' in shown


# --- killed ------------------------------------------------------------------------------------------------------


def provider(server):
    return ["-c", f"base_url={server.openai_url}", "-c", "price=3/15", "-c", "retry_wait=0.05", "-c", "executor=inline",
            "-c", f"reply_tokens={REPLY_TOKENS}"]  # fmt: skip


def resume(tmp_path):
    done = command("resume", "last", "-o", tmp_path / "results")
    told, _ = done.communicate(timeout=60)
    return done.returncode, told


@pytest.mark.parametrize(
    "silent", [Hang(), Hang(after=30, text=rate(0.05, 0.01))], ids=["before a reply", "in a reply"]
)
def test_a_call_in_flight_at_a_kill_is_asked_once_more_and_booked_at_its_worst(tmp_path, silent):
    answers = [silent, Say(rate(0.05, 0.01)), Say(notes("run_1"))]
    with FakeLLM(answers) as server:
        process = begin(tmp_path, "openai/test", more=provider(server))
        server.wait_for(1, timeout=40)
        kill(process)
        code, told = resume(tmp_path)
        assert code == 0, told
        assert len(server.requests) == 3
    root = study(tmp_path)
    state = world.state_of(root)
    call = state.calls["0001-edit"]
    assert [t.kind for t in call.tries] == ["lost", "replied"]
    assert call.tries[0].estimated and call.tries[0].cost > call.tries[1].cost > 0
    assert call.tries[0].usage["completion_tokens"] == REPLY_TOKENS
    assert len([e for e in world.events_of(root) if e.type == "edit.committed" and e.starts_run]) == 1
    assert len(happened(tmp_path, "call.asked")) == 2
    known = spent(root)
    assert known.usage["prompt_tokens"] == server.delivered["prompt"]
    assert known.usage["completion_tokens"] == server.delivered["completion"]
    log = subprocess.run(["git", "log", "--format=%s"], cwd=root, capture_output=True, text=True).stdout
    assert log.count("Change the learning rate") == 2  # the edit, and the run


def test_killed_again_and_again_in_the_same_call_each_try_is_booked(tmp_path):
    with FakeLLM([Hang(), Hang(), Hang(), Say(rate(0.05, 0.01)), Say(notes("run_1"))]) as server:
        process = begin(tmp_path, "openai/test", more=provider(server))
        for number in (1, 2, 3):
            server.wait_for(number, timeout=40)
            kill(process)
            if number < 3:
                process = command("resume", "last", "-o", tmp_path / "results")
        assert resume(tmp_path)[0] == 0
    call = world.state_of(study(tmp_path)).calls["0001-edit"]
    assert [t.kind for t in call.tries] == ["lost", "lost", "lost", "replied"]


def test_ctrl_c_while_a_provider_is_silent_stops_at_once_and_can_be_resumed(tmp_path):
    with FakeLLM([Hang(), Say(rate(0.05, 0.01)), Say(notes("run_1"))]) as server:
        process = begin(tmp_path, "openai/test", more=provider(server))
        server.wait_for(1, timeout=40)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130  # a silent provider is waited for up to 120 s
        process.stdout.close()
        assert resume(tmp_path)[0] == 0
        assert len(server.requests) == 3


def test_show_tells_cost_by_run_and_by_phase(tmp_path):
    with FakeLLM([Say(rate(0.05, 0.01)), Say(notes("run_1"))]) as server:
        root, settings = start(tmp_path, server, max_runs=1)
        go(root, settings)
        usage = [r.usage for r in server.requests]
    done = subprocess.run([sys.executable, "-m", "agent", "show", str(root)], capture_output=True, text=True,
                          env={**os.environ, "COLUMNS": "200"})  # fmt: skip
    edit, writing = (f"${cost_of(u):.4f}" for u in usage)
    assert f"experiments {edit}, writing {writing}" in done.stdout
    assert f"{sum(u['prompt'] for u in usage):,} tokens in" in done.stdout
    assert f"${cost_of(usage[0]) + cost_of(usage[1]):.4f} of $10.00" in done.stdout
