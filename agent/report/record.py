"""A study as a stable JSON object, for programs: what `show --json` prints."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agent.core import digest, ledger
from agent.core.state import Run, State
from agent.core.template import Template
from agent.report import summary


def record(state: State, template: Template, working: bool | None = None) -> dict[str, Any]:
    best = digest.best(state, template)
    return {
        "name": state.name,
        "status": summary.status(state, working),
        "ended": state.ended or None,
        "profile": state.profile,
        "plan": state.plan,
        "revisions": state.revisions,
        "deviations": [{"what": d.what, "planned": d.planned, "now": d.now} for d in state.deviations],
        "head": state.head,
        "seconds": round(state.elapsed(state.last), 3),
        "calls": len(state.calls),
        "cost": _cost(state),
        "best": {"run": best.name, "verdict": digest.verdict(best)} if best else None,
        "runs": [{**_run(run), "cost": _bill(ledger.of_run(state, run.name))} for run in state.runs.values()],
        "figures": {file: of.model_dump(mode="json") for file, of in state.figures.items()},
        "paper": state.built.model_dump(exclude={"type", "head"}) if state.built else None,
        "requests": [{"run": one.run, "text": one.text} for one in state.requests],
        "interventions": [{"at": at, "what": what} for at, what in state.interventions],
    }


def _run(run: Run) -> dict[str, Any]:
    keys = ("name", "baseline", "parent", "status", "summary", "turns", "head", "metrics", "seconds", "source",
            "comparison", "screened")  # fmt: skip
    row = {key: getattr(run, key) for key in keys}
    attempts = [
        {k: v for k, v in asdict(a).items() if k in ("number", "purpose", "head", "blame", "evidence", "accepted")}
        for a in run.attempts
    ]
    return {**row, "closed": run.closed or None, "warnings": list(run.warnings), "attempts": attempts}


def _cost(state: State) -> dict[str, Any]:
    """Dollars and tokens: of the study and of each phase. `estimated` is booked at the worst case, unconfirmed."""
    phases = {phase: _bill(ledger.of_phase(state, phase)) for phase in dict.fromkeys(ledger.PHASES.values())}
    return {**_bill(ledger.total(state.calls.values())), "limit": state.settings.max_cost, "phases": phases}


def _bill(total: ledger.Total) -> dict[str, Any]:
    return {
        "dollars": round(total.cost, 6),
        "estimated_dollars": round(total.estimated_cost, 6),
        "tries": total.tries,
        "unpriced_tries": total.unpriced,
        "usage": total.usage,
        "estimated_usage": total.estimated,
    }
