r"""Counts and totals of a study: what `\factstudy{…}` can say, as a table of name → how it is reckoned."""

from __future__ import annotations

from collections.abc import Callable

from agent.core import cells, ledger
from agent.core.comparison import NO_EFFECT
from agent.core.fact import NoSuchFact
from agent.core.fact_text import plain_number
from agent.core.state import State
from agent.core.template import Profile, Template


def _cost(state: State, template: Template) -> str:
    total = ledger.total(state.calls.values())
    if total.unpriced:
        raise NoSuchFact(f"the cost is not known: {total.unpriced} of {total.tries} model calls have no known price")
    return f"{total.cost:.2f}" if total.cost >= 1 or not total.cost else f"{total.cost:.4f}"


def _gpu_hours(state: State, template: Template) -> str:
    """Hours of all jobs, those that failed too, times the GPUs that the profile gives to one."""
    gpus = _profile(state, template).limits.gpus
    ended = [attempt.outcome for run in state.runs.values() for attempt in run.attempts if attempt.outcome]
    return plain_number(gpus * sum(outcome.get("seconds", 0.0) for outcome in ended) / 3600, 1)


def _profile(state: State, template: Template) -> Profile:
    if state.profile not in template.profiles:
        raise NoSuchFact(f"template {template.name} has no profile {state.profile or 'without a name'} any more")
    return template.profiles[state.profile]


def _planned_seeds(part: str) -> Callable[[State, Template], str]:
    return lambda state, template: str(getattr(_profile(state, template).seeds, part))


def _no_effect(state: State, template: Template) -> str:
    return str(sum(cells.verdict(run) == NO_EFFECT for run in state.good))


STUDY: dict[str, Callable[[State, Template], str]] = {
    "runs": lambda state, template: str(sum(run.status in ("good", "closed") for run in state.tried)),
    "good": lambda state, template: str(len(state.good)),
    "failed": lambda state, template: str(sum(run.status == "closed" for run in state.tried)),
    "no_effect": _no_effect,
    "baselines": lambda state, template: str(sum(run.baseline and run.status == "good" for run in state.runs.values())),
    "calls": lambda state, template: str(len(state.calls)),
    "cost_usd": _cost,
    "hours": lambda state, template: plain_number(state.elapsed(state.last) / 3600, 1),
    "gpu_hours": _gpu_hours,
    "interventions": lambda state, template: str(len(state.interventions)),
    "seeds": _planned_seeds("screen"),
    "seeds_baseline": _planned_seeds("baseline"),
    "seeds_confirm": _planned_seeds("confirm"),
    "max_runs": lambda state, template: str(state.settings.max_runs),
    "profile": lambda state, template: state.profile,
    "model": lambda state, template: state.settings.model or "no model",
}
