"""Results as the coder and people read them: a compact table, never a dump. No verdicts here: they need statistics."""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import shorten

LONGEST = 2500
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


def latest(state: State, template: Template, run: Run) -> str:
    """One run against the baseline, metric by metric: primary and constraints first, cost last, bounded."""
    reference = state.reference if run is not state.reference else None
    rank = {"primary": 0, "constraint": 1, "diagnostic": 2, "cost": 3}
    primary = (state.plan or {}).get("primary", "")
    ids = sorted(run.metrics, key=lambda m: (m != primary, rank[template.metric(m).role], m))
    head = "metric | better | baseline | this run | difference" if reference else "metric | better | value"
    rows = []
    for identity in ids[:_MANY]:
        metric = template.metric(identity)
        mark = " (primary)" if identity == primary else ""
        target = f", target {metric.target:g}" if metric.target is not None else ""
        cells = [identity + mark, metric.direction + target, cell(run, identity, template)]
        if reference:
            cells.insert(2, cell(reference, identity, template))
            cells.append(difference(run, reference, identity, template))
        rows.append(" | ".join(cells))
    if len(ids) > _MANY:
        rows.append(f"… and {len(ids) - _MANY} more metrics in {run.name}/final_info.json")
    return _bounded([head, *rows])


def history(state: State, template: Template) -> str:
    """All runs on the primary metric, one line each; failed ones too."""
    primary = (state.plan or {}).get("primary", "")
    rows = [
        f"run | what changed | {primary or 'result'} | difference to {state.baselines[0] if state.baselines else 'baseline'}"
    ]
    rows += [_line(state, template, run, primary) for run in state.runs.values() if run.status in ("good", "closed")]
    return _bounded(rows)


def _line(state: State, template: Template, run: Run, primary: str) -> str:
    what = "baseline" if run.baseline else shorten(run.summary or "–", 60)
    if run.status == "closed":
        return f"{run.name} | {what} | failed | {shorten(run.closed, 80)}"
    diff = difference(run, state.reference, primary, template) if state.reference and not run.baseline else "–"
    return f"{run.name} | {what} | {cell(run, primary, template)} | {diff}"


def _bounded(rows: Sequence[str]) -> str:
    """Whole lines only; the oldest runs give way first, the header and the newest stay."""
    head, body = rows[0], list(rows[1:])
    dropped = 0
    while body and len("\n".join([head, *body])) > LONGEST - 60:
        body.pop(1 if len(body) > 1 else 0)
        dropped += 1
    note = [f"({dropped} lines left out)"] if dropped else []
    return "\n".join([head, *note, *body])
