"""`run --plan`: say what would happen, and ask."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.config import Settings
    from agent.core.idea import Idea
    from agent.core.price import Price
    from agent.core.template import Profile
    from agent.store.catalog import LoadedTemplate


def agreed(
    options: argparse.Namespace, settings: Settings, idea: Idea, loaded: LoadedTemplate, name: str, profile: Profile
) -> bool:
    """Whether to start. Where nobody can be asked, the plan is all there is."""
    from agent.report.forecast import forecast, lines
    from agent.steps.baselines import measured_before

    price = _price(settings)
    seconds = measured_before(settings.results, loaded.template.name)
    baselines = max(1, len(loaded.template.baselines))
    plan = forecast(settings, profile, baselines, loaded.characters_shown, price, seconds)
    if options.json:
        about, most = plan.gpu_hours
        told = {**asdict(plan), "gpu_hours": about, "most_gpu_hours": most, "model": settings.model}
        told |= {"prefetch": loaded.template.environment.prefetch or None, "network": profile.network}
        print(json.dumps({"idea": idea.name, "template": loaded.template.name, "profile": name, **told}))
        return False
    print(f"{idea.title}\n")
    known = "" if price is None or not price.input else f", {price}"
    rows = [("Template", f"{loaded.template.name}, profile {name}"), ("Model", settings.model + known)]
    rows += _data(loaded.template.environment.prefetch, profile.network)
    for label, text in [*rows, *lines(plan, settings), ("Results", settings.results)]:
        print(f"{label + ':':<12}{text}")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("\nNothing was started. The same command without --plan starts it.")
        return False
    try:
        answer = input("\nStart? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().lower() not in ("y", "yes"):
        print("Nothing was started.")
        return False
    return True


def _data(prefetch: str, network: str) -> list[tuple[str, str]]:
    said = []
    if prefetch:
        said.append(
            f"{prefetch} fetches it first: template's code, outside the sandbox, with network and your hub token"
        )
    if network == "hub":
        said.append("experiments reach the hub (huggingface.co, hf.co) by themselves, and no other host")
    return [("Data", "; ".join(said))] if said else []


def _price(settings: Settings) -> Price | None:
    from agent.core.price import Price
    from agent.llm.choose import asks_provider

    if asks_provider(settings.model):
        from agent.llm.catalogue import look_up

        return look_up(settings).price
    return None if settings.model.startswith("cmd:") else Price(0.0, 0.0, 0.0, 0.0)
