"""A study of the SAE template through the whole loop, at its smallest size, in the sandbox of this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
IDEA = HERE.parents[1] / "ideas" / "adaptive_temporal.json"

MODEL = f"""
import pathlib, sys
asked = pathlib.Path("asked.txt")
number = len(asked.read_text().splitlines()) if asked.exists() else 0
prompt = sys.stdin.read()
asked.write_text("\\n".join([*asked.read_text().splitlines(), str(len(prompt))] if number else [str(len(prompt))]) + "\\n")
pathlib.Path(f"prompt-{{number}}.md").write_text(prompt)
note = "notes/run_1.txt\\n```\\n<<<<<<< SEARCH\\n=======\\nThe temporal term has \\\\fact{{run_1.loss_share.temporal}} of the loss.\\n>>>>>>> REPLACE\\n```\\n"
print(pathlib.Path({str(HERE / "adaptive_temporal.reply.md")!r}).read_text() if number == 0 else note + "\\nALL_COMPLETED" if number == 1 else "ALL_COMPLETED")
"""


@pytest.mark.timeout(500)
def test_an_idea_about_neighbouring_tokens_is_tried_against_its_own_baseline(tmp_path):
    (tmp_path / "model.py").write_text(MODEL)
    command = [sys.executable, "-m", "agent", "run", str(IDEA), "-p", "micro", "-m", f"cmd:{sys.executable} model.py",
               "--max-runs", "1", "-o", str(tmp_path / "results")]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=480)
    assert done.returncode == 0, done.stdout + done.stderr
    study = next((tmp_path / "results").glob("2*_adaptive_temporal"))
    shown = json.loads(_agent(tmp_path, "show", "last", "--json"))
    runs = {run["name"]: run for run in shown["runs"]}
    assert [runs[name]["status"] for name in ("run_0_l1", "run_0", "run_0_jumprelu", "run_0_untrained", "run_1")] == ["good"] * 5
    assert list(runs)[0] == "run_0_l1", "the idea's own baseline comes first"
    means = json.loads((study / "run_1/final_info.json").read_text())
    assert means["loss_share"]["means"]["temporal"] > 0.001
    probes = json.loads((study / "run_1/probes.json").read_text())["runs"]
    assert set(probes) == {"run_0", "run_0_l1", "run_0_jumprelu", "run_0_untrained", "run_1"}
    assert all(0 < one["temporal_stability"]["mean"] < 1 for one in probes.values())
    logs = {log.parent.name: log.read_text() for log in study.glob(".study/attempts/*/stdout.log")}
    made = {name for name, said in logs.items() if "making" in said}
    assert made <= {"prefetch-try-1", "run_1-try-1"}, "made once, for all runs; a smoke run has a size of its own"
    runs_tried = {f"{run}-try-1" for run in runs} | {"run_1-try-2"}  # the first of run_1 is its smoke run
    assert runs_tried | {"prefetch-try-1"} <= set(logs)
    prompt = (tmp_path / "prompt-0.md").read_text()
    assert "batch.previous" in prompt, "the coder sees the calls it may use"
    assert "core.kl_nats" in prompt
    assert not list(study.rglob("*.f32")) or all(".study" in p.parts for p in study.rglob("*.f32"))
    assert "class Temporal" in _agent(tmp_path, "diff", "last", "run_1")


def _agent(folder, *words):
    command = [sys.executable, "-m", "agent", *words, "-o", str(folder / "results")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout
