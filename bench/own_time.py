"""What the tool itself costs per run, without model and experiment: a study of ten runs from a recording.

Run from the project's folder: python bench/own_time.py [--json]. Exit code 1 when a run costs a second or more.
Measured from the journal: the time from the reply that asks for a run to the next call, less the job's own seconds.
So it holds parsing, applying, gate, commits, launcher, validation, digest and prompt, and every fsync.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from agent.store.journal import read
from bench.prompts import NOTES, RATES, long_experiment
from tests.stories import world

BAR = 1.0


def study(folder: Path) -> Path:
    world.template(folder / "toy", experiment__py=long_experiment)
    rows = []
    for run in range(1, 11):
        reply = f"Use a learning rate of {RATES[run]}.\n" + world.block(
            f'    "learning_rate": {RATES[run - 1]},', f'    "learning_rate": {RATES[run]},'
        )
        reply += world.notes(f"run_{run - 1}", NOTES) if run > 1 else ""
        rows.append({"action": "edit", "run": f"run_{run}", "turn": 1, "reply": reply})
    rows.append({"action": "notes", "run": "run_10", "turn": 1, "reply": world.notes("run_10", NOTES)})
    (folder / "session.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    idea = json.loads((world.TOY / "ideas" / "iterate_averaging.json").read_text())
    (folder / "idea.json").write_text(json.dumps({**idea, "Template": str(folder / "toy")}))
    words = [
        "run",
        folder / "idea.json",
        "-m",
        f"replay:{folder / 'session.jsonl'}",
        "-o",
        folder / "results",
        "--quiet",
    ]
    subprocess.run([sys.executable, "-m", "agent", *map(str, words)], check=True, capture_output=True, env=os.environ)
    return next((folder / "results").glob("2*"))


def own_seconds(root: Path) -> list[float]:
    """For each run of the coder: from its reply to the next question, less the job."""
    own, began, job = [], None, 0.0
    for entry in read(root / ".study" / "journal.jsonl"):
        event = entry.event
        if event.type == "call.asked" and began is not None:
            own.append(entry.at - began - job)
            began = None
        if event.type == "call.replied" and "edit" in event.call:
            began, job = entry.at, 0.0
        elif event.type == "run.ended":
            job = event.outcome["seconds"]
    return own


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        own = own_seconds(study(Path(folder)))
    told = {"runs": len(own), "median_s": round(statistics.median(own), 3), "max_s": round(max(own), 3)}
    if "--json" in sys.argv:
        print(json.dumps(told))
    else:
        print(
            f"{told['runs']} runs; own time per run: median {told['median_s']} s, largest {told['max_s']} s (bar {BAR} s)"
        )
    return int(max(own) >= BAR)


if __name__ == "__main__":
    sys.exit(main())
