"""What is said while a study runs: one line an event, or none. Pure; the CLI prints it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from agent.core import calls, digest, prefetch
from agent.core import events as e
from agent.core.comparison import BETTER, NO_EFFECT, NOT_COMPARABLE, Comparison
from agent.core.effect import untold
from agent.core.job import Outcome
from agent.core.state import SIDES, State
from agent.core.template import Template
from agent.core.text import duration, listed, plural, shorten

_SIDES = {**SIDES, "default": "figures"}

Line = tuple[str, str]  # tone (plain, good, bad, quiet), text


def narrate(entry: e.Entry, before: State, after: State, template: Template) -> Line | None:
    teller = _TELLERS.get(type(entry.event))
    return teller(entry.event, after, template) if teller else None


def _fetched(event: e.DataFetched, state: State, template: Template) -> Line:
    what = ", ".join(f"{name} at {revision[:12]}" for name, revision in event.revisions.items())
    return "good", f"data  {what or 'fetched'}  in {duration(event.seconds)}"


def _fetch_failed(event: e.DataFailed, state: State, template: Template) -> Line:
    return "bad", f"data  {prefetch.KINDS[event.kind].said}: {event.evidence}"


def _asked(event: e.CallAsked, state: State, template: Template) -> Line:
    what = {"edit": f"change for {event.run}", "notes": "notes"}.get(
        event.action, f"{event.run} of the paper ({event.action})"
    )
    turn = f" (turn {event.turn})" if event.turn > 1 else ""
    return "quiet", f"{event.call}  asking for the {what}{turn}"


def _call_failed(event: e.CallFailed, state: State, template: Template) -> Line:
    return "bad", f"{event.call}  {calls.KINDS[event.kind].said}: {shorten(event.evidence, 120)}"


def _budget_reached(event: e.BudgetReached, state: State, template: Template) -> Line:
    left = max(0.0, event.left)
    return "bad", f"{event.call}  not sent: it may cost ${event.needed:.4f}, and ${left:.4f} is left for {event.phase}"


def _rejected(event: e.EditRejected, state: State, template: Template) -> Line:
    return "bad", f"{event.run}  change not applied: {shorten(event.problems[0].splitlines()[0], 110)}"


def _committed(event: e.EditCommitted, state: State, template: Template) -> Line:
    what = event.summary if event.starts_run else f"only {', '.join(event.files)} changed"
    return "plain", f"{event.run}  {what}  [{event.head[:8]}]"


def _base(event: e.BaseChosen, state: State, template: Template) -> Line:
    return "plain", f"{event.run}  starts from {event.base}"


def _completed(event: e.CoderCompleted, state: State, template: Template) -> Line:
    return "plain", "the coder has nothing more to try"


def _refused(event: e.CompletionRefused, state: State, template: Template) -> Line:
    return "bad", f"{event.run}  {event.reason}"


def _requested(event: e.CoderRequested, state: State, template: Template) -> Line:
    return "bad", f"{event.run}  the coder asks for: {shorten(event.text, 160)}"


def _replicated(event: e.CoderReplicated, state: State, template: Template) -> Line:
    return "plain", f"{event.of}  the coder asks for {plural(event.seeds, 'more seed')}"


def _stated(event: e.PlanStated, state: State, template: Template) -> Line:
    return "quiet", f"plan  frozen, with what the coder plans  [{event.sha256[:8]}]"


def _measured(event: e.SeedsMeasured, state: State, template: Template) -> Line:
    took = event.source or f"in {duration(event.seconds)}"
    return (
        "quiet",
        f"{event.run}  measured on {'fresh' if state.runs[event.run].confirmation else 'more'} seeds  {took}",
    )


def _part_written(event: e.PartWritten, state: State, template: Template) -> Line:
    return "plain", f"paper  {event.action} of {event.part}  [{event.head[:8]}]"


def _part_rejected(event: e.PartRejected, state: State, template: Template) -> Line:
    more = f" (and {len(event.problems) - 1} more)" if len(event.problems) > 1 else ""
    return "bad", f"paper  {event.part} not taken: {shorten(event.problems[0], 120)}{more}"


def _paper_built(event: e.PaperBuilt, state: State, template: Template) -> Line:
    if event.lacking:
        return "bad", f"paper  latex/ is complete; no PDF: {', '.join(event.lacking)} not installed"
    said = plural(event.pages, "page") if event.pages else "no PDF"
    problems = f", {plural(len(event.errors), 'problem')}" if event.errors else ""
    return ("good" if event.pages else "bad"), f"paper  latex/paper.pdf, {said}{problems}"


def _drawn(event: e.FiguresDrawn, state: State, template: Template) -> Line:
    names = (PurePosixPath(file) for file in event.files if file.endswith(".png")) if event.what == "default" else ()
    said = ", ".join(name.stem for name in names) or ", ".join(event.files) or "no figure"
    return "quiet", f"{_SIDES[event.what]}  {said}"


def _probed(event: e.ProbesMeasured, state: State, template: Template) -> Line:
    return "quiet", f"probes.py  measured on {', '.join(event.runs)}"


def _side_failed(event: e.SideFailed, state: State, template: Template) -> Line:
    return "bad", f"{_SIDES[event.what]}  failed: {shorten(event.evidence, 140)}"


def _smoke_passed(event: e.SmokePassed, state: State, template: Template) -> Line:
    return "quiet", f"{event.run}  smoke run passed in {duration(event.seconds)}"


def _launched(event: e.RunLaunched, state: State, template: Template) -> Line:
    seeds = f"{len(event.seeds)} seeds" if len(event.seeds) > 1 else "1 seed"
    tries = sum(one.purpose == event.purpose for one in state.runs[event.run].attempts)
    attempt = f", attempt {tries}" if tries > 1 else ""
    words = {"smoke": "smoke run started", "confirm": "fresh seeds started", "replicate": "more seeds started"}
    what = words.get(event.purpose, "started")
    return "quiet", f"{event.run}  {what} ({seeds}{attempt})"


def _ended(event: e.RunEnded, state: State, template: Template) -> Line | None:
    outcome = Outcome.from_json(event.outcome)
    return ("quiet", f"{event.run}  {outcome.detail or outcome.ending}") if outcome.ending == "stopped" else None


def _accepted(event: e.RunAccepted, state: State, template: Template) -> Line:
    run, primary = (
        state.runs[event.run],
        (state.plan or {}).get("primary") or template.primary or next(iter(event.metrics), ""),
    )
    text = f"{event.run}  {primary} {digest.cell(run, primary, template)}"
    if state.reference and not run.baseline:
        text += f"  ({digest.difference(run, state.reference, primary, template)} against {state.reference.name})"
    text += f"  {event.source}" if event.source else f"  in {duration(event.seconds)}"
    return "good", text + "".join(f"\n    warning: {w}" for w in event.warnings)


def _compared(event: e.RunCompared, state: State, template: Template) -> Line:
    found = Comparison.from_json(event.comparison)
    tone = "good" if found.verdict == BETTER else "bad" if found.verdict in (NOT_COMPARABLE, NO_EFFECT) else "plain"
    said = f"{event.run}  {found.verdict or 'no verdict'}: {found.why}"
    told = untold(event.run, event.warnings, found)
    return tone, said + "".join(f"\n    warning: {w}" for w in told)


def _failed(event: e.RunFailed, state: State, template: Template) -> Line:
    return "bad", f"{event.run}  attempt {event.attempt} failed ({event.blame}): {event.evidence}"


def _closed(event: e.RunClosed, state: State, template: Template) -> Line:
    return "bad", f"{event.run}  closed: {shorten(event.reason, 160)}"


def _noted(event: e.HumanNoted, state: State, template: Template) -> Line:
    return "plain", f"a hint for the coder: {shorten(event.text, 100)}"


def _stopped(event: e.HumanStopped, state: State, template: Template) -> Line:
    return "plain", f"a person asked to end the {event.what}"


def _took(event: e.HumanTook, state: State, template: Template) -> Line:
    return "plain", f"going on from your version of {', '.join(event.files)}  [{event.head[:8]}]"


def _rewrote(event: e.HumanRewrote, state: State, template: Template) -> Line:
    return "plain", f"paper  to be written anew: {listed(dict.fromkeys(part for _, part in event.steps), 9)}"


def _stashed(event: e.HumanStashed, state: State, template: Template) -> Line:
    return "plain", f"your version of {', '.join(event.files)} is put aside  [{event.saved[:8]}]"


def _deviated(event: e.PlanDeviated, state: State, template: Template) -> Line:
    because = f", because {shorten(event.why, 100)}" if event.why else ""
    return "plain", f"plan: {event.what} was {event.planned}, now {event.now}{because}"


_TELLERS: dict[type, Callable[[Any, State, Template], Line | None]] = {
    e.DataFetched: _fetched, e.DataFailed: _fetch_failed, e.CallAsked: _asked, e.CallFailed: _call_failed,
    e.BudgetReached: _budget_reached, e.EditRejected: _rejected, e.EditCommitted: _committed, e.BaseChosen: _base,
    e.CoderCompleted: _completed, e.CompletionRefused: _refused, e.CoderRequested: _requested,
    e.CoderReplicated: _replicated, e.PlanStated: _stated, e.SeedsMeasured: _measured, e.FiguresDrawn: _drawn,
    e.PartWritten: _part_written, e.PartRejected: _part_rejected, e.PaperBuilt: _paper_built,
    e.ProbesMeasured: _probed, e.SideFailed: _side_failed,
    e.RunLaunched: _launched, e.SmokePassed: _smoke_passed, e.RunEnded: _ended,
    e.RunAccepted: _accepted, e.RunCompared: _compared, e.RunFailed: _failed, e.RunClosed: _closed, e.HumanNoted: _noted,
    e.HumanStopped: _stopped, e.HumanTook: _took, e.HumanStashed: _stashed, e.PlanDeviated: _deviated,
    e.HumanRewrote: _rewrote,
}  # fmt: skip
