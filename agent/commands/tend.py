"""`check`, `note`, `stop` and `doctor`: small commands beside a study."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from agent.commands.look import open_study
from agent.commands.settings import settled
from agent.core.errors import InputProblem, ScientistError

if TYPE_CHECKING:
    from agent.core.config import Settings


def check(options: argparse.Namespace) -> int:
    from agent.store import catalog

    if ".json" in options.what:
        idea, path = catalog.load_idea(options.what)
        about: dict[str, Any] = {
            "idea": idea.name,
            "title": idea.title,
            "template": idea.template or None,
            "fields": list(idea.fields),
            "file": str(path),
        }
    else:
        loaded = catalog.load_template(options.what)
        template = loaded.template
        level, why = template.trust(tuple(loaded.files), hides=_some_sandbox_works())
        about = {
            "template": template.name, "layout": "classic" if template.classic else "template.toml",
            "editable": sorted(f for f in loaded.files if template.may_edit(f)),
            "frozen": sorted(f for f in loaded.files if not template.may_edit(f)),
            "profiles": list(template.profiles), "primary": template.primary or None,
            "baselines": [template.baseline_run(b.name) for b in template.baselines],
            "prefetch": template.environment.prefetch or None,
            "trust": f"{level}: {why}", "folder": str(loaded.folder),
        }  # fmt: skip
    if options.json:
        print(json.dumps({"ok": True, **about}, ensure_ascii=False))
        return 0
    for key, value in about.items():
        print(f"{key + ':':<12}{', '.join(value) if isinstance(value, list) else value if value is not None else '–'}")
    print("usable")
    return 0


def note(options: argparse.Namespace) -> int:
    from agent.core.text import is_text
    from agent.store import inbox

    if not is_text(options.text):
        raise InputProblem("the note is not UTF-8 text", "Type it again, or use a terminal that speaks UTF-8.")
    if not options.text.strip():
        raise InputProblem("the note is empty", 'For example: ai-scientist note last "try a smaller learning rate"')
    root, state, _ = open_study(options)
    slip = inbox.drop(root / ".study" / "inbox", "note", text=options.text.strip(), keep=options.keep)
    said = f"The coder will read it in {'all its prompts from now on' if options.keep else 'its next prompt'} of {state.name}."
    print(json.dumps({"study": state.name, "slip": slip}) if options.json else said)
    return 0


def amend(options: argparse.Namespace) -> int:
    from agent.core.plan import amendment
    from agent.core.text import is_text
    from agent.store import inbox

    key, equals, value = options.change.partition("=")
    if not equals or not options.because.strip() or not is_text(options.change + options.because):
        raise InputProblem(
            "an amendment is KEY=VALUE, with a reason", 'For example: amend last min_effect=0.01 --because "…"'
        )
    root, state, _ = open_study(options)
    if state.plan is None or state.reference is None:
        raise InputProblem(f"{state.name} has no frozen plan yet", "Start a new study with what you want.")
    now = amendment(key.strip(), value.strip(), state.reference.metrics)
    slip = inbox.drop(root / ".study" / "inbox", "amend", what=key.strip(), now=now, why=options.because.strip())
    said = f"Taken up at the next step of {state.name} (or by `resume`): recorded with your reason, and all runs are judged anew."
    print(json.dumps({"study": state.name, "slip": slip}) if options.json else said)
    return 0


def stop(options: argparse.Namespace) -> int:
    from agent.store import inbox
    from agent.store.journal import is_locked

    root, state, _ = open_study(options)
    if not is_locked(root / ".study" / "lock"):
        raise InputProblem(
            f"{state.name} is not being worked on", "There is nothing to stop; `resume` goes on with it."
        )
    what = "run" if options.only_run else "study"
    slip = inbox.drop(root / ".study" / "inbox", "stop", what=what)
    print(
        json.dumps({"study": state.name, "slip": slip}) if options.json else f"{state.name} is asked to end its {what}."
    )
    return 0


def doctor(options: argparse.Namespace) -> int:
    from agent.doctor import machine, model

    settings = settled(options)
    checks = machine.examine(settings)
    checks += model.examine(settings, _characters_shown(settings), options.live)
    failed = any(c.state == "missing" for c in checks)
    if options.json:
        print(json.dumps({"ok": not failed, "checks": [vars(c) for c in checks]}, ensure_ascii=False))
    else:
        for check in checks:
            print(f"{check.state:<9}{check.what:<22}{check.found}" + (f"\n{'':<31}→ {check.fix}" if check.fix else ""))
    return 2 if failed else 0


def _some_sandbox_works() -> bool:
    from agent.runners import tiers

    return isinstance(tiers.choose("auto"), tiers.Tier)


def _characters_shown(settings: Settings) -> int:
    """Of the template that a study would use here: what each prompt shows. 0: no template, or several."""
    from agent.store.catalog import load_template

    try:
        return load_template(settings.template).characters_shown
    except ScientistError:
        return 0
