"""One training step of a TopK sparse autoencoder, as each library does it; bench/sae_speed.py starts this file.

Runs under the interpreter that has the libraries, and prints a line of JSON for each visit: its competitor, its round, CPU
seconds (all threads) and wall seconds of one step. Competitors take turns; every second round goes backwards.
A competitor that cannot be imported or fails is reported with the reason and left out.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import sys
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "templates" / "sae"))

import experiment  # type: ignore[import-not-found]
import torch
from harness import kernels  # type: ignore[import-not-found]
from harness.data import Batch  # type: ignore[import-not-found]
from torch import Tensor, nn

# What the libraries import on their way and what no training step uses: in the place of these stands an empty module.
STUBBED = {"nnsight", "datasets", "wandb", "pandas", "requests", "rich", "sentencepiece", "circuitsvis", "umap"}
NO_LATENT_IS_DEAD = 10**9

Step = Callable[[Tensor, int], object]


@dataclass(frozen=True)
class Size:
    width: int
    latents: int
    k: int
    batch: int
    steps: int  # in a visit


SIZES = {"large": Size(512, 8192, 32, 2048, 2), "tiny": Size(128, 1024, 16, 1024, 20)}


class Empty(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Empty modules under the names in STUBBED; each name in them is an empty class."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if name.split(".")[0] in STUBBED else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = types.ModuleType(spec.name)
        module.__getattr__ = empty_class  # type: ignore[method-assign]
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        pass


def empty_class(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return type(name, (), {})


# --- ours -------------------------------------------------------------------------------------------------------------


def template(size: Size) -> Step:
    """The loop of templates/sae/experiment.py with its own classes."""
    config = experiment.Config("topk", dead_after=NO_LATENT_IS_DEAD)
    sae = experiment.TopK(size.width, size.latents, size.k, config)
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3, betas=(0.9, 0.999), fused=True)

    def step(x: Tensor, number: int) -> None:
        terms = sae.loss(Batch(x, x, x, 0), 0.5)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        sae.before_step()
        nn.utils.clip_grad_norm_(sae.parameters(), config.clip)
        optimizer.step()
        sae.after_step()

    return step


def as_sparsify(size: Size, fused: bool) -> Step:
    """Our kernels and projection with exactly sparsify's work: gradient to b_dec through the encoder, FVU, no clipping."""
    sae = experiment.SAE(size.width, size.latents, size.k, experiment.Config("topk"))
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3, fused=fused)

    def step(x: Tensor, number: int) -> None:
        sae.after_step()
        values, indices = kernels.encode_topk(x - sae.b_dec, sae.W_enc, sae.b_enc, size.k)
        error = x - kernels.decode(values, indices, sae.W_dec) - sae.b_dec
        (error.pow(2).sum() / (x - x.mean(0)).pow(2).sum()).backward()
        sae.before_step()
        optimizer.step()
        optimizer.zero_grad()

    return step


# --- others -----------------------------------------------------------------------------------------------------------


def dense(size: Size) -> Step:
    """The template's step in plain PyTorch: scatter and two matrix products, autograd."""
    sae = experiment.SAE(size.width, size.latents, size.k, experiment.Config("topk"))
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3, betas=(0.9, 0.999), fused=True)

    def step(x: Tensor, number: int) -> None:
        before = sae.before_latents(x)
        values, indices = before.topk(size.k, dim=-1, sorted=False)
        latents = torch.zeros_like(before).scatter_(-1, indices, values.relu())
        optimizer.zero_grad(set_to_none=True)
        (x - sae.reconstruct(latents)).pow(2).sum(-1).mean().backward()
        sae.before_step()
        nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimizer.step()
        sae.after_step()

    return step


def sparsify(size: Size, fused: bool) -> Step:
    """SparseCoder, driven in the order of its Trainer with optimizer "adam" and auxk_alpha 0, its default."""
    from sparsify import SparseCoder, SparseCoderConfig

    coder = SparseCoder(size.width, SparseCoderConfig(num_latents=size.latents, k=size.k))
    optimizer = torch.optim.Adam(coder.parameters(), lr=1e-3, fused=fused)

    def step(x: Tensor, number: int) -> None:
        coder.set_decoder_norm_to_unit_norm()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()

    return step


def dictionary_learning(size: Size) -> Step:
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        10**6, size.width, size.latents, size.k, layer=0, lm_name="none", seed=0, device="cpu", lr=1e-3
    )
    return lambda x, number: trainer.update(number, x)


def sae_lens(size: Size, sparse: bool) -> Step:
    from sae_lens.saes.sae import TrainStepInput
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

    shape = {"d_in": size.width, "d_sae": size.latents, "k": size.k, "device": "cpu", "dtype": "float32"}
    # sparse activations cannot be differentiated on the CPU when they are rescaled by the decoder's norm, as by default
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(**shape, use_sparse_activations=sparse, rescale_acts_by_decoder_norm=not sparse)
    )
    optimizer = torch.optim.Adam(sae.parameters(), lr=1e-3)
    dead = torch.zeros(size.latents, dtype=torch.bool)

    def step(x: Tensor, number: int) -> None:
        given = TrainStepInput(
            sae_in=x, coefficients={}, dead_neuron_mask=dead, n_training_steps=number, is_logging_step=False
        )
        sae.training_forward_pass(given).loss.backward()
        nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


COMPETITORS: dict[str, Callable[[Size], Step]] = {
    "ours, the template's step": template,
    "ours, sparsify's work": lambda size: as_sparsify(size, fused=False),
    "ours, sparsify's work, fused Adam": lambda size: as_sparsify(size, fused=True),
    "sparsify": lambda size: sparsify(size, fused=False),
    "sparsify, fused Adam": lambda size: sparsify(size, fused=True),
    "plain dense PyTorch": dense,
    "dictionary_learning": dictionary_learning,
    "SAELens, dense": lambda size: sae_lens(size, sparse=False),
    "SAELens, sparse": lambda size: sae_lens(size, sparse=True),
}


# --- taking turns -----------------------------------------------------------------------------------------------------


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


def prepared(size: Size, batches: list[Tensor]) -> dict[str, Step]:
    """Two steps of each competitor, so that memory is in place; those that fail are told of and left out."""
    ready = {}
    for name, build in COMPETITORS.items():
        try:
            torch.manual_seed(0)
            step = build(size)
            for number in range(2):
                step(batches[number], number)
            ready[name] = step
        except Exception as problem:  # noqa: BLE001 - whatever a library does wrong, the others are measured
            tell(left_out=name, reason=f"{type(problem).__name__}: {problem}"[:200])
    return ready


def main() -> None:
    size, threads, rounds = SIZES[sys.argv[1]], int(sys.argv[2]), int(sys.argv[3])
    sys.meta_path.insert(0, Empty())
    torch.set_num_threads(threads)  # the template has set it to 1
    torch.manual_seed(0)
    batches = [torch.randn(size.batch, size.width) for _ in range(3)]
    steps = prepared(size, batches)
    assert torch.get_num_threads() == threads, "a library changed the number of threads"
    tell(versions={name: version(name) for name in ("torch", "sae-lens", "dictionary-learning", "eai-sparsify")})
    for turn in range(rounds):
        for name in list(steps)[:: -1 if turn % 2 else 1]:
            cpu, wall = time.process_time(), time.perf_counter()
            for number in range(size.steps):
                steps[name](batches[number % 3], 2 + turn * size.steps + number)
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            tell(name=name, round=turn, cpu=cpu / size.steps, wall=wall / size.steps)


def version(package: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
