"""Step 4, 10, 11: freeze the plan, close a run that gave nothing, conclude the study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agent.core import events as e
from agent.core.actions import CloseRun, Conclude, FreezePlan
from agent.core.digest import primary_metric
from agent.core.errors import InputProblem
from agent.core.plan import hash_of
from agent.core.text import did_you_mean
from agent.runners import tiers
from agent.steps import prefetch
from agent.steps.desk import Desk
from agent.steps.edit import with_experiment_of
from agent.steps.launch import put_output_aside
from agent.steps.papers import kept_texts


def freeze_plan(desk: Desk, action: FreezePlan) -> Iterator[e.Event]:
    template, reference, settings = desk.template, desk.state.reference, desk.state.settings
    assert reference is not None
    primary = primary_metric(template, desk.idea.primary, reference)
    if primary not in reference.metrics:
        raise InputProblem(
            f'the primary metric "{primary}" is not among the baseline\'s results{did_you_mean(primary, reference.metrics)}',
            "Correct Primary in the idea, or primary in template.toml, and start the study again.",
        )
    metric = template.metric(primary)
    plan: dict[str, Any] = {
        "primary": primary,
        "direction": metric.direction,
        "min_effect": metric.min_effect,
        "baseline": reference.name,
        "profile": desk.state.profile,
        "seeds": desk.profile.seeds.model_dump(),
        "max_runs": settings.max_runs,
        **prefetch.protocol(desk),
        **trust(desk),
        "stop": "ALL_COMPLETED, the number of runs, cost or time",
    }
    yield e.PlanFrozen(plan=plan, sha256=hash_of(plan))


def trust(desk: Desk) -> dict[str, Any]:
    """How far results can be believed here: by what the template seals, and whether a sandbox hides it."""
    tier = tiers.choose(desk.state.settings.sandbox) if desk.state.settings.executor == "local" else None
    hides = isinstance(tier, tiers.Tier) and tier.name not in ("none", "wrapper")
    files = tuple(name for name in desk.workspace.tree(desk.state.head) if not name.startswith("run_"))
    level, why = desk.template.trust(files, hides)
    return {"trust": level, "trust_why": why}


def deviations(desk: Desk) -> Iterator[e.Event]:
    """What a new session's settings change of the frozen plan."""
    plan = desk.state.plan
    if plan is None:
        return
    known = [d.now for d in desk.state.deviations if d.what == "max_runs"]
    planned, now = (known or [plan["max_runs"]])[-1], desk.state.settings.max_runs
    if now != planned:
        yield e.PlanDeviated(what="max_runs", planned=planned, now=now)


def close_run(desk: Desk, action: CloseRun) -> Iterator[e.Event]:
    """The code goes back to the last good run; what was tried stays in the history and in the attempt folders."""
    run = desk.state.runs[action.run]
    put_output_aside(desk, run.name, len(run.attempts))
    before = desk.editable(desk.state.head)
    last = desk.state.last_good
    target = with_experiment_of(desk, before, last.name) if last else before
    back: dict[str, str | None] = {name: None for name in before if name not in target}
    back |= {name: text for name, text in target.items() if before.get(name) != text}

    def event(head: str) -> e.RunClosed:
        return e.RunClosed(run=run.name, reason=action.reason, head=head)

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)), target)
    yield event(desk.commit({**back, **texts}, f"{run.name} closed without a result\n\n{action.reason}\n"))


def conclude(desk: Desk, action: Conclude) -> Iterator[e.Event]:
    def event(head: str) -> e.StudyEnded:
        return e.StudyEnded(reason=action.reason, head=head)  # type: ignore[arg-type]

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)))
    known = desk.workspace.read(desk.state.head, texts)
    changed = {name: text for name, text in texts.items() if known.get(name) != text.encode()}
    yield event(desk.commit(changed, f"Study ended: {action.reason}") if changed else desk.state.head)
