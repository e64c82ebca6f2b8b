"""The world of an experiment: its size (the profile), the language model, and the activations to train on.

    profile()                      the sizes, by SAE_PROFILE and SAE_SMOKE
    worlds() → [World, ...]        what a method is trained on: "language", and "synthetic" (synth.py)
    World.batches(seed, size)      a stream of Batch, each token once, until the budget is used up
    prefetch()                     for ai-scientist: what is trained on is made once for all runs (store.py)

Activations of the language model are computed once and memory-mapped by all seeds. Held-out documents are not here: only
the evaluation may see them (sealed.py), and what prefetch makes, every run can read.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness import store
from harness.language import LanguageModel, Shape

HERE = Path(__file__).resolve().parent
BATCH = 64  # sequences at a time through the language model

torch.set_num_threads(1)  # before any sum: other threads would be lost in forked seeds, and change the order of sums


@dataclass(frozen=True)
class Profile:
    name: str
    layer: int = 1  # the residual stream after this block
    dictionary: int = 1024
    l0: float = 16.0
    tokens: int = 512_000  # to train on, per seed
    batch: int = 1024
    core_sequences: int = 320  # held out, for the core metrics
    probe_rows: int = 1000  # per class of a token probing task, training and test each
    probe_sequences: tuple[int, int] = (500, 350)  # of code, which they are drawn from: training, held out
    pool_sequences: tuple[int, int] = (360, 200)  # for diagnostics: training, held out
    words: int = 5000  # for diagnostics, of each pool
    synthetic_tokens: int = 600_000
    synthetic_rows: int = 8000
    token_probing: bool = True
    diagnostics: bool = False


PROFILES = {
    "tiny": Profile("tiny"),
    "micro": Profile("micro", dictionary=128, l0=8.0, tokens=30_720, batch=512, core_sequences=48, synthetic_tokens=30_720,
                     synthetic_rows=2000, token_probing=False),
}  # fmt: skip


@cache
def profile() -> Profile:
    name = os.environ.get("SAE_PROFILE", "tiny")
    if name not in PROFILES:
        raise OSError(f"SAE_PROFILE={name}: there are {', '.join(PROFILES)}")
    chosen = PROFILES[name]
    if os.environ.get("SAE_DIAGNOSTICS") == "1" and chosen.token_probing:
        chosen = replace(chosen, diagnostics=True)
    if os.environ.get("SAE_SMOKE") == "1":  # the whole path, each part as small as it can be
        chosen = replace(chosen, tokens=12 * chosen.batch, synthetic_tokens=12 * chosen.batch, core_sequences=16,
                         probe_rows=min(chosen.probe_rows, 100), synthetic_rows=1000,
                         probe_sequences=(120, 120), pool_sequences=(60, 60), words=600)  # fmt: skip
    return chosen


@dataclass
class Batch:
    """Some activations, normalised: [rows, width], mean 0 and mean squared norm 1 over the training part."""

    x: Tensor
    _rows: Tensor
    _store: Tensor
    _positions: int  # per sequence; 0: these rows have no order

    @cached_property
    def start(self) -> Tensor:
        """[rows], True where the token is the first of its sequence and has no previous one."""
        if not self._positions:
            return torch.ones(len(self.x), dtype=torch.bool)
        return self._rows % self._positions == 0

    @cached_property
    def previous(self) -> Tensor:
        """[rows, width]: the activation of the token before, in the same sequence; zeros at a start."""
        before = self._store[(self._rows - 1).clamp_min(0)]
        return torch.where(self.start[:, None], torch.zeros(()), before)


class BudgetSpent(RuntimeError):
    pass


class World:
    """One thing to train on. `budget` tokens may be drawn by each seed, in one stream."""

    def __init__(self, name: str, dictionary: int, l0: float, budget: int, rows: Tensor, positions: int) -> None:
        self.name, self.dictionary, self.l0, self.budget = name, dictionary, l0, budget
        self.width = rows.shape[1]
        self.drawn: dict[int, int] = {}  # by seed
        self._store, self._positions = rows, positions

    def batches(self, seed: int, size: int) -> Iterator[Batch]:
        """Whole batches until the budget is used up: `steps(size)` of them."""
        if seed in self.drawn:
            raise BudgetSpent(f"seed {seed} has drawn its {self.budget} training tokens already; there are no more")
        self.drawn[seed] = 0
        order = torch.randperm(len(self._store), generator=torch.Generator().manual_seed(seed))
        for step in range(self.steps(size)):
            rows = order[step * size : (step + 1) * size]
            self.drawn[seed] += size
            yield Batch(self._store[rows], rows, self._store, self._positions)

    def steps(self, size: int) -> int:
        return self.budget // size


def worlds() -> list[World]:
    from harness import synth

    wanted = profile()
    return [
        World("language", wanted.dictionary, wanted.l0, wanted.tokens, training_activations().mapped(), Shape().context - 1),
        synth.training_world(wanted.synthetic_tokens),
    ]


def prefetch() -> dict[str, str]:
    """The tables that all runs train on, by name, each with its SHA-256."""
    from harness import synth

    tables = (training_activations(), synth.training_points(profile().synthetic_tokens))
    return {table.name: table.keep() for table in tables}


# --- the language model and its activations ------------------------------------------------------------------------


@cache
def language_model() -> LanguageModel:
    path = HERE / "assets/model.npz"
    model = LanguageModel(Shape())
    try:
        model.load_state_dict({name: torch.from_numpy(weight).float() for name, weight in arrays(path).items()})
    except RuntimeError as problem:
        raise damaged(path, problem) from None
    return model.eval().requires_grad_(False)


def arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path) as parts:
            return {name: parts[name] for name in parts.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as problem:
        raise damaged(path, problem) from None


def damaged(path: Path, problem: Exception) -> OSError:
    """Not the experiment's fault: an OSError that is raised here says so."""
    return OSError(f"{path} is missing or damaged ({problem}); take it from the template again")


