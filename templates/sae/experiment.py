"""Trains sparse autoencoders (SAEs) on a language model's residual stream, and on a synthetic world with a known answer.

    python experiment.py --out_dir=run_1

For each seed and each world: draw activations once, train, save the weights. Scoring is not done here: a program of its
own reads the saved weights (harness/evaluate.py); by hand it starts at the end of this one. harness/api.md has the calls.

`encode` is all that the evaluation asks of a method: activations [rows, width] → latents [rows, dictionary], mostly zero.
The decoder is linear and applied by the evaluation itself: x̂ = latents · W_dec + b_dec.
"""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness import data, kernels, report, seeds
from harness.data import Batch, World


@dataclass(frozen=True)
class Config:
    kind: str  # a key of KINDS
    learning_rate: float = 0.01
    batch: int = 1024
    warm_up: float = 0.05  # share of the steps in which the learning rate rises
    decay: float = 0.2  # and in which it falls to zero at the end
    clip: float = 1.0  # gradient norm
    l1: float = 0.01  # first weight of the sparsity penalty; steered to the target L0 afterwards
    sparsity: float = 0.05  # first weight of JumpReLU's penalty on L0
    bandwidth: float = 0.05  # of its straight-through estimator
    threshold: float = 0.05  # where its thresholds start
    auxiliary: float = 1 / 32  # weight of TopK's loss that revives dead latents
    dead_after: int = 50  # steps without firing


CONFIGS = {  # learning rates and first weights: the best of a sweep each (README.md)
    "topk": Config("topk", learning_rate=0.012),
    "jumprelu": Config("jumprelu", learning_rate=0.03),
    "l1": Config("l1", learning_rate=0.03),
    "untrained": Config("topk", learning_rate=0.0),
    "method": Config("topk", learning_rate=0.012),  # the method under study
}
ARCH = os.environ.get("SAE_ARCH", "method")


# --- sparse autoencoders ----------------------------------------------------------------------------------------------


class SAE(nn.Module):
    """What all kinds share: weights, and unit-norm decoder directions that start as the encoder's."""

    def __init__(self, width: int, dictionary: int, l0: float, config: Config) -> None:
        super().__init__()
        directions = F.normalize(torch.randn(dictionary, width), dim=1)
        self.W_enc = nn.Parameter(directions.clone())  # [n, d]
        self.b_enc = nn.Parameter(torch.zeros(dictionary))
        self.W_dec = nn.Parameter(directions.clone())  # [n, d]
        self.b_dec = nn.Parameter(torch.zeros(width))  # activations have mean 0
        self.l0, self.config = l0, config

    def encode(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__} has no encode")

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        """The terms of the loss, each a mean over tokens; their sum is minimised. `progress` goes from 0 to 1."""
        raise NotImplementedError(f"{type(self).__name__} has no loss")

    def before_latents(self, x: Tensor) -> Tensor:
        return F.linear(x - self.b_dec.detach(), self.W_enc, self.b_enc)

    def reconstruct(self, latents: Tensor) -> Tensor:
        return latents @ self.W_dec + self.b_dec

    @torch.no_grad()
    def before_step(self) -> None:
        """The gradient that would only change the length of a decoder direction is taken out."""
        along = (self.W_dec.grad * self.W_dec).sum(1, keepdim=True)
        self.W_dec.grad.sub_(along * self.W_dec)

    @torch.no_grad()
    def after_step(self) -> None:
        self.W_dec.div_(self.W_dec.norm(dim=1, keepdim=True).clamp_min(1e-8))


