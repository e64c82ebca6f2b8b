"""Scores what an experiment saved: `python -m harness.evaluate --out_dir=run_1`, a program of its own.

    saved weights ─ check ─▶ ask the method's code for latents (method.py) ─▶ score them (evals.py, synth.py) ─▶ results

The method's code is asked first and ended before anything is scored. Refused, with the reason and exit code 1: a file that
is no plain array, another shape, values that are not finite, a larger dictionary, more training tokens than the profile's
budget, a seed that is missing. An earlier final_info.json is removed first.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_matrix
from torch import Tensor

from harness import data, diagnostics, evals, probes, report, sealed, seeds, synth
from harness.evals import Dictionary
from harness.method import Method
from harness.report import Refused, Saved

HELD_OUT = data.HERE / "heldout"
SHOWN = ("core.kl_nats", "core.explained_variance", "core.l0", "core.frac_alive", "token_probing.top_1",
         "token_probing.top_5", "synthetic.mcc", "synthetic.f1")  # fmt: skip


def evaluate(out_dir: Path) -> dict[str, Any]:
    (out_dir / report.RESULTS).unlink(missing_ok=True)
    chosen, sizes = seeds.chosen(), _sizes()
    files = {report.name_of(seed, world): out_dir / f"{report.name_of(seed, world)}.npz" for seed in chosen for world in sizes}
    saved = {name: checked(name, path, *sizes[name.split("_")[2]]) for name, path in files.items()}
    sealed.hide_memory()
    language = [report.name_of(seed, "language") for seed in chosen]
    with ExitStack() as methods:  # started before anything held out is in memory
        method = {seed: methods.enter_context(Method(Path("experiment.py"), files, HELD_OUT)) for seed in chosen}
        questions = Questions()
        asked = [partial(_quietly, questions.ask_all, method[seed], seed) for seed in chosen]
        latents = {name: found for of_seed in seeds.forked(asked) for name, found in of_seed.items()}
        confined = all(one.confined for one in method.values())
        probed = probes.of_run(method[chosen[0]], language, questions.probe_x) if probes.asked() else []
    scores = score(chosen, saved, latents, questions)
    for found, measured in zip(scores, probed):
        found.update({f"probes.{name}": value for name, value in measured.items()})
    if probed:
        probes.keep(out_dir, probed, probes.of_others(out_dir, HELD_OUT, questions.probe_x))
    for name in language:
        report.keep_curve(out_dir, name, saved[name])
    config = {**saved[language[0]].config, "profile": data.profile().name}
    return report.write(out_dir, scores, chosen, _protocol(confined), config)


class Questions:
    """What the method is asked for: the inputs of all scores, by name."""

    def __init__(self) -> None:
        wanted = data.profile()
        held_out = data.arrays(HELD_OUT / "heldout.npz")
        order = np.random.RandomState(0).permutation(len(held_out["ids"]))[: wanted.core_sequences]
        self.ids = held_out["ids"][order]
        self.residual = data.residuals(self.ids)
        x = data.scale().normal(self.residual[:, 1:])
        self.probe_x = x[: probes.SEQUENCES]
        self.points, self.present = synth.test_points(wanted.synthetic_rows)
        self.language: dict[str, Tensor] = {"core": x.reshape(-1, x.shape[-1])}
        if wanted.token_probing:
            train, test, self.tasks = evals.token_tasks()
            self.language |= {"train": train.x, "test": test.x}
        if wanted.diagnostics:
            self.language |= diagnostics.inputs()
            self.known = diagnostics.known()

    def ask_all(self, method: Method, seed: int) -> dict[str, dict[str, csr_matrix]]:
        return {name: self.ask(method, name) for name in (report.name_of(seed, world) for world in _sizes())}

    def ask(self, method: Method, name: str) -> dict[str, csr_matrix]:
        inputs = self.language if name.endswith("language") else {"points": self.points}
        return {what: method.encode(name, x) for what, x in inputs.items()}


def checked(name: str, path: Path, width: int, dictionary: int, budget: int) -> Saved:
    try:
        saved = report.read(path)
    except ValueError as problem:
        raise Refused(str(problem)) from None
    if set(saved.weights) < {"W_dec", "b_dec"}:
        raise Refused(f"{name}: W_dec and b_dec are not both among what was saved")
    decoder, bias = saved.weights["W_dec"], saved.weights["b_dec"]
    if decoder.dim() != 2 or decoder.shape[1] != width or bias.shape != (width,):
        raise Refused(f"{name}: W_dec must be [dictionary, {width}] and b_dec [{width}]")
    if len(decoder) > dictionary:
        raise Refused(f"{name}: a dictionary of {len(decoder)} latents; this profile allows {dictionary}")
    if saved.tokens > budget:
        raise Refused(f"{name}: trained on {saved.tokens} tokens; this profile allows {budget}")
    if not all(torch.isfinite(tensor).all() for tensor in (decoder, bias)):
        raise Refused(f"{name}: W_dec or b_dec holds values that are not finite")
    return saved


def _sizes() -> dict[str, tuple[int, int, int]]:
    """For each world: width, largest dictionary, training tokens."""
    wanted = data.profile()
    return {
        "language": (data.Shape().width, wanted.dictionary, wanted.tokens),
        "synthetic": (synth.WIDTH, synth.DICTIONARY, wanted.synthetic_tokens),
    }


def score(
    chosen: list[int], saved: dict[str, Saved], latents: dict[str, dict[str, csr_matrix]], questions: Questions
) -> list[dict[str, float]]:
    """Each seed's metrics. Independent pieces of work run side by side."""
    language = [report.name_of(seed, "language") for seed in chosen]
    synthetic = [report.name_of(seed, "synthetic") for seed in chosen]
    dictionaries = [_dictionary(saved[name], latents[name]["core"]) for name in language]
    core_of = [(dictionary, latents[name]["core"]) for dictionary, name in zip(dictionaries, language)]
    per_sequence = questions.ids.shape[1] - 1
    starts = range(0, len(questions.ids), evals.CHUNK)
    tasks = [
        partial(_quietly, evals.core_sums, questions.ids[at : at + evals.CHUNK], questions.residual[at : at + evals.CHUNK],
                at * per_sequence, core_of)
        for at in starts
    ]  # fmt: skip
    for name, dictionary in zip(language, dictionaries):
        tasks.append(partial(_quietly, _others, latents[name], dictionary, questions))
    done = seeds.forked(tasks)
    sums = np.sum(done[: len(starts)], axis=0)
    of_all = questions.known.reference if data.profile().diagnostics else {}
    found = []
    for number, (a, b) in enumerate(zip(language, synthetic)):
        of = evals.core(sums[number], latents[a]["core"], questions.residual.shape[-1]) | done[len(starts) + number]
        active = (latents[b]["points"] != 0).toarray()
        scored = synth.score(active, saved[b].weights["W_dec"].numpy(), questions.present)
        of |= {f"synthetic.{name}": value for name, value in scored.items()} | _training(saved[a]) | of_all
        found.append(of)
    return found


