"""Wiring: from settings and a study's folder to a Desk, for the commands that work on a study."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from agent import __version__
from agent.core import events as e
from agent.core.config import Settings, settle
from agent.core.errors import InputProblem
from agent.core.fold import fold
from agent.core.layout import Layout
from agent.core.ports import Runner
from agent.core.state import GOES_ON
from agent.core.template import Profile, Template
from agent.llm.choose import choose
from agent.loop import record_all
from agent.runners import tiers
from agent.runners.inspect import Interpreter, fingerprint
from agent.runners.interpreters import resolve
from agent.runners.sandbox import Unprepared
from agent.runners.tiers import Tier
from agent.steps import build, close, stored
from agent.steps.desk import Desk
from agent.store import catalog
from agent.store.journal import Journal, Lock
from agent.store.workspace import Workspace


def preflight(
    template: Template, profile: Profile, settings: Settings, folder: Path
) -> tuple[tuple[str, ...], Interpreter]:
    """What must be right before anything is made or paid for; returns how the experiment's Python starts and what it is."""
    problems = []
    if profile.seed_jobs != "inside":
        problems.append('seed_jobs = "per-job" is not supported by this version; use "inside"')
    for need in profile.needs:
        if need == "cuda" and not shutil.which("nvidia-smi"):
            problems.append("the profile needs a CUDA GPU, and this machine shows none (nvidia-smi is not there)")
        elif need != "cuda":
            problems.append(f'needs = ["{need}"] cannot be checked by this version')
    if problems:
        raise InputProblem(
            f"template {template.name} cannot be used here",
            "Choose another profile with -p, or change template.toml.",
            problems,
        )
    need_git()
    need_latex(settings)
    sandbox_of(settings, template, profile)
    if settings.record:
        stored.check_recording(Path(settings.record))
    environment = template.environment
    if settings.python:
        environment = environment.model_copy(update={"python": settings.python, "uv": "", "wrapper": ()})
    interpreter = resolve(environment, Path(settings.results) / ".cache" / "environments", folder)
    return interpreter, _machine(interpreter)


_machine = cache(fingerprint)  # an interpreter stays what it is while this process lives


def sandbox_of(settings: Settings, template: Template, profile: Profile) -> Tier:
    """What the jobs of a study will run in here; InputProblem where nothing works and none was not asked for."""
    if settings.executor == "inline":
        return Tier("none", True, "none: -c executor=inline runs the experiment in the foreground, with your rights")
    wrapped = bool(template.environment.wrapper) and not settings.python
    wanted = "wrapper" if wrapped and settings.sandbox == "auto" else settings.sandbox
    tier = _choose(wanted, network=profile.network)
    if isinstance(tier, Unprepared):
        raise InputProblem(tier.reason, "`ai-scientist doctor` shows each sandbox with what it lacks.")
    return tier


_choose = cache(tiers.choose)


def need_git() -> None:
    if not shutil.which("git"):
        raise InputProblem("git is not installed", "Install git (Debian: apt-get install git) and start again.")


def need_latex(settings: Settings) -> None:
    """Only where a PDF was asked for: before anything is paid for, not at the end."""
    if settings.require_pdf and (missing := build.lacking()):
        raise InputProblem(
            f"a PDF is required, and {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            f"Install LaTeX: `make system`, or on Debian: apt-get install {build.DEBIAN}.",
        )


@contextmanager
def opened(root: Path, given: dict[str, Any], reopen: bool, writing: bool = False, **outside: Any) -> Iterator[Desk]:
    """A desk for one session, under the study's lock. `given` are settings that this session changes.

    `writing`: it is opened to write the paper anew, also where the study has ended for good.
    """
    need_git()
    layout = Layout(root.resolve())
    lock = Lock(layout.lock)
    try:
        journal = Journal(layout.journal, outside["now"])
        try:
            settings = merged(_settings_before(layout, journal), given)
            desk = _desk(layout, journal, settings, outside)
            if not desk.state.ended or reopen or writing or desk.state.ended in GOES_ON:
                desk.record(e.StudyOpened(version=__version__, settings=settings, reopen=reopen))
                record_all(desk, close.deviations(desk))
            yield desk
        finally:
            journal.close()
    finally:
        lock.release()


def _settings_before(layout: Layout, journal: Journal) -> Settings:
    """Those of the last session; of a study killed before its first one, those that it was made with."""
    sessions = [entry.event.settings for entry in journal.entries if isinstance(entry.event, e.StudyOpened)]
    return sessions[-1] if sessions else settle([("config.toml", catalog.read_toml(layout.root / "config.toml"))])


def _desk(layout: Layout, journal: Journal, settings: Settings, outside: dict[str, Any]) -> Desk:
    first = journal.entries[0].event if journal.entries else None
    if not isinstance(first, e.StudyCreated):
        raise InputProblem(
            f"{layout.journal} does not begin with the study's creation", "Restore the journal from a backup."
        )
    workspace = Workspace(layout.root)
    idea, template = catalog.read_study(workspace, fold(journal.entries).head, first.name)
    model = outside.pop("model", None) or choose(settings)
    profile = template.profile(first.profile)[1]
    interpreter, machine = preflight(template, profile, settings, layout.root)
    runner = make_runner(settings)
    return Desk(
        layout,
        journal,
        workspace,
        model,
        runner,
        template,
        idea,
        interpreter,
        machine.to_json(),
        **outside,
    )


def merged(before: Settings, given: dict[str, Any]) -> Settings:
    return Settings.model_validate({**before.model_dump(), **given})


def make_runner(settings: Settings) -> Runner:
    if settings.executor == "inline":
        from agent.runners.inline import InlineRunner

        return InlineRunner()
    from agent.runners.local import LocalRunner

    return LocalRunner()