def as_tokens(ids: np.ndarray) -> Tensor:
    return torch.from_numpy(ids.astype(np.int64))


@torch.no_grad()
def residuals(ids: np.ndarray) -> Tensor:
    """[S, T, d], raw; the first position is <bos>, whose activation is far from all others and is never used."""
    model, layer = language_model(), profile().layer
    return torch.cat([model.residual(part, layer) for part in as_tokens(ids).split(BATCH)])


@dataclass(frozen=True)
class Scale:
    """How raw activations are normalised; the same for everybody."""

    mean: Tensor
    size: float

    def normal(self, raw: Tensor) -> Tensor:
        return (raw - self.mean) / self.size

    def raw(self, normal: Tensor) -> Tensor:
        return normal * self.size + self.mean


@cache
def scale() -> Scale:
    known = arrays(HERE / "assets/scale.npz")
    return Scale(torch.from_numpy(known["mean"]), float(known["size"]))


def training_activations() -> store.Table:
    """[rows, d], normalised, in the order of the sequences' tokens."""
    wanted, width, per_sequence = profile(), Shape().width, Shape().context - 1
    count = -(-wanted.tokens // per_sequence)
    chosen = arrays(HERE / "assets/train.npz")["ids"][:count]  # they were shuffled when they were made
    halves = [(0, chosen[: count // 2]), (count // 2, chosen[count // 2 :])]
    parts = [(first * per_sequence, partial(_normalised, some)) for first, some in halves]
    return store.Table(f"layer{wanted.layer}-{count}-{_made_of()}", count * per_sequence, width, parts)


def _normalised(ids: np.ndarray) -> Iterator[Tensor]:
    for start in range(0, len(ids), BATCH):
        yield scale().normal(residuals(ids[start : start + BATCH])[:, 1:])


def _made_of() -> str:
    """Everything that activations depend on, in short."""
    sums = (HERE / "assets/SHA256SUMS").read_bytes()
    return f"{zlib.crc32(sums + torch.__version__.encode()):08x}"