def _dictionary(saved: Saved, latents: csr_matrix) -> Dictionary:
    decoder = saved.weights["W_dec"].float().numpy()
    if latents.shape[1] != len(decoder):
        raise Refused(f"encode returned {latents.shape[1]} latents and W_dec has {len(decoder)}")
    return Dictionary(decoder, saved.weights["b_dec"].float().numpy())


def _quietly(work: Any, *arguments: Any, say: Any) -> Any:
    return work(*arguments)


def _others(latents: dict[str, csr_matrix], dictionary: Dictionary, questions: Questions) -> dict[str, float]:
    found: dict[str, float] = {}
    if "train" in latents:
        found |= evals.token_probing(latents["train"], latents["test"], questions.tasks)
    if data.profile().diagnostics:
        found |= diagnostics.scores(latents, dictionary, questions.known)
    return found


def _training(saved: Saved) -> dict[str, float]:
    last = {f"loss_share.{name}": share for name, share in saved.shares.items()}
    costs = {"training.seconds": saved.seconds, "training.peak_memory_mb": saved.memory}
    return {"training.tokens": float(saved.tokens), "training.final_loss": saved.loss, **costs, **last}


def _protocol(confined: bool) -> dict[str, Any]:
    wanted = data.profile()
    world = hashlib.sha256((data.HERE / "assets/SHA256SUMS").read_bytes()).hexdigest()[:16]
    names = ("layer", "core_sequences", "probe_rows", "synthetic_rows", "token_probing")
    evaluation = {name: getattr(wanted, name) for name in names}
    training = {"tokens": wanted.tokens, "dictionary": wanted.dictionary, "l0": wanted.l0,
                "synthetic_tokens": wanted.synthetic_tokens}  # fmt: skip
    return {"eval": {"world": world, "encoder_confined": confined, **evaluation}, "train": training}


def main() -> int:
    parser = argparse.ArgumentParser(description="Score the weights that an experiment saved.")
    parser.add_argument("--out_dir", type=Path, required=True)
    out_dir = parser.parse_args().out_dir
    began = time.monotonic()
    print(f"evaluating what {out_dir.name} saved", flush=True)
    try:
        families = evaluate(out_dir)
    except Refused as reason:
        print(f"The evaluation was refused: {reason}", file=sys.stderr)
        return 1
    print(f"evaluated {out_dir.name} in {time.monotonic() - began:.0f} s, {len(seeds.chosen())} seed(s)")
    print(report.table(families, list(SHOWN)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
