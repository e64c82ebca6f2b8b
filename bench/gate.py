"""The gate's own time, without smoke: `python bench/gate.py`.

A change of the SAE template's experiment, in a study of ten runs whose experiments are all known: what the step that reads
a reply does between the blocks and the commit. Cold: nothing is known of any library yet (a process of the experiment's
interpreter imports them). Warm: all names are known, as in every later change. Bar: warm < 0.5 s.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

from agent.core import edits, gate
from agent.core.config import Settings
from agent.core.layout import Layout
from agent.runners.inspect import fingerprint
from agent.steps import signatures
from agent.store.catalog import load_template
from agent.store.workspace import Workspace

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cold, warm = measure(Path(folder), options.rounds)
    told = {
        "cold": round(cold, 3),
        "warm_median": round(statistics.median(warm), 3),
        "warm_longest": round(max(warm), 3),
    }
    print(
        json.dumps(told)
        if options.json
        else f"cold {cold:.2f} s · warm {told['warm_median']} s, longest {told['warm_longest']} s"
    )
    sys.exit(0 if told["warm_median"] < 0.5 else 1)


def measure(folder: Path, rounds: int) -> tuple[float, list[float]]:
    loaded = load_template(str(ROOT / "templates" / "sae"))
    study = folder / "results" / "study"
    study.mkdir(parents=True)
    workspace, head = Workspace.create(study, loaded.files, "start", time.time())
    before = {n: b.decode() for n, b in loaded.files.items() if loaded.template.may_edit(n)}
    machine = fingerprint((sys.executable,)).to_json()
    desk = SimpleNamespace(
        workspace=workspace, template=loaded.template, layout=Layout(study), interpreter=(sys.executable,), machine=machine,
        state=SimpleNamespace(head=head, settings=Settings(), name="study"), pulse=lambda: None,
        interrupted=lambda: False, profile=loaded.template.profile()[1], show_progress=lambda text: None,
    )  # fmt: skip
    seen = {f"run_{n}": {**before, "experiment.py": before["experiment.py"] + f"\nRUN = {n}\n"} for n in range(1, 11)}
    seconds = [once(desk, before, seen, number) for number in range(rounds + 1)]
    return seconds[0], seconds[1:]


def once(desk: SimpleNamespace, before: dict[str, str], seen: dict[str, dict[str, str]], number: int) -> float:
    reply = reply_to(before["experiment.py"], number)
    began = time.perf_counter()
    applied = edits.apply(edits.parse(reply, before), before, creatable=("notes/*.txt",))
    assert isinstance(applied, edits.Applied), applied
    passed = gate.check(before, applied.files, seen, partial(signatures.findings, desk))
    assert isinstance(passed, gate.Passed) and passed.starts_run, passed
    return time.perf_counter() - began


def reply_to(text: str, number: int) -> str:
    """One more line, with calls into torch, before the first `return` of a function that stands there once."""
    line = next(x for x in text.splitlines() if x.strip().startswith("return ") and text.count(x) == 1)
    indent = line[: len(line) - len(line.lstrip())]
    new = f"{indent}torch.nn.functional.softmax(torch.zeros({number + 2}), dim=0)\n{line}"
    return f"experiment.py\n```python\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n```\n"


if __name__ == "__main__":
    main()
