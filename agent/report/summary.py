"""A study in words: the ten-line summary (README.md and `show`) and notes.txt. Pure: state in, text out."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence

from agent.core import digest, effect, ledger
from agent.core import events as e
from agent.core.calls import KINDS
from agent.core.comparison import BETTER, NO_EFFECT, Comparison
from agent.core.layout import notes_file
from agent.core.state import Run, State
from agent.core.template import Template
from agent.core.text import duration, plural, shorten


def status(state: State, working: bool | None = None) -> str:
    """Where the study is, in a few words. `working`: whether a process holds it right now (None: not known)."""
    ended = {
        "completed": "done: the coder has nothing more to try",
        "max_runs": "done: the limit of runs is reached",
        "time": "stopped by its time limit",
        "cost": "stopped by its cost limit",
        "no_edits": "ended: the coder made no more usable changes",
        "stopped": "stopped by a person",
    }
    if state.edited:
        return f"waiting: {', '.join(state.edited.files)} changed by hand (resume --take or --stash)"
    if state.ended:
        return ended[state.ended]
    if state.held:
        return f"held: {state.held}"
    doing = _doing(state)
    if working is None:
        return doing
    return f"working: {doing}" if working else f"interrupted: {doing}"


def _doing(state: State) -> str:
    run = state.current
    call = state.waiting_call
    if call:
        kind = KINDS.get(call.tries[-1].kind) if call.tries else None
        failed = f"; last try: {kind.said}" if kind else ""
        return f"the coder is asked for {call.action} of {call.run} (turn {call.turn}){failed}"
    if run and run.attempt and not run.attempt.judged:
        ended = run.attempt.outcome is not None
        return f"{run.name}, attempt {run.attempt.number}, " + (
            "has ended and waits to be judged" if ended else "is running"
        )
    if state.prefetch and state.revisions is None:
        return "fetching the template's data"
    return f"at {run.name}" if run else "between runs"


def facts(state: State, template: Template, now: float | None = None) -> list[tuple[str, str]]:
    """The lines of the summary as (label, text). `now` counts the time of a session that is going on."""
    primary = (state.plan or {}).get("primary", "")
    good, closed = state.good, [r for r in state.tried if r.status == "closed"]
    rows = [
        ("Status", status(state)),
        (
            "Runs",
            f"{len(good)} good, {len(closed)} failed, of at most {state.settings.max_runs}; profile {state.profile}",
        ),
    ]
    if state.reference:
        rows.append(
            ("Baseline", f"{state.reference.name}: {primary} {digest.cell(state.reference, primary, template)}")
        )
    best = digest.best(state, template)
    if best and state.reference:
        claimed = digest.verdict(best) == BETTER
        rows.append(("Best" if claimed else "Best mean", _best(best, state.reference, primary, template)))
        rows.append(("It tried", best.summary or "–"))
    rows.append(
        (
            "Time",
            f"{duration(state.elapsed(state.last if now is None else now))} of work; {plural(len(state.calls), 'model call')}",
        )
    )
    if state.built:
        rows.append(("Paper", _paper(state.built)))
    if cost := spending(state):
        rows.append(("Cost", cost))
    if state.revisions:
        rows.append(("Data", ", ".join(f"{name} at {revision[:12]}" for name, revision in state.revisions.items())))
    if state.interventions:
        rows.append(
            (
                "By hand",
                f"{plural(len(state.interventions), 'intervention')}, last: {shorten(state.interventions[-1][1], 90)}",
            )
        )
    if state.requests:
        rows.append(("The coder asks", "; ".join(shorten(one.text, 120) for one in state.requests[-3:])))
    if doubts := [f"{r.name}: {w}" for r in state.good for w in _warnings(r)]:
        more = f" (and {len(doubts) - 3} more)" if len(doubts) > 3 else ""
        rows.append(("Warnings", "; ".join(shorten(d, 160) for d in doubts[-3:]) + more))
    if state.deviations:
        rows.append(("Plan", "; ".join(map(_deviation, state.deviations[-3:]))))
    if verdicts := _verdicts(state):
        rows.append(("Verdicts", verdicts))
    if alike := [f"{r.name}: {found.why}" for r in state.good if (found := digest.comparison(r)) and _is_alike(found)]:
        rows.append(("No effect", "; ".join(alike[-3:]) + (f" (and {len(alike) - 3} more)" if len(alike) > 3 else "")))
    if state.plan and "trust" in state.plan:
        rows.append(("Trust", f"{state.plan['trust']}: {state.plan['trust_why']}"))
    return rows


def _is_alike(found: Comparison) -> bool:
    return found.verdict == NO_EFFECT and bool(found.same)


def _paper(built: e.PaperBuilt) -> str:
    if built.lacking:
        return f"latex/ is complete; for a PDF install {', '.join(built.lacking)}, then `ai-scientist paper .`"
    said = f"latex/paper.pdf, {plural(built.pages, 'page')}" if built.pages else "latex/, but LaTeX made no PDF of it"
    problems = f"; {plural(len(built.errors), 'problem')}: {shorten(built.errors[0], 120)}" if built.errors else ""
    return said + problems + (f"; {plural(len(built.left_out), 'part')} could not be typeset" if built.left_out else "")


def _deviation(event: e.PlanDeviated) -> str:
    return f"{event.what} was {event.planned}, now {event.now}" + (f" ({event.why})" if event.why else "")


def _verdicts(state: State) -> str:
    """How many runs came out how. Only what was measured on fresh seeds is a test; all else is exploration."""
    count = Counter(run.comparison["verdict"] or "no direction" for run in state.good if run.comparison)
    if not count:
        return ""
    fresh = [run.name for run in state.good if run.comparison and run.comparison["stage"] == "confirmed"]
    rest = "; the others are exploratory" if len(fresh) < sum(count.values()) else ""
    tested = (
        f"tested on fresh seeds: {', '.join(fresh)}{rest}"
        if fresh
        else "all exploratory: none was tested on fresh seeds"
    )
    return f"{', '.join(f'{n} {verdict}' for verdict, n in count.items())} ({tested})"


def spending(state: State) -> str:
    """Dollars by phase, tokens, and what of it nobody has confirmed; nothing where no call could cost anything."""
    total = ledger.total(state.calls.values())
    tokens = total.usage["prompt_tokens"] + total.estimated["prompt_tokens"]
    if not (total.cost or total.unpriced or tokens):
        return ""
    limit = f" of ${state.settings.max_cost:,.2f}" if state.settings.max_cost and total.cost else ""
    told = [f"{dollars(total.cost)}{limit}"] if total.cost or not total.unpriced else []
    if total.unpriced:
        told.append(f"{plural(total.unpriced, 'call')} of unknown price")
    phases = [(phase, ledger.of_phase(state, phase).cost) for phase in dict.fromkeys(ledger.PHASES.values())]
    if total.cost:
        told[0] += f" ({', '.join(f'{phase} {dollars(cost)}' for phase, cost in phases)})"
    if total.usage["prompt_tokens"]:
        told.append(_tokens(total.usage))
    if total.estimated_cost:
        told.append(f"{dollars(total.estimated_cost)} of it is the worst case of calls whose end is not known")
    return "; ".join(told)


def dollars(amount: float) -> str:
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4f}"


def _tokens(usage: Mapping[str, int]) -> str:
    cached = f" ({usage['cached_tokens'] / usage['prompt_tokens']:.0%} from cache)" if usage["cached_tokens"] else ""
    return f"{usage['prompt_tokens']:,} tokens in{cached}, {usage['completion_tokens']:,} out"


def _best(run: Run, reference: Run, primary: str, template: Template) -> str:
    """The value, the difference, and what may be claimed of it: a mean alone claims nothing."""
    found = digest.comparison(run)
    value = f"{run.name}: {primary} {digest.cell(run, primary, template)}"
    change = digest.difference(run, reference, primary, template)
    if found is None:
        return f"{value} ({change}); not tested for noise"
    return f"{value}; {found.verdict or 'no verdict'}: {found.why.removeprefix(f'{primary}: ')}"


def verdict(run: Run) -> str:
    return "–" if run.baseline else digest.outcome(run)


def run_table(state: State, template: Template, width: int) -> str:
    """All runs as aligned columns; what does not fit into `width` is wrapped. By hand: a library for it takes 0.1 s to load."""
    primary = (state.plan or {}).get("primary", template.primary)
    paid = any(t.cost for call in state.calls.values() for t in call.tries)
    rows: list[tuple[str, ...]] = [
        ("run", "from", "what changed", primary or "result", "difference", "verdict", "tries", "time", "cost")
    ]
    for run in state.runs.values():
        what = template.baseline_of(run.name) if run.baseline else run.summary or "–"
        result = digest.cell(run, primary, template) if run.status == "good" else "…"
        if run.status == "closed":
            what, result = f"{what} Closed: {run.closed}", "failed"
        change = (
            digest.difference(run, state.reference, primary, template) if state.reference and not run.baseline else "–"
        )
        seconds = duration(run.seconds) if run.seconds else "–"
        cost = "–" if run.baseline else dollars(ledger.of_run(state, run.name).cost)
        tries = str(len(run.attempts))
        rows.append((run.name, run.parent or "–", what, result, change, verdict(run), tries, seconds, cost))
    rows = rows if paid else [row[:-1] for row in rows]
    return columns(rows, wrapped=2, width=max(60, width))


def columns(rows: Sequence[tuple[str, ...]], wrapped: int, width: int) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    others = sum(widths) - widths[wrapped] + 2 * (len(widths) - 1)
    widths[wrapped] = max(16, min(widths[wrapped], width - others))
    lines = []
    for number, row in enumerate(rows):
        parts = textwrap.wrap(row[wrapped], widths[wrapped]) or [""]
        for index, part in enumerate(parts):
            cells = [part if c == wrapped else text if index == 0 else "" for c, text in enumerate(row)]
            lines.append("  ".join(text.ljust(w) for text, w in zip(cells, widths, strict=True)).rstrip())
        if number == 0:
            lines.append("  ".join("─" * w for w in widths))
    return "\n".join(lines)


def readme(state: State, template: Template, title: str) -> str:
    lines = [f"- **{label}**: {text}" for label, text in facts(state, template)]
    table = digest.history(state, template).splitlines()
    rows = ["| " + " | ".join(cell.strip() for cell in line.split(" | ")) + " |" for line in table]
    rows.insert(1, "|" + "---|" * (table[0].count(" | ") + 1))
    changes = [
        f"Changes of a run: `git diff {run.parent} {run.name} -- experiment.py`, or `ai-scientist diff . {run.name}`."
        for run in state.good[-1:]
    ]
    more = [*changes, "Go on: `ai-scientist resume .`"]
    return "\n".join([f"# {title}", "", *lines, "", *rows, "", *more, ""])


def notes(state: State, template: Template, title: str, texts: Mapping[str, str]) -> str:
    """All notes in order. Every run is there: a failed one with its reason, and results even where the coder wrote nothing."""
    parts = [f"# Notes: {title}"]
    parts += [_notes_of(run, state, template, texts) for run in state.runs.values() if run.status in ("good", "closed")]
    return "\n\n".join(parts) + "\n"


def _notes_of(run: Run, state: State, template: Template, texts: Mapping[str, str]) -> str:
    what = template.baseline_of(run.name) if run.baseline else run.summary or "no description"
    head = f"## {run.name}: {what}"
    if run.status == "closed":
        return f"{head}\n\nClosed without a result: {run.closed}" + _own(run, texts)
    warnings = "".join(f"\nWarning: {w}" for w in _warnings(run))
    return f"{head}\n\n{digest.latest(state, template, run, warned=False)}{warnings}" + _own(run, texts)


def _warnings(run: Run) -> tuple[str, ...]:
    return effect.untold(run.name, run.warnings, digest.comparison(run))


def _own(run: Run, texts: Mapping[str, str]) -> str:
    written = texts.get(notes_file(run.name), "").strip()
    if written:
        return f"\n\n{written}"
    return "" if run.baseline or run.status == "closed" else "\n\n(The coder wrote no notes on this run.)"
