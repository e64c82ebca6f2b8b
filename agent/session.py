"""Wiring: from settings and a study's folder to a Desk, for the commands that work on a study."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent import __version__
from agent.core import events as e
from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.idea import Idea, parse_idea
from agent.core.layout import Layout
from agent.core.ports import Runner
from agent.core.template import Profile, Template
from agent.llm.choose import choose
from agent.loop import record_all
from agent.runners.inspect import Interpreter, fingerprint
from agent.runners.interpreters import resolve
from agent.steps import close
from agent.steps.desk import Desk, Tell
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
    if template.environment.prefetch:
        problems.append("environment.prefetch is not supported by this version")
    if profile.network != "none":
        problems.append(f'network = "{profile.network}" is not supported by this version')
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
    environment = template.environment
    if settings.python:
        environment = environment.model_copy(update={"python": settings.python, "uv": "", "wrapper": ()})
    interpreter = resolve(environment, Path(settings.results) / ".cache" / "environments", folder)
    return interpreter, fingerprint(interpreter)


def need_git() -> None:
    if not shutil.which("git"):
        raise InputProblem("git is not installed", "Install git (Debian: apt-get install git) and start again.")


def load(root: Path) -> tuple[Idea, Template]:
    """What a study's folder says about itself."""
    template = catalog.load_template(str(root.resolve())).template
    return parse_idea(catalog.read_json(root / "idea.json"), "idea.json"), template


@contextmanager
def opened(root: Path, given: dict[str, Any], reopen: bool, **outside: Any) -> Iterator[Desk]:
    """A desk for one session, under the study's lock. `given` are settings that this session changes."""
    need_git()
    layout = Layout(root.resolve())
    lock = Lock(layout.lock)
    journal = None
    try:
        idea, template = load(root)
        desk, journal = _desk(layout, idea, template, given, outside)
        if not desk.state.ended or reopen or desk.state.ended in ("stopped", "time"):
            desk.record(e.StudyOpened(version=__version__, settings=_settings(desk, given), reopen=reopen))
            record_all(desk, close.deviations(desk))
        yield desk
    finally:
        if journal:
            journal.close()
        lock.release()


def _desk(
    layout: Layout, idea: Idea, template: Template, given: dict[str, Any], outside: dict[str, Any]
) -> tuple[Desk, Journal]:
    now: Callable[[], float] = outside.pop("now")
    tell: Tell = outside.pop("tell")
    journal = Journal(layout.journal, now)
    first = journal.entries[0].event if journal.entries else None
    if not isinstance(first, e.StudyCreated):
        raise InputProblem(
            f"{layout.journal} does not begin with the study's creation", "Restore the journal from a backup."
        )
    opened_before = [x.event.settings for x in journal.entries if isinstance(x.event, e.StudyOpened)]
    settings = merged(opened_before[-1] if opened_before else Settings(), given)
    model = outside.pop("model", None) or choose(settings.model)
    interpreter, machine = preflight(template, template.profile(first.profile)[1], settings, layout.root)
    desk = Desk(layout, journal, Workspace(layout.root), model, make_runner(settings), template, idea, interpreter, machine.to_json(),
                now=now, tell=tell, **outside)  # fmt: skip
    return desk, journal


def _settings(desk: Desk, given: dict[str, Any]) -> Settings:
    return merged(desk.state.settings, given)


def merged(before: Settings, given: dict[str, Any]) -> Settings:
    return Settings.model_validate({**before.model_dump(), **given})


def make_runner(settings: Settings) -> Runner:
    if settings.executor == "inline":
        from agent.runners.inline import InlineRunner

        return InlineRunner()
    from agent.runners.local import LocalRunner

    return LocalRunner()
