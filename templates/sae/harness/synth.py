"""A synthetic world whose true dictionary is known: how much of it does a method find?

256 directions in 64 dimensions, eight active at a time on average, which is the L0 that methods aim at; some are frequent and
most are rare; half of them appear only together with a parent, as real features do. `score` pairs each true direction with the latent that points most nearly the same way.

    mcc   mean cosine similarity of the pairs (1: every direction is found)
    f1    mean F1 of "this latent is active" as a detector of "this feature is present", over the same pairs
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness import store
from harness.data import World

WIDTH, FEATURES, DICTIONARY, L0 = 64, 256, 256, 8.0
FREQUENT = 0.915  # so that L0 is how many are active: tests/templates/test_sae_synth.py
_TRAIN, _TEST = 1, 2  # seeds of the draws
_PIECE = 25_000


@cache
def _truth() -> tuple[Tensor, Tensor, Tensor]:
    """Directions [g, d], how often each is active [g], and the parent of the second half [g / 2]."""
    draw = torch.Generator().manual_seed(7)
    directions = F.normalize(torch.randn(FEATURES, WIDTH, generator=draw), dim=1)
    often = (FREQUENT / torch.arange(1, FEATURES + 1) ** 0.85).clamp(0.002, 0.5)
    parents = torch.randint(0, 32, (FEATURES // 2,), generator=draw)
    return directions, often, parents


def _draw(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    """Points [rows, d] and which features are present in them [rows, g]."""
    directions, often, parents = _truth()
    draw = torch.Generator().manual_seed(seed)
    half = FEATURES // 2
    present = torch.rand(rows, FEATURES, generator=draw) < often
    given_parent = (often[half:] / often[parents]).clamp(max=0.6)
    present[:, half:] = present[:, parents] & (torch.rand(rows, half, generator=draw) < given_parent)
    strength = torch.zeros(rows, FEATURES)
    strength[present] = (1 + 0.3 * torch.randn(int(present.sum()), generator=draw)).clamp_min(0.1)
    return strength @ directions, present


@cache
def _scale() -> tuple[Tensor, float]:
    points = _draw(_PIECE, _TRAIN * 1000)[0].double()
    mean = points.mean(0)
    return mean.float(), float((points - mean).pow(2).sum(-1).mean().sqrt())


def _normal(points: Tensor) -> Tensor:
    mean, size = _scale()
    return (points - mean) / size


def training_world(tokens: int) -> World:
    return World("synthetic", DICTIONARY, L0, tokens, training_points(tokens).mapped(), positions=0)


def training_points(tokens: int) -> store.Table:
    sizes = [min(_PIECE, tokens - at) for at in range(0, tokens, _PIECE)]
    middle = len(sizes) // 2
    halves = [(0, range(middle)), (middle, range(middle, len(sizes)))]
    parts = [(first * _PIECE, partial(_points, sizes, numbers)) for first, numbers in halves if numbers]
    return store.Table(f"synthetic-{tokens}-{_made_of()}", tokens, WIDTH, parts)


def _made_of() -> str:
    """Everything that points depend on, in short."""
    truth = b"".join(part.numpy().tobytes() for part in _truth())
    return f"{zlib.crc32(truth + torch.__version__.encode()):08x}"


def _points(sizes: list[int], numbers: range) -> Iterator[Tensor]:
    for number in numbers:
        yield _normal(_draw(sizes[number], _TRAIN * 1000 + number)[0])


@cache
def test_points(rows: int) -> tuple[Tensor, Tensor]:
    points, present = _draw(rows, _TEST * 1_000_000)
    return _normal(points), present


def score(active: np.ndarray, w_dec: np.ndarray, present: Tensor) -> dict[str, float]:
    """`active` [rows, n]: which latents are active at the test points."""
    from scipy.optimize import linear_sum_assignment

    similar = F.normalize(torch.from_numpy(w_dec), dim=1) @ _truth()[0].T  # [n, g]
    latents, features = linear_sum_assignment(-similar.numpy())
    fires, there = torch.from_numpy(active[:, latents]).float(), present[:, features].float()
    both = (fires * there).sum(0)
    f1 = 2 * both / (fires.sum(0) + there.sum(0)).clamp_min(1)
    return {"mcc": float(similar[latents, features].mean()), "f1": float(f1.mean()), "l0": float(active.sum(1).mean())}
