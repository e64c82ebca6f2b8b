"""Results as the coder and people read them: a compact table, never a dump. No verdicts here: they need statistics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import plural, shorten

LONGEST = 2500
_ROOM = LONGEST - 100  # for the rows; the rest is for what is said about those left out
_NAME = 200
_MANY = 14  # metrics shown for a single run


def primary_metric(template: Template, wanted: str, reference: Run | None) -> str:
    """The idea's primary metric, else the template's, else the baseline's first."""
    if wanted or template.primary:
        return wanted or template.primary
    return next(iter(reference.metrics), "") if reference else ""


def number(value: float, digits: int) -> str:
    text = f"{value:.{digits}f}"
    return f"{value:.{max(1, digits)}g}" if value and (float(text) == 0 or abs(value) >= 1e7) else text


def cell(run: Run, identity: str, template: Template) -> str:
    measure = run.metrics.get(identity)
    if measure is None:
        return "–"
    digits = template.metric(identity).digits
    stderr = measure.get("stderr")
    return number(measure["mean"], digits) + (f" ± {number(stderr, digits)}" if stderr is not None else "")


def difference(run: Run, reference: Run, identity: str, template: Template) -> str:
    if identity not in run.metrics or identity not in reference.metrics:
        return "–"
    change = run.metrics[identity]["mean"] - reference.metrics[identity]["mean"]
    return ("+" if change >= 0 else "−") + number(abs(change), template.metric(identity).digits)


def by_role(ids: Iterable[str], template: Template, primary: str) -> list[str]:
    """Each metric once: the primary one, other primary ones, constraints, diagnostics, costs."""
    rank = {"primary": 0, "constraint": 1, "diagnostic": 2, "cost": 3}
    return sorted(set(ids), key=lambda m: (m != primary, rank[template.metric(m).role], m))


def latest(state: State, template: Template, run: Run) -> str:
    """One run against the baseline, metric by metric: primary and constraints first, cost last, bounded."""
    reference = state.reference if run is not state.reference else None
    primary = (state.plan or {}).get("primary", "")
    ids = by_role(run.metrics, template, primary)
    head = "metric | better | baseline | this run | difference" if reference else "metric | better | value"
    rows = []
    for identity in ids[:_MANY]:
        metric = template.metric(identity)
        mark = " (primary)" if identity == primary else ""
        target = f", target {metric.target:g}" if metric.target is not None else ""
        cells = [shorten(identity, _NAME) + mark, metric.direction + target, cell(run, identity, template)]
        if reference:
            cells.insert(2, cell(reference, identity, template))
            cells.append(difference(run, reference, identity, template))
        rows.append(" | ".join(cells))
    shown = _fitting([head, *rows])
    left_out = len(ids) - len(shown) + 1
    more = [f"… and {left_out} more metrics in {run.name}/final_info.json"] if left_out else []
    return "\n".join([*shown, *more])


def history(state: State, template: Template) -> str:
    """All runs on the primary metric, one line each; failed ones too."""
    primary = (state.plan or {}).get("primary", "")
    judged_against = state.baselines[0] if state.baselines else "baseline"
    rows = [f"run | what changed | {shorten(primary, _NAME) or 'result'} | difference to {judged_against}"]
    rows += [_line(state, template, run, primary) for run in state.runs.values() if run.status in ("good", "closed")]
    return _newest(rows)


def _line(state: State, template: Template, run: Run, primary: str) -> str:
    what = template.baseline_of(run.name) if run.baseline else shorten(run.summary or "–", 60)
    if run.status == "closed":
        return f"{run.name} | {what} | failed | {shorten(run.closed, 80)}"
    diff = difference(run, state.reference, primary, template) if state.reference and not run.baseline else "–"
    return f"{run.name} | {what} | {cell(run, primary, template)} | {diff}"


def _fitting(rows: Sequence[str]) -> list[str]:
    """The first rows, as many as there is room for."""
    shown = list(rows)
    while len("\n".join(shown)) > _ROOM:
        shown.pop()
    return shown


def _newest(rows: Sequence[str]) -> str:
    """The header, the first run and the newest ones, as many as there is room for."""
    head, body = rows[0], list(rows[1:])
    dropped = 0
    while body and len("\n".join([head, *body])) > _ROOM:
        body.pop(1 if len(body) > 1 else 0)
        dropped += 1
    note = [f"({plural(dropped, 'line')} left out)"] if dropped else []
    return "\n".join([head, *note, *body])
