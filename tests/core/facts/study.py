"""One study with a run of every kind of verdict, from SAE results of the template and from runs.json. Comparisons are real ones.

run_0 and run_0_jumprelu are baselines; run_1 is within noise, run_2 confirmed, run_3 not comparable, run_4 closed, run_5 of one
seed, run_6 without noise, run_7 worse, run_8 screens as better, run_9 is the baseline again, to the bit.
"""

import json
from dataclasses import replace
from functools import cache
from hashlib import sha256
from pathlib import Path

from agent.core import events as e
from agent.core.compare import Rules
from agent.core.fold import fold
from agent.core.renewed import Source
from agent.core.result import Result, parse_result
from agent.core.template import Template
from agent.core.verdicts import confirmed, screened
from tests import helpers as h

try:
    import tomllib
except ImportError:
    import tomli as tomllib

HERE = Path(__file__).parent
SAE = HERE.parent / "cases" / "sae"
TEMPLATE = HERE.parents[2] / "templates" / "sae" / "template.toml"
PLAN = {"primary": "core.kl_nats", "direction": "down", "min_effect": 0.007, "baseline": "run_0", "profile": "tiny",
        "seeds": {"baseline": 5, "screen": 3, "confirm": 5}, "max_runs": 10}  # fmt: skip


@cache
def template() -> Template:
    """The SAE template, but for constraints that runs.json does not speak of."""
    data = tomllib.loads(TEMPLATE.read_text())
    for metric in ("core.l0", "training.tokens"):
        data["metrics"][metric]["optional"] = True
    return Template.model_validate(data)


@cache
def texts() -> dict[str, str]:
    """Results files by the folder they stand in."""
    made = {name: _stated(content) for name, content in json.loads((HERE / "runs.json").read_text()).items()}
    shipped = {name: (SAE / f"{name}.json").read_text() for name in ("run_0", "run_0_jumprelu", "run_1")}
    return {**shipped, **made, "run_9": shipped["run_0"]}


def _stated(content: dict) -> str:
    for family in content.values():
        if "values" in family:
            family["means"] = {name: sum(values) / len(values) for name, values in family["values"].items()}
    return json.dumps(content)


def results(changed: dict[str, str] | None = None) -> dict[str, Result]:
    found = {name: parse_result(text) for name, text in {**texts(), **(changed or {})}.items()}
    assert all(isinstance(result, Result) for result in found.values()), found
    made = json.loads((HERE / "runs.json").read_text())
    protocol = found["run_0"].protocol
    return {name: replace(result, protocol=protocol) if name in made else result for name, result in found.items()}


def state():
    return fold(h.entries(*events(), step=60.0))


def events():
    found, rules = results(), Rules.of(template(), PLAN)
    made = [
        h.created(("run_0", "run_0_jumprelu")), h.opened(model="some/model"),
        *(_accepted(name, found[name]) for name in ("run_0", "run_0_jumprelu")), e.PlanFrozen(plan=PLAN, sha256="0"),
    ]  # fmt: skip
    known = {name: found[name] for name in ("run_0", "run_0_jumprelu")}
    for number in range(1, 10):
        name = f"run_{number}"
        made += [
            h.asked(f"{number:04d}-edit", name),
            h.replied(f"{number:04d}-edit"),
            h.committed(f"{number:04d}-edit", name),
        ]
        if name == "run_4":
            made.append(e.RunClosed(run=name, reason="it never ran", head=h.HEAD))
            continue
        known[name] = found[name]
        made += [_accepted(name, found[name]), screened(name, known, "run_0", rules)]
        if name == "run_2":
            made += [_fresh("run_0", found["run_0/confirm"]), _fresh(name, found["run_2/confirm"])]
            sides = found["run_2/confirm"], found["run_0/confirm"]
            made.append(confirmed(made[-3].comparison, *sides, rules))
    return made


def _accepted(name, result):
    metrics = {metric: measure.to_json() for metric, measure in result.measures.items()}
    return e.RunAccepted(run=name, attempt=0, head=f"{name[-1]}" * 40, metrics=metrics, seconds=90.0)


def _fresh(name, result):
    metrics = {metric: measure.to_json() for metric, measure in result.measures.items()}
    return e.SeedsMeasured(run=name, attempt=0, head="c" * 40, metrics=metrics, seconds=90.0)


def sources(changed: dict[str, str] | None = None) -> dict[str, Source]:
    written = {**texts(), **(changed or {})}
    return {f"{folder}/final_info.json": Source(result, sha256(written[folder].encode()).hexdigest())
            for folder, result in results(changed).items()}  # fmt: skip
