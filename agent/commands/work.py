"""`run` and `resume`: work on a study until it stops."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent.commands.screen import Screen, short_path
from agent.commands.settings import from_command_line, results_folder, settled
from agent.core.errors import InputProblem, ScientistError
from agent.core.text import did_you_mean

if TYPE_CHECKING:
    from agent.core.actions import Stop
    from agent.core.idea import Idea
    from agent.core.template import Template
    from agent.steps.desk import Desk


def run(options: argparse.Namespace) -> int:
    import time

    from agent import session
    from agent.llm.choose import choose
    from agent.steps import setup
    from agent.store import catalog

    settings = settled(options)
    idea, idea_path = catalog.load_idea(options.idea)
    loaded = catalog.load_template(settings.template or idea.template)
    profile, sized = loaded.template.profile(settings.profile)
    shipped = ""
    if not settings.model:
        shipped = _shipped_recording(idea_path, loaded.template, profile)
        settings = session.merged(settings, {"model": f"replay:{shipped}" if shipped else ""})
    choose(settings)
    _check_primary(idea, loaded.template)
    _check_record(settings.record, "")
    session.preflight(loaded.template, sized, settings, loaded.folder)
    if shipped and not options.json:
        print(f"No model was chosen: this plays the recorded session {shipped}; nothing is asked of any model.")
    if options.plan:
        from agent.commands.plan import agreed

        if not agreed(options, settings, idea, loaded, profile, sized):
            return 0
    root = setup.create(idea, loaded, settings, time.time)
    return _work(root, settings.model_dump(exclude={"template", "profile"}), False, options)


def _check_primary(idea: Idea, template: Template) -> None:
    if idea.primary and template.metrics and idea.primary not in template.metrics:
        raise InputProblem(
            f'the idea names "{idea.primary}" as Primary, which template {template.name} does not measure'
            f"{did_you_mean(idea.primary, template.metrics)}",
            "Correct Primary in the idea.",
        )


def _check_record(path: str, own: str) -> None:
    """A recording of another study, a shipped one perhaps, is not replaced."""
    if path and path != own and Path(path).is_file() and Path(path).stat().st_size:
        raise InputProblem(f"{path} exists already", "Give --record another file, or move that one away.")


def _shipped_recording(idea: Path, template: Template, profile: str) -> str:
    path = idea.with_suffix(".replay.jsonl")
    return str(path.absolute()) if path.exists() and profile == next(iter(template.profiles)) else ""


def resume(options: argparse.Namespace) -> int:
    from agent.core.config import LIMITS, settle
    from agent.store.catalog import find_study, look

    root = find_study(options.study, results_folder(options))
    given = {key: value for key, value in from_command_line(options).items() if key != "results"}
    fixed = sorted(set(given) & {"template", "profile"})
    if fixed:
        raise InputProblem(f"{' and '.join(fixed)} of a study cannot change", "Start a new study with `run`.")
    checked = settle([("command line", given)])
    given = {key: getattr(checked, key) for key in given}
    _check_record(given.get("record", ""), look(root)[0].settings.record)
    return _work(root, given, any(key in given for key in LIMITS), options)


def rewrite(options: argparse.Namespace) -> int:
    """`paper --rewrite`: as `resume`, with nothing to do but to write."""
    from agent.store.catalog import find_study

    root = find_study(options.study, results_folder(options))
    given = {key: value for key, value in from_command_line(options).items() if key != "results"}
    return _work(root, {**given, "paper": True}, False, options, options.rewrite)


def _work(
    root: Path, given: dict[str, Any], reopen: bool, options: argparse.Namespace, section: str | None = None
) -> int:
    """`section`: the part of the paper to write anew, "" for all of it; None: the study goes on."""
    import time

    from agent import session
    from agent.core.actions import Stop
    from agent.loop import record_all, work
    from agent.runners import tree
    from agent.steps import anew, human
    from agent.store import catalog

    tree.hide_from_children()  # the keys in our environment are none of the experiment's business
    screen = Screen(quiet=options.quiet or options.json)
    state, _, template = catalog.look(root)
    take = getattr(options, "take", False)
    if section is not None:
        anew.check(state, section, take)  # before anything is recorded
    outside: dict[str, Any] = {
        "now": time.time,
        "tell": screen.teller(template),
        "show_progress": screen.progress,
        "interrupted": screen.watch_signals(),
    }
    with session.opened(root, given, reopen, section is not None, **outside) as desk:
        screen.begin(desk)
        stash = getattr(options, "stash", False)
        if take or stash or section is not None:  # an answer holds for what was changed since, too
            record_all(desk, human.listen(desk))
        record_all(desk, human.answer(desk, take, stash))
        if section is not None and desk.state.edited is None:
            record_all(desk, anew.perform(desk.state, anew.check(desk.state, section, take)))
        try:
            stop = work(desk)
        except ScientistError as error:
            screen.clear()
            error.hint = error.hint or f"Go on with `ai-scientist resume {desk.state.name}`."
            raise
        screen.clear()
        if section is not None and not (desk.state.edited or desk.state.rewriting or desk.state.unaffordable):
            stop = Stop(0, "the paper is written anew")
        _say_end(desk, stop, root, options)
        return stop.exit_code


def _say_end(desk: Desk, stop: Stop, root: Path, options: argparse.Namespace) -> None:
    from agent.report.record import record
    from agent.report.summary import facts

    if options.json:
        print(
            json.dumps(
                {
                    **record(desk.state, desk.template),
                    "exit_code": stop.exit_code,
                    "why": stop.why,
                    "folder": str(root),
                },
                ensure_ascii=False,
            )
        )
        return
    print(f"\n{stop.why[:1].upper()}{stop.why[1:]}. {stop.hint}".rstrip())
    for label, text in facts(desk.state, desk.template)[1:]:
        print(f"  {label + ':':<12}{text}")
    print(f"  {'Folder:':<12}{short_path(root)}\n\nLook: ai-scientist show {desk.state.name}")
