"""The SAE template, whole: from `python experiment.py` to results, by hand and without the tool."""

import json
import os
import re
import subprocess
import sys

import numpy as np

from agent.core.result import Result, parse_result
from agent.core.template import Template
from agent.store.catalog import load_template
from tests.templates.sae_world import TEMPLATE, sae, sae_cache  # noqa: F401

COSTS = ("training.seconds", "training.peak_memory_mb")


def test_a_run_by_hand_ends_with_a_table_and_valid_results(sae):  # noqa: F811
    done = sae.run(AI_SCIENTIST_SEEDS="0,1")
    assert done.returncode == 0, done.stderr
    assert re.search(r"core\.kl_nats +\d\.\d+ ± \d", done.stdout)
    result = parse_result((sae.folder / "run_1/final_info.json").read_text())
    assert isinstance(result, Result)
    assert result.measures["core.kl_nats"].n == 2
    assert result.protocol["core"]["eval"]["encoder_confined"] in (True, False)
    assert result.config["training"]["kind"] == "topk"
    declared = [m for m in load_template(str(TEMPLATE)).template.metrics if "*" not in m and "token_probing" not in m]
    assert set(declared) <= set(result.measures)


def test_the_same_seed_gives_the_same_weights_and_scores_bit_for_bit(sae):  # noqa: F811
    first, again = (sae.means(out) for out in ("run_1", "run_2"))
    beside = sae.means("run_3", AI_SCIENTIST_SEEDS="3,0")
    weights = [np.load(sae.folder / run / "seed_0_language.npz") for run in ("run_1", "run_2", "run_3")]
    for name in (n for n in weights[0].files if n.startswith("w.")):
        assert (weights[0][name] == weights[1][name]).all()
        assert (weights[0][name] == weights[2][name]).all(), "other seeds beside it change nothing"
    assert {m: v for m, v in first.items() if m not in COSTS} == {m: v for m, v in again.items() if m not in COSTS}
    assert beside["core.kl_nats"] != first["core.kl_nats"]


def test_trained_beats_untrained_and_all_kinds_train_on_micro(sae):  # noqa: F811
    found = {arch: sae.means(arch, SAE_ARCH=arch) for arch in ("topk", "jumprelu", "l1", "untrained")}
    for arch in ("topk", "jumprelu", "l1"):
        assert found[arch]["core.kl_nats"] < found["untrained"]["core.kl_nats"] - 0.3, arch
        assert found[arch]["core.explained_variance"] > found["untrained"]["core.explained_variance"] + 0.1, arch
    assert found["topk"]["core.l0"] == 8.0


def test_smoke_walks_the_whole_path_with_diagnostics_and_probes(sae):  # noqa: F811
    sae.add("probes.py", "def probe(sae, x):\n    return {'mean_l0': float((sae.encode(x.flatten(0, 1)) != 0).sum(1).float().mean())}\n")
    smoke = {"SAE_PROFILE": "tiny", "SAE_SMOKE": "1", "SAE_DIAGNOSTICS": "1"}
    sae.means("run_0", **smoke)
    means = sae.means("run_1", SAE_ARCH="jumprelu", **smoke)
    families = {name.split(".")[0] for name in means}
    assert families == {"core", "token_probing", "synthetic", "training", "loss_share", "reference", "sequence_probing",
                        "absorption", "scr_tpp", "unlearning", "probes"}  # fmt: skip
    both = json.loads((sae.folder / "run_1/probes.json").read_text())["runs"]
    assert set(both) == {"run_0", "run_1"}
    assert both["run_0"]["mean_l0"]["mean"] == 16.0
    assert both["run_1"]["mean_l0"]["mean"] == means["probes.mean_l0"]


def test_a_batch_knows_the_real_neighbours_of_its_tokens(sae):  # noqa: F811
    code = """
import torch
from harness import data
world = data.worlds()[0]
everything = world._store
batch = next(world.batches(0, 512))
order = torch.randperm(len(everything), generator=torch.Generator().manual_seed(0))[:512]
assert torch.equal(batch.x, everything[order])
starts = order % 127 == 0
assert torch.equal(batch.start, starts) and starts.any()
assert torch.equal(batch.previous[~starts], everything[order[~starts] - 1])
assert (batch.previous[starts] == 0).all()
first = data.arrays(data.HERE / "assets/train.npz")["ids"][:1]
raw = data.residuals(first)[0, 1:]
assert torch.allclose(everything[:127], data.scale().normal(raw), atol=1e-5)
print("as it should be", float(everything.mean(0).abs().max()), float(everything.pow(2).sum(1).mean()))
"""
    done = sae.python("-c", code)
    assert done.returncode == 0, done.stderr
    _, mean, size = done.stdout.rsplit(" ", 2)
    assert float(mean) < 0.05
    assert abs(float(size) - 1) < 0.1


def test_progress_is_told_to_whoever_listens(sae, tmp_path):  # noqa: F811
    path = tmp_path / "progress.jsonl"
    path.touch()
    done = sae.run(AI_SCIENTIST_PROGRESS=str(path))
    assert "the evaluation follows" in done.stdout
    assert not (sae.folder / "run_1/final_info.json").exists(), "the tool evaluates in a job of its own"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[-1]["step"] == lines[-1]["of"]
    assert {"loss", "l0"} <= set(lines[-1])


def test_the_frames_of_the_experiment_are_in_what_a_failing_seed_prints(sae):  # noqa: F811
    sae.change("experiment.py", ("        progress = step / steps\n", "        progress = step / steps\n        raise KeyError('mistake')\n"))
    done = sae.run(AI_SCIENTIST_SEEDS="0,1")
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("KeyError: 'mistake'")
    assert 'experiment.py", line' in done.stderr.rsplit("Traceback", 1)[1]


