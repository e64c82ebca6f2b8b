"""A study of ten runs of the SAE template that is over but for its paper: for bench/paper_tokens.py.

Template, idea, bibliography and plan are the real ones; results are those of the recorded study (paper_results.json, five
digits), for further runs moved a little; notes have about 1,400 characters a run. The journal is written here, nothing is
run; from there on the product goes on by itself.
"""

import json
import time
from pathlib import Path
from typing import Any

from agent.core import events as e
from agent.core.config import Settings
from agent.core.layout import Layout
from agent.core.result import parse_result
from agent.steps import setup
from agent.store import catalog
from agent.store.journal import Journal
from agent.store.workspace import Workspace
from bench.tokens_study import SAID

ROOT = Path(__file__).parents[1]
IDEA, RECORDING = ROOT / "ideas/adaptive_temporal.json", ROOT / "ideas/adaptive_temporal.replay.jsonl"
RESULTS = json.loads(Path(__file__).with_name("paper_results.json").read_text("utf-8"))
OF_RUN = {family: content for family, content in RESULTS["run_1"].items() if family != "probes"}
BASELINES = ("run_0", "run_0_jumprelu", "run_0_l1", "run_0_untrained")
OWN_FIGURES = ("default_metrics", "default_runs", "default_tradeoff")
FIGURES = ("steadiness", "sparsity", "training", "overlap_by_lag", "gate_over_time", "kept_latents", "share_of_terms",
           "probing_by_property", "ratio_sweep")  # fmt: skip
TRIED = (
    "the adaptive temporal penalty on top of the L1 baseline",
    "the penalty switched off, as a control",
    "the penalty with a fixed weight, without the gate",
    "a quarter of the ratio of temporal to sparsity weight",
    "the ratio at one, the largest that the idea names",
    "a gate whose maximum starts after the warm-up",
    "a gate with half the memory",
    "a sharper gate, with beta at twenty",
    "the squared change of latents in place of the absolute one",
    "the ratio and the gate that did best so far, together",
)  # of further runs, the same once more


def notes(run: str, why: str) -> str:
    return "\n".join(SAID).format(run=run, why=why) + "\n"


def moved(data: dict, number: int) -> dict:
    """The results of another run: every value a little off, the same for all seeds."""
    text = json.dumps(data)
    found = json.loads(text)
    for family in found.values():
        family.pop("means"), family.pop("stderrs", None)
        for name, values in family["values"].items():
            off = 1 + 0.002 * number * (1 if name in ("kl_nats", "mse") else -1)
            family["values"][name] = [value if name in ("tokens", "l0") else value * off for value in values]
        family["means"] = {name: sum(values) / len(values) for name, values in family["values"].items()}
    return found


def write(place: Path, runs: int = 10, figures: int = 6, **given: Any) -> tuple[Path, Settings]:
    """The study's folder and its settings."""
    idea, _ = catalog.load_idea(str(IDEA))
    loaded = catalog.load_template(idea.template)
    settings = Settings(results=str(place / "results"), executor="inline", max_runs=runs, max_cost=None, **given)
    root = setup.create(idea, loaded, settings, time.time)
    names = [*OWN_FIGURES, *FIGURES][:figures]
    results = {name: RESULTS[name] for name in BASELINES}
    results |= {f"run_{number}": moved(OF_RUN, number) for number in range(1, runs + 1)}
    files = {f"{run}/final_info.json": json.dumps(data).encode() for run, data in results.items()}
    files |= {f"figures/{name}{end}": b"%PDF-1.5\n" for name in names for end in (".pdf", ".png")}
    for number in range(1, runs + 1):
        files[f"notes/run_{number}.txt"] = notes(
            f"run_{number}", f"what comes of {TRIED[(number - 1) % len(TRIED)]}"
        ).encode()
    journal = Journal(Layout(root).journal, time.time)
    head = Workspace(root).commit(journal.entries[0].event.head, files, "Ten runs", time.time())
    for event in happened(results, runs, names, head, settings):
        journal.append(event)
    journal.close()
    return root, settings


def happened(results: dict, runs: int, names: list[str], head: str, settings: Settings) -> list[e.Event]:
    metrics = {}
    for run, data in results.items():
        metrics[run] = {n: measure.to_json() for n, measure in parse_result(json.dumps(data)).measures.items()}
    events = [e.StudyOpened(version="1", settings=settings), e.DataFetched(attempt=1, revisions={"layer1": "0"})]
    events += [e.RunAccepted(run=run, attempt=0, head=head, metrics=metrics[run]) for run in BASELINES]
    plan = {"primary": "core.kl_nats", "direction": "down", "min_effect": 0.007, "baseline": "run_0_l1", "profile": "tiny",
            "seeds": {"baseline": 5, "screen": 3, "confirm": 5}, "max_runs": runs, "trust": 2, "trust_why": "re-scored",
            "stop": "ALL_COMPLETED"}  # fmt: skip
    events.append(e.PlanFrozen(plan=plan, sha256="0"))
    for number in range(1, runs + 1):
        events += of_run(number, head, metrics[f"run_{number}"])
    last = f"{runs + 1:04d}-notes"
    events += [e.CallAsked(call=last, action="notes", run=f"run_{runs}", turn=1, model="m", prompt_sha256="0"), reply(last),
               e.EditCommitted(call=last, run=f"run_{runs}", head=head, files=(f"notes/run_{runs}.txt",), starts_run=False)]  # fmt: skip
    probes = {
        name: value
        for name, value in parse_result(json.dumps(RESULTS["run_1"])).measures.items()
        if name.startswith("probes.")
    }
    events.append(
        e.ProbesMeasured(attempt=1, runs={run: {n: m.to_json() for n, m in probes.items()} for run in results})
    )
    shown = e.Shown(runs=tuple(results), metrics=("core.kl_nats", "core.explained_variance"))
    for what, wanted in (("plot", FIGURES), ("default", OWN_FIGURES)):
        files = tuple(f"figures/{name}{end}" for name in names if name in wanted for end in (".pdf", ".png"))
        events.append(e.FiguresDrawn(what=what, attempt=1, head=head, files=files, shows=dict.fromkeys(files, shown)))
    return events


def of_run(number: int, head: str, metrics: dict) -> list[e.Event]:
    run, call = f"run_{number}", f"{number:04d}-edit"
    files = ("experiment.py", *([f"notes/run_{number - 1}.txt"] if number > 1 else []))
    stated = [e.PlanStated(call=call, text=planned(), sha256="0")] if number == 1 else []
    said = f"Try {TRIED[(number - 1) % len(TRIED)]}."
    return [
        e.CallAsked(call=call, action="edit", run=run, turn=1, model="m", prompt_sha256="0"),
        reply(call),
        *stated,
        e.EditCommitted(call=call, run=run, head=head, files=files, starts_run=True, summary=said),
        e.RunLaunched(run=run, attempt=1, head=head, seeds=(0, 1, 2)),
        e.RunEnded(run=run, attempt=1, outcome={"ending": "finished", "exit_code": 0}),
        e.RunAccepted(run=run, attempt=1, head=head, metrics=metrics),
    ]


def reply(call: str) -> e.Event:
    return e.CallReplied(call=call, model="m", reply_sha256="0")


def planned() -> str:
    """What the recording's first reply says, as the product takes it."""
    from agent.core.reply import prose
    from agent.core.text import shorten_lines
    from agent.steps.edit import _LONGEST_PLAN

    first = json.loads(RECORDING.read_text("utf-8").splitlines()[0])["reply"]
    return shorten_lines(prose(first), _LONGEST_PLAN)
