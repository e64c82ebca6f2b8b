"""Step 1–2: a study folder from an idea and a template, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from agent import __version__
from agent.core import events as e
from agent.core import paper
from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.idea import Idea
from agent.core.layout import Layout
from agent.store import files as store
from agent.store.catalog import LoadedTemplate
from agent.store.journal import Journal
from agent.store.workspace import Workspace


def create(idea: Idea, loaded: LoadedTemplate, settings: Settings, now: Callable[[], float], name: str = "") -> Path:
    """Make the study beside its final place and move it there in one step."""
    results = Path(settings.results)
    profile, _ = loaded.template.profile(settings.profile)
    first = loaded.template.baseline_run(idea.baseline)
    others = [n for b in loaded.template.baselines if (n := loaded.template.baseline_run(b.name)) != first]
    at = now()
    name = name or _free_name(results, f"{datetime.fromtimestamp(at):%Y%m%d_%H%M%S}_{idea.name}")
    temporary = _fresh_folder(results, name)
    try:
        files = _first_files(idea, loaded, settings)
        message = f"Start: {idea.title}\n\nTemplate {loaded.template.name}, profile {profile}."
        _, head = Workspace.create(temporary, files, message, at)
        (temporary / ".study" / "inbox").mkdir(parents=True)
        (temporary / ".study" / "llm").mkdir()
        (temporary / ".study" / "attempts").mkdir()
        if loaded.baseline_results:
            store.write(Layout(temporary).shipped(first) / "final_info.json", loaded.baseline_results)
        journal = Journal(Layout(temporary).journal, now)
        journal.append(
            e.StudyCreated(name=name, version=__version__, head=head, profile=profile,
                           template_sha256=loaded.sha256, baselines=(first, *others),
                           prefetch=loaded.template.environment.prefetch,
                           parts=_parts(loaded),
                           probes=bool(loaded.template.probe),
                           plots=_plots(loaded),
                           smoke=loaded.template.profile(profile)[1].smoke is not None)
        )  # fmt: skip
        journal.close()
        temporary.rename(results / name)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return results / name


def _parts(loaded: LoadedTemplate) -> tuple[str, ...]:
    """What of the template's paper can be written."""
    return tuple(paper.parts(loaded.files.get("latex/paper.tex", b"").decode("utf-8", "replace")))


def _plots(loaded: LoadedTemplate) -> bool:
    """There has to be one: what is shown and mended is the template's way of drawing."""
    return loaded.template.may_edit("plot.py") and "plot.py" in loaded.files


def _first_files(idea: Idea, loaded: LoadedTemplate, settings: Settings) -> dict[str, bytes]:
    made = {
        "idea.json": json.dumps(idea.fields, indent=2, ensure_ascii=False) + "\n",
        "config.toml": _toml(settings),
        "notes.txt": f"# Notes: {idea.title}\n\nNothing has been run yet.\n",
        "notes.md": f"# Notes: {idea.title}\n\nNothing has been run yet.\n",
        "README.md": f"# {idea.title}\n\nNothing has been run yet.\n",
    }
    return {**loaded.files, **{name: text.encode() for name, text in made.items()}}


def _toml(settings: Settings) -> str:
    rows = {key: "none" if value is None else value for key, value in settings.model_dump(mode="json").items()}
    return "# The settings that this study began with.\n" + "".join(
        f"{key} = {_toml_value(value)}\n" for key, value in rows.items()
    )


def _toml_value(value: object) -> str:
    """As JSON, which TOML understands but for halves of characters and one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _free_name(results: Path, wanted: str) -> str:
    name, number = wanted, 1
    while (results / name).exists():
        number += 1
        name = f"{wanted}_{number}"
    return name


def _fresh_folder(results: Path, name: str) -> Path:
    try:
        results.mkdir(parents=True, exist_ok=True)
        for left in results.glob(".new-*"):
            if not _alive(left.name.split("-")[1]):
                shutil.rmtree(left, ignore_errors=True)
        folder = results / f".new-{os.getpid()}-{name}"
        folder.mkdir()
    except OSError as error:
        raise InputProblem(
            f"cannot make a study under {results}: {error.strerror}", "Give another folder with -o."
        ) from None
    return folder


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True
