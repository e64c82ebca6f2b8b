"""What to do next: `decide(state, elapsed) → Action`. A table of rules, read from the top; the first that speaks wins.

Pure. Every loop of a study is bounded here: replies per attempt, attempts per run, runs, lost jobs, refusals.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Literal

from agent.core import after_runs, again, calls, prefetch
from agent.core.actions import (
    Action,
    Aside,
    Ask,
    Await,
    CloseRun,
    Compare,
    Conclude,
    FreezePlan,
    Judge,
    Launch,
    Prefetch,
    Purpose,
    ReadReply,
    Settle,
    Stop,
)
from agent.core.state import FRESH, Run, State, next_call
from agent.core.text import duration, plural
from agent.core.triage import CODER, STOPPED
from agent.core.verdicts import wants_confirmation

WRITING_TIME = 0.2  # share of --max-time that is kept for plots, notes and paper
SIDES_LOST = 3  # plots and probes in a row that nobody is to blame for: then it goes on without
IDLE_RUNS = 2  # runs in a row that ended without anything to run
COMPLETIONS_REFUSED = 1
BY_HAND = "stopped by a person"


def decide(state: State, elapsed: float) -> Action:
    for rule in RULES:
        action = rule(state, elapsed)
        if action is not None:
            return action
    return Conclude(_reason(state, elapsed))


def time_left(state: State, elapsed: float) -> float | None:
    """None: no limit. What a person asks for when a study has ended is done whenever they ask."""
    limit = state.settings.max_time
    return None if limit is None or state.rewriting else limit - elapsed


def out_of_time(state: State, elapsed: float) -> bool:
    left = time_left(state, elapsed)
    return left is not None and left <= 0


def experiment_over(state: State, elapsed: float) -> bool:
    if state.completed or _idle(state) or _time_for_writing(state, elapsed):
        return True
    return state.current is None and len(state.tried) >= state.settings.max_runs


def _time_for_writing(state: State, elapsed: float) -> bool:
    if state.rewriting:
        return True
    limit = state.settings.max_time
    return limit is not None and elapsed >= limit * (1 - WRITING_TIME)


def _idle(state: State) -> bool:
    """The coder has stopped to change anything: the last runs closed before there was an attempt."""
    last = state.tried[state.reopened :][-IDLE_RUNS:]
    return len(last) == IDLE_RUNS and all(r.status == "closed" and not r.attempts for r in last)


def _reason(state: State, elapsed: float) -> str:
    if state.rewriting:
        return "cost" if state.unaffordable else state.rewriting
    if state.completed:
        return "completed"
    if _idle(state):
        return "no_edits"
    if _time_for_writing(state, elapsed):
        return "time"
    return "cost" if state.unaffordable else "max_runs"


def _human_edit(state: State, elapsed: float) -> Action | None:
    if state.edited is None:
        return None
    files = ", ".join(state.edited.files)
    return Stop(
        5,
        f"changed by hand: {files}; your version is kept",
        "Go on from it with `resume --take`, or put it aside with `resume --stash`.",
    )


def _settle(state: State, elapsed: float) -> Action | None:
    return None if state.settled else Settle()


def _over(state: State, elapsed: float) -> Action | None:
    if not state.ended:
        return None
    said = {
        "completed": "the coder has nothing more to try",
        "max_runs": f"the limit of {plural(state.settings.max_runs, 'run')} is reached",
        "time": f"the time limit of {duration(state.settings.max_time or 0)} is reached",
        "cost": _cost_reached(state),
        "no_edits": "the coder made no more usable changes",
        "stopped": "stopped by a person",
    }[state.ended]
    if state.ended == "time":
        return Stop(3, said, "Go on with `resume --max-time …` and a higher limit.")
    if state.ended == "cost":
        return Stop(3, said, "Go on with `resume --max-cost …` and a higher limit.")
    hint = "" if state.ended == "completed" else "Go on with `resume --max-runs …`."
    return Stop(0, said, hint) if state.good else Stop(1, f"{said}; no run gave a usable result", hint)


def _cost_reached(state: State) -> str:
    """What the last session could not pay for. A study resumed at its end has not asked yet."""
    limit = f"the cost limit of ${state.settings.max_cost or 0:,.2f}"
    if not state.unaffordable:
        return f"{limit} is reached"
    first = state.unaffordable[0]
    share = " for experiments; the rest is kept for notes and paper" if first.phase == "experiments" else ""
    return f"{limit} is reached: the next call may cost ${first.needed:,.4f}, and ${max(0.0, first.left):,.4f} is left{share}"


def _job_under_way(state: State, elapsed: float) -> Action | None:
    for run in state.runs.values():
        attempt = run.attempt
        if attempt and not attempt.judged:
            return Judge(run.name) if attempt.outcome is not None else Await(run.name)
    return None


def _held(state: State, elapsed: float) -> Action | None:
    if state.held:
        return Stop(2, state.held, "Mend it, then `resume`: the study goes on where it stopped.")
    waiting = [run for run in state.runs.values() if run.status in ("open", "ready") or _more_to_measure(run)]
    verdicts = [_again(state, run) for run in waiting]
    given_up = next((v for v in verdicts if isinstance(v, calls.GiveUp)), None)
    return Stop(given_up.exit_code, given_up.why, given_up.hint) if given_up else None


def _again(state: State, run: Run | None) -> calls.Again | calls.GiveUp:
    return again.after(run.attempts if run else (), state.session, state.settings.job_wait, run.name if run else "")


def _launch(state: State, name: str, purpose: Purpose = "run") -> Launch:
    run = state.runs.get(name)
    verdict = _again(state, run)
    assert isinstance(verdict, calls.Again)  # _held was asked before
    return Launch(name, len(run.attempts) + 1 if run else 1, purpose, verdict.not_before)


def _stopping(state: State, elapsed: float) -> Action | None:
    if state.stopping == "study":
        return Conclude("stopped")
    return CloseRun(state.current.name, BY_HAND) if state.stopping == "run" and state.current else None


def _call_under_way(state: State, elapsed: float) -> Action | None:
    call = state.waiting_call
    if call is None:
        return None
    if call.replied:
        return ReadReply(call.name)
    verdict = calls.after(call.tries, state.session, state.settings.retry_wait, f"{state.name} {call.name}")
    if isinstance(verdict, calls.GiveUp):
        return Stop(verdict.exit_code, verdict.why, verdict.hint)
    return Ask(call.name, call.action, call.run, call.turn, verdict.not_before)


def _data(state: State, elapsed: float) -> Action | None:
    if not state.prefetch or state.revisions is not None:
        return None
    if out_of_time(state, elapsed):
        return Conclude("time")
    verdict = prefetch.after(state.fetch_failures, state.session, state.settings.retry_wait)
    if isinstance(verdict, calls.GiveUp):
        return Stop(verdict.exit_code, verdict.why, verdict.hint)
    return Prefetch(len(state.fetch_failures) + 1, verdict.not_before)


def _baselines(state: State, elapsed: float) -> Action | None:
    for name in state.baselines:
        run = state.runs.get(name)
        if run is None or run.status != "good":
            if out_of_time(state, elapsed):
                return Conclude("time")
            return _launch(state, name)
    return None


def _plan(state: State, elapsed: float) -> Action | None:
    return FreezePlan() if state.plan is None else None


def _more_to_measure(run: Run) -> bool:
    return run.attempt is not None and run.attempt.purpose in FRESH and run.attempt.blame in again.KINDS


def _compare(state: State, elapsed: float) -> Action | None:
    """Each run is compared as soon as it has results; and again, even at the end, when a person has amended the plan."""
    if state.reference is None or state.plan is None:
        return None
    run = next((run for run in state.good if run.comparison is None), None)
    return Compare(run.name, "screen") if run else None


def _confirm(state: State, elapsed: float) -> Action | None:
    """A run that screens as better is measured anew, with its baseline."""
    reference = state.reference
    if reference is None or state.plan is None:
        return None
    for run in state.good:
        if not wants_confirmation(run.comparison) or run.unconfirmable or reference.unconfirmable:
            continue
        if run.confirmation and reference.confirmation:
            return Compare(run.name, "confirmed")
        if not _time_for_writing(state, elapsed):
            return _launch(state, run.name if reference.confirmation else reference.name, "confirm")
    return None


def _replicate(state: State, elapsed: float) -> Action | None:
    asked = next((run for run in state.good if run.replicas), None)
    return _launch(state, asked.name, "replicate") if asked and not _time_for_writing(state, elapsed) else None


def _aside(state: State, elapsed: float) -> Action | None:
    run = state.current
    if state.due <= {"default"} or (run and run.status == "ready") or out_of_time(state, elapsed):
        return None
    what: Literal["plot", "probe"] = "probe" if "probe" in state.due else "plot"
    others = [side for side in reversed(state.sides) if side[0] != "default"]
    row = list(itertools.takewhile(lambda side: not side[1], others))
    return Aside(what, len(state.sides) + 1) if len(row) < SIDES_LOST else None


def _next_run(state: State, elapsed: float) -> Action | None:
    run = state.current
    if run is not None and (reason := _close_reason(state, run)):
        return CloseRun(run.name, reason)
    if experiment_over(state, elapsed):
        return None
    if run is not None and run.status == "ready":
        return _launch(state, run.name, "smoke" if state.smoke and run.smoked != state.head else "run")
    if not state.affordable("experiments"):
        return None
    if run is None:
        name = f"run_{len(state.tried) + 1}"
        return Ask(next_call(state, "edit"), "edit", name, state.turns("edit", name) + 1)
    return Ask(next_call(state, "edit"), "edit", run.name, run.turns + 1)


def _close_reason(state: State, run: Run) -> str:
    last = run.attempt
    if last and last.blame == STOPPED:
        return BY_HAND
    if run.status != "open":
        return ""
    failures = run.blamed(*CODER)
    if failures >= state.settings.attempts_per_run:
        return f"failed {plural(failures, 'time')}, last: {last.evidence if last else ''}"
    if state.completed:
        return f"given up by the coder after {plural(failures, 'failed attempt')}: {last.evidence if last else ''}"
    if run.turns_since >= state.settings.turns_per_attempt:
        problem = run.problems[0] if run.problems else "the replies changed nothing that can be run"
        return f"no usable change in {plural(run.turns_since, 'reply', 'replies')}: {problem}"
    return ""


def _after_runs(state: State, elapsed: float) -> Action | None:
    return None if out_of_time(state, elapsed) else after_runs.next_action(state)


RULES: tuple[Callable[[State, float], Action | None], ...] = (
    _human_edit,
    _settle,
    _compare,
    _over,
    _job_under_way,
    _held,
    _stopping,
    _call_under_way,
    _data,
    _baselines,
    _plan,
    _confirm,
    _replicate,
    _aside,
    _next_run,
    _after_runs,
)