def test_a_method_that_cannot_be_loaded_or_answers_nonsense_is_told_so(sae):  # noqa: F811
    sae.means("run_1")
    good = (sae.folder / "experiment.py").read_text()
    encode = "        return kernels.dense(values, indices, len(self.W_enc))"
    for instead, said in (
        ("        return kernels.dense(values, indices, len(self.W_enc))[:-1]", "encode was given"),
        ("        return kernels.dense(values, indices, len(self.W_enc)) / 0", "not finite"),
        ("        return kernels.dense(values, indices, 2 * len(self.W_enc))", "256 latents and W_dec has 128"),
        ("        raise IndexError('in encode')", "IndexError: in encode"),
        ("        import os; os._exit(0)", "ended while it was asked"),
    ):
        (sae.folder / "experiment.py").write_text(good.replace(encode, instead))
        done = sae.python("-m", "harness.evaluate", "--out_dir=run_1")
        assert done.returncode == 1, instead
        assert said in done.stderr, done.stderr
        assert not (sae.folder / "run_1/final_info.json").exists()


def test_the_shipped_world_is_whole_and_holds_nothing_back(sae):  # noqa: F811
    assert sae.python("-m", "harness.make_assets").returncode == 0
    train = np.load(TEMPLATE / "harness/assets/train.npz")
    held_out = np.load(TEMPLATE / "harness/heldout/heldout.npz")
    assert train["ids"].shape == (4032, 128)
    assert not set(train["document"].tolist()) & set(held_out["document"].tolist())
    assert not set(map(bytes, train["ids"][:, 1:])) & set(map(bytes, held_out["ids"][:, 1:]))
    path = sae.folder / "harness/assets/model.npz"
    path.write_bytes(path.read_bytes()[:-5])
    done = sae.python("-m", "harness.make_assets")
    assert (done.returncode, done.stdout.strip()) == (1, "wrong or missing: assets/model.npz")


def test_a_damaged_or_missing_file_of_the_world_is_the_operating_systems_error(sae):  # noqa: F811
    for name in ("assets/model.npz", "assets/train.npz", "heldout/heldout.npz"):
        path = sae.folder / "harness" / name
        content = path.read_bytes()
        for damage in (b"", content[: len(content) // 2], None):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            done = sae.run(SAE_CACHE=str(sae.folder / "cache"), SAE_SMOKE="1")
            last = done.stderr.rstrip().splitlines()[-1]
            assert done.returncode == 1
            assert re.match(r"(OSError|FileNotFoundError): .*is missing or damaged", last), done.stderr
            path.write_bytes(content)


def test_a_damaged_cache_is_made_again_and_gives_the_same(sae):  # noqa: F811
    cache = sae.folder / "cache"
    first = sae.means("run_1", SAE_CACHE=str(cache))
    assert sorted(p.suffix for p in cache.iterdir()) == [".f32", ".f32", ".json", ".json"]
    for path in cache.glob("*.f32"):
        content = bytearray(path.read_bytes())
        content[1000] ^= 1
        path.write_bytes(content)
    for path in cache.glob("synthetic*.json"):
        path.write_text("{")
    again = sae.means("run_2", SAE_CACHE=str(cache))
    assert again["core.kl_nats"] == first["core.kl_nats"]
    assert again["synthetic.f1"] == first["synthetic.f1"]


def test_no_room_for_the_cache_is_said_and_nothing_is_left(sae, tmp_path):  # noqa: F811
    """A limit on the size of files stands for the full disk: the same call fails, with another number."""
    done = subprocess.run(
        ["prlimit", "--fsize=4000000", sys.executable, "experiment.py", "--out_dir=run_1"], cwd=sae.folder, text=True,
        env={**os.environ, "SAE_PROFILE": "micro", "SAE_CACHE": str(tmp_path / "small")}, capture_output=True, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.search(r"^OSError: .*cannot be kept in .*small.*SAE_CACHE", done.stderr.rstrip().splitlines()[-1])
    assert list((tmp_path / "small").iterdir()) == []


def test_ctrl_c_leaves_no_process_and_no_half_made_file(sae):  # noqa: F811
    import signal
    import time

    cache = sae.folder / "cache"
    heard = ["env", "--default-signal=SIGINT"]  # whoever runs the tests in the background ignores it
    running = subprocess.Popen(
        [*heard, sys.executable, "experiment.py", "--out_dir=run_1"], cwd=sae.folder, start_new_session=True,
        env={**os.environ, "SAE_PROFILE": "tiny", "SAE_CACHE": str(cache)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (cache.exists() and list(cache.glob("*.new"))) and time.monotonic() < deadline:
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)
    assert running.returncode != 0
    assert list(cache.iterdir()) == []
    left = subprocess.run(["pgrep", "-g", str(running.pid)], capture_output=True, text=True).stdout.split()
    assert left == []


def test_results_go_to_saebench_in_its_own_shape(sae):  # noqa: F811
    means = sae.means("run_1")
    said = json.loads(sae.python("-m", "harness.report", "run_1").stdout)
    assert said["eval_type_id"] == "core"
    assert said["eval_result_metrics"]["sparsity"]["l0"] == means["core.l0"]
    assert said["eval_result_metrics"]["model_performance_preservation"]["ce_loss_score"] == means["core.ce_loss_score"]


def test_a_pattern_names_metrics_of_one_kind_and_a_run_may_lack_what_is_optional():
    template = Template(
        name="t", command="python e.py {out_dir}", editable=("e.py",),
        metrics={"a.*": {"optional": True, "direction": "up"}, "a.b": {"digits": 2}},
    )  # fmt: skip
    assert template.metric("a.c").optional
    assert template.metric("a.b").digits == 2 and not template.metric("a.b").optional
    assert not template.metric("b.c").optional