class TopK(SAE):
    """The k largest latents of each token, and an auxiliary loss in which dead latents explain what is left."""

    def __init__(self, width: int, dictionary: int, l0: float, config: Config) -> None:
        super().__init__(width, dictionary, l0, config)
        self.k = round(l0)
        self.register_buffer("silent", torch.zeros(dictionary))  # steps since each latent fired

    def encode(self, x: Tensor) -> Tensor:
        values, indices = kernels.encode_topk(x - self.b_dec, self.W_enc, self.b_enc, self.k)
        return kernels.dense(values, indices, len(self.W_enc))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        values, indices = kernels.encode_topk(batch.x - self.b_dec.detach(), self.W_enc, self.b_enc, self.k)
        error = batch.x - kernels.decode(values, indices, self.W_dec) - self.b_dec
        self.silent += 1
        self.silent[indices[values > 0]] = 0
        self.fired = (values > 0).sum() / len(batch.x)
        return {"reconstruction": error.pow(2).sum(-1).mean(), "auxiliary": self.auxiliary(batch.x, error.detach())}

    def auxiliary(self, x: Tensor, error: Tensor) -> Tensor:
        dead = (self.silent > self.config.dead_after).nonzero().squeeze(1)
        if not len(dead):
            return torch.zeros(())
        before = F.linear(x - self.b_dec.detach(), self.W_enc[dead], self.b_enc[dead])
        values, indices = before.topk(min(len(dead), x.shape[1] // 2), dim=-1, sorted=False)
        revived = kernels.decode(values, dead[indices], self.W_dec)  # negative ones too: they are the ones to revive
        return self.config.auxiliary * (error - revived).pow(2).sum(-1).mean()


class L1(SAE):
    """ReLU latents and a penalty on their size, whose weight is steered so that the target L0 is met."""

    def __init__(self, width: int, dictionary: int, l0: float, config: Config) -> None:
        super().__init__(width, dictionary, l0, config)
        self.steer = Steering(config.l1, l0)

    def encode(self, x: Tensor) -> Tensor:
        return F.relu(self.before_latents(x))

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        latents = self.encode(batch.x)
        self.fired = (latents > 0).sum() / len(batch.x)
        weight = self.steer.weight(float(self.fired), progress)
        return {
            "reconstruction": (batch.x - self.reconstruct(latents)).pow(2).sum(-1).mean(),
            "sparsity": weight * latents.sum(-1).mean(),  # decoder directions have length 1
        }


class JumpReLU(SAE):
    """Latents above a learned threshold each; a penalty on L0 itself, steered to the target."""

    def __init__(self, width: int, dictionary: int, l0: float, config: Config) -> None:
        super().__init__(width, dictionary, l0, config)
        self.log_threshold = nn.Parameter(torch.full((dictionary,), math.log(config.threshold)))
        self.steer = Steering(config.sparsity, l0)

    def encode(self, x: Tensor) -> Tensor:
        before = self.before_latents(x)
        return before * (before > self.log_threshold.exp())

    def loss(self, batch: Batch, progress: float) -> dict[str, Tensor]:
        before, threshold = self.before_latents(batch.x), self.log_threshold.exp()
        latents, fired = Jump.apply(before, threshold, self.config.bandwidth)
        self.fired = fired.detach()
        weight = self.steer.weight(float(self.fired), progress)
        return {
            "reconstruction": (batch.x - self.reconstruct(latents)).pow(2).sum(-1).mean(),
            "sparsity": weight * fired / self.l0,
        }


class Jump(torch.autograd.Function):
    """x where it is above its threshold, else 0; and how many are, per token.

    Neither has a useful gradient for the threshold; both are estimated in a window around it.
    """

    @staticmethod
    def forward(ctx, x, threshold, bandwidth):  # noqa: ANN001, ANN205
        above = x > threshold
        ctx.save_for_backward(x, threshold, above)
        ctx.bandwidth = bandwidth
        return x * above, above.sum() / len(x)

    @staticmethod
    def backward(ctx, to_latents, to_fired):  # noqa: ANN001, ANN205
        x, threshold, above = ctx.saved_tensors
        window = (x - threshold).abs_() < ctx.bandwidth / 2
        by_size = (to_latents * window).sum(0) * threshold
        by_count = window.sum(0) * (to_fired / len(x))
        return to_latents * above, -(by_size + by_count) / ctx.bandwidth, None


class Steering:
    """The weight of a penalty: higher while too many latents are active, lower while too few are.

    The present error acts at once, and what is left of it over time adds up; the first steps, when nearly all latents are
    active, do not count.
    """

    def __init__(self, weight: float, l0: float, gain: float = 1.0, rate: float = 0.05) -> None:
        self.log_weight, self.l0, self.gain, self.rate = math.log(weight), l0, gain, rate

    def weight(self, fired: float, progress: float) -> float:
        error = max(-1.0, min(1.0, math.log(max(fired, 0.1) / self.l0)))
        if progress > 0.1:
            self.log_weight += self.rate * error
        return math.exp(self.log_weight + self.gain * error) * min(1.0, 20 * progress)


KINDS: dict[str, type[SAE]] = {"topk": TopK, "l1": L1, "jumprelu": JumpReLU}


# --- training ---------------------------------------------------------------------------------------------------------


def train(world: World, seed: int, config: Config, show: seeds.Show) -> tuple[SAE, report.History]:
    torch.manual_seed(seed)
    sae = KINDS[config.kind](world.width, world.dictionary, world.l0, config)
    optimizer = torch.optim.Adam(sae.parameters(), lr=config.learning_rate, betas=(0.9, 0.999), fused=True)
    history, steps = report.History(), world.steps(config.batch)
    if config.learning_rate == 0:
        return sae, history
    for step, batch in enumerate(world.batches(seed, config.batch), 1):
        progress = step / steps
        rate = config.learning_rate * min(1.0, progress / config.warm_up, (1 - progress) / config.decay + 1 / steps)
        optimizer.param_groups[0]["lr"] = rate
        terms = sae.loss(batch, progress)
        optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        sae.before_step()
        nn.utils.clip_grad_norm_(sae.parameters(), config.clip)
        optimizer.step()
        sae.after_step()
        history.add(step, terms, sae.fired)
        show(world.name, step, steps, history)
    return sae, history


def one_seed(seed: int, worlds: list[World], out_dir: Path, show: seeds.Show) -> None:
    config = CONFIGS[ARCH]
    for world in worlds:
        sae, history = train(world, seed, config, show)
        report.save(out_dir, world, seed, sae.state_dict(), asdict(config), history)


def load(weights: dict[str, Tensor], config: dict, l0: float) -> SAE:
    """The evaluation calls this, and then `encode` of what it returns. `weights` are those given to `report.save`."""
    dictionary, width = weights["W_dec"].shape
    sae = KINDS[config["kind"]](width, dictionary, l0, Config(**config))
    sae.load_state_dict(weights)
    return sae


def main() -> None:
    parser = argparse.ArgumentParser(description="Train sparse autoencoders; SAE_PROFILE and SAE_ARCH choose what.")
    parser.add_argument("--out_dir", type=Path, default=Path("run_0"))
    out_dir = parser.parse_args().out_dir
    worlds = data.worlds()
    seeds.in_parallel(one_seed, worlds, out_dir)
    report.finish(out_dir)


if __name__ == "__main__":
    main()
