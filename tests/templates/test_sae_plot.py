"""The SAE template's plot.py, run as a study runs it: on results files and curves alone."""

import json
import sys
from pathlib import Path

import pytest

from agent.core.labels import labelled
from agent.runners import folder
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner
from agent.steps import side
from tests.runners.attempts import ended

TEMPLATE = Path(__file__).parents[2] / "templates" / "sae"
RUNS = {"run_0": (0.06, 16.0), "run_0_jumprelu": (0.064, 16.8), "run_0_untrained": (0.9, 14.0), "run_1": (0.05, 15.7)}


def write(root, run, kl, l0):
    means = {"core": {"kl_nats": kl, "explained_variance": 1 - 3 * kl, "l0": l0}, "token_probing": {"top_5": 0.8 - kl}, "synthetic": {"f1": 0.7 - kl}}
    told = {family: {"means": of, "stderrs": {m: abs(v) / 50 for m, v in of.items()}, "n": 3} for family, of in means.items()}
    told["core"]["protocol"] = {"train": {"l0": 16}}
    (root / run).mkdir()
    (root / run / "final_info.json").write_text(json.dumps(told))
    steps = list(range(0, 500, 5))
    curve = {"step": steps, "l0": [l0 + 20 / (s + 1) for s in steps], "reconstruction": [kl + 1 / (s + 1) for s in steps]}
    (root / run / "training_seed_0_language.json").write_text(json.dumps(curve))


def test_its_labels_can_be_read_without_running_it():
    assert labelled((TEMPLATE / "plot.py").read_text()) == ("run_0", "run_0_jumprelu", "run_0_l1", "run_0_untrained")


@pytest.mark.slow
def test_it_draws_from_results_and_curves_the_runs_that_are_there(tmp_path):
    for run, values in RUNS.items():
        write(tmp_path, run, *values)
    text = (TEMPLATE / "plot.py").read_text().replace('"run_0": "TopK",', '"run_0": "TopK",\n    "run_1": "ours",')
    own = side.Side(tmp_path / ".study/attempts/plot-try-1", (sys.executable,), fingerprint((sys.executable,)).folders, "none")
    wanted = labelled(text)
    side.lay_out(own, {"plot.py": text.encode(), **side.results(tmp_path, wanted)})
    assert (own.scratch / "run_1/training_seed_0_language.json").exists() and len(wanted) == 5
    folder.write_job(own.attempt, side.plot(own))
    LocalRunner().start(own.attempt)
    outcome = ended(own.attempt, 100.0)
    said = (own.attempt / "stderr.log").read_text()
    assert outcome.ok and "Warning" not in said, (outcome, said)
    images = {path.name: path.stat().st_size for path in side.images(own)}
    assert set(images) == {f"{name}.{kind}" for name in ("metrics", "sparsity", "training") for kind in ("png", "pdf")}
    empty = 25_000
    assert min(size for name, size in images.items() if name.endswith(".png")) > empty, images
