"""The fold of a journal: `apply(state, entry) → state`, one handler for each kind of event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from agent.core import events as e
from agent.core import fold_calls, fold_paper, fold_sides
from agent.core.layout import run_of_notes
from agent.core.plan import AMENDABLE
from agent.core.prefetch import Failure
from agent.core.state import FRESH, GOES_ON, SIDES, Attempt, Call, Run, State, put
from agent.core.text import listed
from agent.core.triage import AGAIN, HELD, STOPPED


def fold(entries: Iterable[e.Entry]) -> State:
    state = State()
    for entry in entries:
        state = apply(state, entry)
    return state


def apply(state: State, entry: e.Entry) -> State:
    handler = _HANDLERS[type(entry.event)]
    after: State = handler(state, entry.event, entry.at)
    head = getattr(entry.event, "head", "")
    if head and not isinstance(entry.event, (e.StudyCreated, e.WorkspaceSettled, e.RunLaunched)) and head != state.head:
        # a tree that has not followed the last head yet still shows what came before it
        after = replace(after, head=head, previous=state.head if state.settled else state.previous, settled=False)
    return replace(after, seq=entry.seq, last=entry.at)


def _created(state: State, event: e.StudyCreated, at: float) -> State:
    return replace(state, name=event.name, profile=event.profile, baselines=event.baselines,
                   head=event.head, previous=event.head, session=at, version=event.version,
                   prefetch=event.prefetch, smoke=event.smoke, probes=event.probes, parts=event.parts)  # fmt: skip


def _opened(state: State, event: e.StudyOpened, at: float) -> State:
    spent = state.spent + max(0.0, state.last - state.session)
    kept_end = "" if event.reopen or state.ended in GOES_ON else state.ended
    return replace(
        state,
        settings=event.settings,
        version=event.version,
        spent=spent,
        session=at,
        held="",
        undrawn=0,
        stopping="run" if state.stopping == "run" else "",
        unaffordable=(),
        ended=kept_end,
        completed=state.completed and not event.reopen,
        reopened=len(state.tried) if event.reopen else state.reopened,
    )


def _ended(state: State, event: e.StudyEnded, at: float) -> State:
    rewriting = state.rewriting if state.unaffordable else ""  # it goes on when there is money again
    return replace(state, ended=event.reason, rewriting=rewriting)


def _plan_frozen(state: State, event: e.PlanFrozen, at: float) -> State:
    return replace(state, plan={**event.plan, "sha256": event.sha256})


def _deviated(state: State, event: e.PlanDeviated, at: float) -> State:
    state = replace(state, deviations=(*state.deviations, event), slips=state.slips | ({event.slip} - {""}))
    if event.what not in AMENDABLE or state.plan is None:
        return state
    runs = {name: replace(run, comparison=None, screened=None) for name, run in state.runs.items()}
    state = replace(state, plan={**state.plan, event.what: event.now}, runs=runs)
    return _intervened(state, at, f"amended the plan: {event.what} is {event.now}, because {event.why}")


def _settled(state: State, event: e.WorkspaceSettled, at: float) -> State:
    return replace(state, previous=event.head, settled=True)


def _fetched(state: State, event: e.DataFetched, at: float) -> State:
    return replace(state, revisions=event.revisions)


def _fetch_failed(state: State, event: e.DataFailed, at: float) -> State:
    return replace(state, fetch_failures=(*state.fetch_failures, Failure(at, event.kind, event.evidence)))


def _asked(state: State, event: e.CallAsked, at: float) -> State:
    call = Call(event.call, event.action, event.run, event.turn, event.model)
    hints = tuple(h for h in state.hints if h.keep)
    state = replace(state, calls={**state.calls, event.call: call}, hints=hints)
    if event.action != "edit":
        return state
    state = replace(state, told="")
    run = state.runs.get(event.run) or _new_run(state, event.run)
    return put(state, replace(run, turns=event.turn, turns_since=run.turns_since + 1))


def _new_run(state: State, name: str) -> Run:
    parent = None if name in state.baselines else state.last_good
    return Run(name, name in state.baselines, parent.name if parent else "")


def _rejected(state: State, event: e.EditRejected, at: float) -> State:
    state = fold_calls.read(state, event.call)
    if event.run not in state.runs or state.calls[event.call].action != "edit":
        return state
    run = state.runs[event.run]
    summary = run.summary or event.summary
    run = replace(
        run, problems=event.problems, kept=event.kept, refusal="", base=event.base or run.base, summary=summary
    )
    return put(state, run)


def _committed(state: State, event: e.EditCommitted, at: float) -> State:
    state = _note_files(fold_calls.read(state, event.call), event.files)
    if state.calls[event.call].action != "edit":
        return state
    run = state.runs[event.run]
    ready = event.starts_run
    run = replace(run, problems=(), kept=(), base="", parent=event.base or run.parent,
                  summary=run.summary or (event.summary if ready else ""), status="ready" if ready else "open",
                  change=event.summary if ready else run.change, refusal="" if ready else event.idle or _IDLE)  # fmt: skip
    return put(state, run)


_IDLE = "Your last change is in, but it starts no run."  # in journals that do not say why


def _note_files(state: State, files: tuple[str, ...]) -> State:
    written = {run_of_notes(path) for path in files} & set(state.runs)
    due = {what for what, file in SIDES.items() if file in files and (what != "probe" or state.probes)}
    return replace(state, noted=state.noted | written, due=state.due | due)


def _base_chosen(state: State, event: e.BaseChosen, at: float) -> State:
    run = state.runs[event.run]
    run = replace(run, parent=event.base, base="", problems=(), kept=(), refusal="base")
    return put(_note_files(fold_calls.read(state, event.call), event.files), run)


def _completed(state: State, event: e.CoderCompleted, at: float) -> State:
    state = _note_files(fold_calls.read(state, event.call), event.files)
    runs = dict(state.runs)
    run = runs.get(event.run)
    if run and not run.attempts:
        del runs[event.run]  # it was only asked for
    return replace(state, runs=runs, completed=True)


def _completion_refused(state: State, event: e.CompletionRefused, at: float) -> State:
    state = replace(fold_calls.read(state, event.call), completions_refused=state.completions_refused + 1)
    return put(state, replace(state.runs[event.run], problems=(), refusal=event.reason))


def _launched(state: State, event: e.RunLaunched, at: float) -> State:
    run = state.runs.get(event.run) or _new_run(state, event.run)
    attempt = Attempt(event.attempt, event.head, at, event.seeds, purpose=event.purpose, change=run.change)
    return put(state, replace(run, attempts=(*run.attempts, attempt)))


def _smoke_passed(state: State, event: e.SmokePassed, at: float) -> State:
    state = _put_attempt(state, event.run, accepted=True)
    run = state.runs[event.run]
    return put(state, replace(run, smoked=run.attempts[-1].head))


def _requested(state: State, event: e.CoderRequested, at: float) -> State:
    known = any(one.call == event.call and one.text == event.text for one in state.requests)  # said before a crash
    return state if known else replace(state, requests=(*state.requests, event))


def _run_ended(state: State, event: e.RunEnded, at: float) -> State:
    return _put_attempt(state, event.run, outcome=event.outcome)


def _accepted(state: State, event: e.RunAccepted, at: float) -> State:
    if event.attempt:
        state = _put_attempt(state, event.run, accepted=True)
    run = state.runs.get(event.run) or _new_run(state, event.run)
    run = replace(run, status="good", head=event.head, metrics=event.metrics, seconds=event.seconds,
                  source=event.source, warnings=event.warnings, feedback="", protocol=event.protocol)  # fmt: skip
    return put(_run_over(fold_sides.results(state, event.run)), run)


def _compared(state: State, event: e.RunCompared, at: float) -> State:
    run = state.runs[event.run]
    new = tuple(w for w in event.warnings if w not in run.warnings)
    screened = run.comparison if event.stage == "confirmed" else None
    run = replace(run, comparison=event.comparison, screened=screened, warnings=(*new, *run.warnings))
    both = (event.run, *state.baselines[:1]) if screened else ()  # now they are shown with their fresh seeds
    return put(fold_sides.results(state, *both), run)


def _failed(state: State, event: e.RunFailed, at: float) -> State:
    state = _put_attempt(state, event.run, blame=event.blame, evidence=event.evidence, failed=at)
    run = state.runs[event.run]
    if run.attempts[-1].purpose in FRESH:
        return _run_over(_without_more_seeds(state, run, event))
    if event.feedback:  # the coder's turn
        run = replace(run, status="open", turns_since=0, feedback=event.feedback, refusal="")
    elif event.blame not in AGAIN and (run.baseline or event.blame != STOPPED):
        state = replace(state, held=event.evidence)
    return put(_run_over(state), run)


def _without_more_seeds(state: State, run: Run, event: e.RunFailed) -> State:
    """The run has its results; what failed is to measure more of it."""
    if event.blame in AGAIN:
        return state
    if event.blame in HELD:
        return replace(state, held=event.evidence)
    if run.attempts[-1].purpose == "replicate":
        return put(state, replace(run, replicas=0))
    return put(state, replace(run, unconfirmable=event.evidence))


def _measured(state: State, event: e.SeedsMeasured, at: float) -> State:
    run = state.runs[event.run]
    purpose = "confirm"
    if event.attempt:
        state = _put_attempt(state, event.run, accepted=True)
        run = state.runs[event.run]
        purpose = run.attempts[-1].purpose
    if purpose == "confirm":
        run = replace(run, confirmation=event.metrics)
    else:  # judged anew, with what it has now
        run = replace(run, metrics=event.metrics, replicas=0, replicated=run.replicated + 1, comparison=None)
        state = fold_sides.results(state, event.run)
    return put(_run_over(state), replace(run, seconds=run.seconds + event.seconds))


def more_seeds(run: str) -> str:
    return f"More seeds of {run} were asked for."


def _replicated(state: State, event: e.CoderReplicated, at: float) -> State:
    state = fold_calls.read(state, event.call)
    state = put(state, replace(state.runs[event.of], replicas=event.seeds))
    asking = state.runs[event.run]
    return put(state, replace(asking, problems=(), kept=(), refusal=more_seeds(event.of)))


def _stated(state: State, event: e.PlanStated, at: float) -> State:
    return replace(state, plan={**(state.plan or {}), "planned": event.text, "sha256": event.sha256})


def _closed(state: State, event: e.RunClosed, at: float) -> State:
    state = fold_sides.results(state)
    run = replace(state.runs[event.run], status="closed", closed=event.reason)
    waiting = state.waiting_call
    if waiting and waiting.run == event.run:  # its answer is no longer of use
        state = fold_calls.read(state, waiting.name)
    return put(_run_over(state), run)


def _run_over(state: State) -> State:
    """What a person asked of this run must not fall on the next."""
    return replace(state, stopping="") if state.stopping == "run" else state


def _human_edited(state: State, event: e.HumanEdited, at: float) -> State:
    return replace(state, edited=event)


def _human_took(state: State, event: e.HumanTook, at: float) -> State:
    state = _note_files(fold_paper.by_hand(replace(state, edited=None), event.parts), event.files)
    return _intervened(state, at, f"took over a person's edit of {', '.join(event.files)}")


def _human_stashed(state: State, event: e.HumanStashed, at: float) -> State:
    return _intervened(replace(state, edited=None), at, f"put a person's edit of {', '.join(event.files)} aside")


def _human_noted(state: State, event: e.HumanNoted, at: float) -> State:
    state = replace(state, hints=(*state.hints, event), slips=state.slips | {event.slip})
    return _intervened(state, at, f"hint: {event.text}")


def _human_stopped(state: State, event: e.HumanStopped, at: float) -> State:
    if event.what == "study" or state.current or state.at_work:
        state = replace(state, stopping=event.what)
    state = replace(state, slips=state.slips | {event.slip})
    return _intervened(state, at, f"stopped the {event.what}")


def _human_rewrote(state: State, event: e.HumanRewrote, at: float) -> State:
    parts = listed(dict.fromkeys(part for _, part in event.steps))
    return _intervened(fold_paper.anew(state, event.steps), at, f"asked for parts of the paper anew: {parts}")


def _intervened(state: State, at: float, what: str) -> State:
    return replace(state, interventions=(*state.interventions, (at, what)))


def _put_attempt(state: State, name: str, **changes: Any) -> State:
    run = state.runs[name]
    *before, last = run.attempts
    return put(state, replace(run, attempts=(*before, replace(last, **changes))))


_HANDLERS: dict[type, Callable[[State, Any, float], State]] = {
    e.StudyCreated: _created, e.StudyOpened: _opened, e.StudyEnded: _ended,
    e.PlanFrozen: _plan_frozen, e.PlanDeviated: _deviated, e.WorkspaceSettled: _settled,
    e.DataFetched: _fetched, e.DataFailed: _fetch_failed,
    e.CallAsked: _asked, e.CallSent: fold_calls.sent, e.CallFailed: fold_calls.failed, e.CallReplied: fold_calls.replied,
    e.BudgetReached: fold_calls.budget_reached,
    e.EditRejected: _rejected, e.EditCommitted: _committed, e.BaseChosen: _base_chosen,
    e.CoderCompleted: _completed, e.CompletionRefused: _completion_refused,
    e.CoderRequested: _requested, e.CoderReplicated: _replicated, e.PlanStated: _stated, e.SeedsMeasured: _measured,
    e.RunLaunched: _launched, e.SmokePassed: _smoke_passed, e.RunEnded: _run_ended,
    e.RunAccepted: _accepted, e.RunCompared: _compared, e.RunFailed: _failed, e.RunClosed: _closed,
    e.FiguresDrawn: fold_sides.drawn, e.ProbesMeasured: fold_sides.probed, e.SideFailed: fold_sides.failed,
    e.PartWritten: fold_paper.written, e.PartRejected: fold_paper.rejected, e.PaperBuilt: fold_paper.built,
    e.HumanEdited: _human_edited, e.HumanTook: _human_took, e.HumanStashed: _human_stashed,
    e.HumanNoted: _human_noted, e.HumanStopped: _human_stopped, e.HumanRewrote: _human_rewrote,
}  # fmt: skip
