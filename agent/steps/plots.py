"""Step 12: plot.py for the paper: what the coder is asked, and from its reply to a commit, to what is wrong, or to "as it is".

Here nothing is run: a plot.py that has changed is run like any other (steps.aside), and how it fails is in the next request.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial

from agent.core import after_runs, edits, gate
from agent.core import events as e
from agent.core.actions import Ask, RestorePlot
from agent.core.cells import fresh_runs
from agent.core.edits import Applied, Block
from agent.core.fold_figures import PLOT_FAILED
from agent.core.labels import labelled
from agent.core.reply import words
from agent.core.state import PLOT, SIDES, Call
from agent.core.text import listed, plural, shorten
from agent.llm.prompts import render
from agent.steps import notes, side, signatures
from agent.steps.desk import Desk
from agent.steps.papers import kept_texts
from agent.writing import excerpt, figures, prompts

FILE = SIDES[PLOT]
_MOST_CURVES = 3
_MOST_PROBLEMS = 12


def request(desk: Desk, action: Ask) -> str:
    state, template = desk.state, desk.template
    captions = {one.name: one.caption for one in figures.figures(state, template)}
    return render(
        "plot",
        runs=prompts.runs(state, template),
        metrics=prompts.metrics(state, template),
        figures=prompts.figures(state, captions),
        files=_files(desk),
        left=replies_left(desk, PLOT),
        problems=_problems(desk),
    )


def replies_left(desk: Desk, action: str) -> str:
    left = after_runs.TURNS[action] - desk.state.round_of(action).turns
    return f"({plural(left, 'reply', 'replies')} left for this.)"


def _files(desk: Desk) -> str:
    """The last run's results as plot.py finds them, in excerpts; the others' are of the same kind."""
    run = desk.state.good[-1].name
    found = side.results(desk.layout.root, [run], fresh_runs(desk.state))
    results = [f"{name}:\n{excerpt.excerpt(data)}" for name, data in found.items() if name.endswith("/final_info.json")]
    curves = [(name, data) for name, data in found.items() if not name.endswith("/final_info.json")]
    told = [f"{name}: {excerpt.keys(data)}" for name, data in curves[:_MOST_CURVES]]
    more = [f"and {len(curves) - _MOST_CURVES} more of this kind"] if len(curves) > _MOST_CURVES else []
    return "\n\n".join([*results, *told, *more])


def _problems(desk: Desk) -> str:
    state, asked = desk.state, desk.state.round_of(PLOT)
    found = dict.fromkeys([*asked.problems, *filter(None, [state.plot_broken])])
    if not found:
        return ""
    said = "\n".join(f"- {one}" for one in found)
    shown = "with the blocks that fitted, so send only what is still to be changed" if asked.kept else "as it is now"
    return f"What is wrong so far (plot.py above is shown {shown}):\n\n{said}\n"


def draft(desk: Desk) -> dict[str, str]:
    """The editable files as the next reply's blocks will meet them: with the blocks that are kept."""
    files = desk.editable(desk.state.head)
    applied = edits.apply(_kept(desk), files, creatable=(FILE,))
    return {**files, **applied.files} if isinstance(applied, Applied) else files


def _kept(desk: Desk) -> list[Block]:
    return [Block(**block) for block in desk.state.round_of(PLOT).kept]


def read(desk: Desk, call: Call, text: str, cut: str) -> e.Event:
    files = desk.editable(desk.state.head)
    blocks = edits.parse(text, draft(desk))
    if cut:
        return rejected(call, cut, kept=_kept(desk))
    if not blocks:
        return _without_blocks(desk, call, text)
    applied = edits.join(_kept(desk), blocks, files, (FILE,))
    if not isinstance(applied, Applied):
        return rejected(call, *(problem.message for problem in applied.problems), kept=applied.good)
    if others := sorted(set(applied.files) - {FILE}):
        return rejected(
            call, f"{listed(others)} cannot be changed now: the experiments are over, so change {FILE} only"
        )
    if problems := _wrong(desk, files, applied.files):
        return rejected(call, *problems, kept=applied.blocks)
    return _committed(desk, call, applied.files[FILE], words(text).summary)


def _without_blocks(desk: Desk, call: Call, text: str) -> e.Event:
    if not words(text).completed:
        return rejected(call, notes.NO_BLOCKS, kept=_kept(desk))
    if desk.state.plot_broken:
        return rejected(call, "plot.py fails as it is, so it cannot stay as it is; mend it", kept=_kept(desk))
    return e.FiguresKept(call=call.name)


def _wrong(desk: Desk, before: dict[str, str], changed: dict[str, str]) -> tuple[str, ...]:
    if not changed:
        return ("the blocks leave plot.py as it is",)
    passed = gate.check(before, changed, {}, partial(signatures.findings, desk))
    if isinstance(passed, gate.Refused):
        return passed.problems
    drawn, good = labelled(changed[FILE]), [run.name for run in desk.state.good]
    if drawn is not None and not set(drawn) & set(good):
        return (
            f"`labels` names no run of this study, so no figure can show one; put in what is to be drawn of {listed(good, 12)}",
        )
    return ()


def _committed(desk: Desk, call: Call, text: str, summary: str) -> e.Event:
    def event(head: str) -> e.EditCommitted:
        return e.EditCommitted(
            call=call.name, run=call.run, head=head, files=(FILE,), starts_run=False, summary=summary
        )

    texts = kept_texts(desk, desk.foresee(event(desk.state.head)), {FILE: text})
    return event(desk.commit({FILE: text, **texts}, f"Figures of the paper: {summary or FILE}"))


def rejected(call: Call, *problems: str, kept: Iterable[Block] = ()) -> e.EditRejected:
    said = tuple(one if "\n" in one else shorten(one, 2000) for one in problems[:_MOST_PROBLEMS])
    return e.EditRejected(call=call.name, run=call.run, problems=said, kept=tuple(map(asdict, kept)))


def restore(desk: Desk, action: RestorePlot) -> Iterator[e.Event]:
    """What was tried stays in the history; figures are those that the last working plot.py has made."""
    state = desk.state
    worked = desk.workspace.read(state.plot_worked, [FILE])[FILE]
    evidence = shorten(state.plot_broken.removeprefix(PLOT_FAILED).split("\n", 1)[0], 300)

    def event(head: str) -> e.PlotRestored:
        return e.PlotRestored(head=head, replies=state.round_of(PLOT).turns, evidence=evidence)

    texts = kept_texts(desk, desk.foresee(event(state.head)), {FILE: worked.decode("utf-8", "replace")})
    yield event(desk.commit({FILE: worked, **texts}, f"plot.py as it last worked\n\n{evidence}\n"))
