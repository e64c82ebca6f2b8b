"""Sparse kernels: of a dictionary of n latents only k are active for each token, and only those are touched.

    values, indices = encode_topk(x, W_enc, b_enc, k)    [B, k] each: the k largest of ReLU(x W_encᵀ + b_enc)
    x̂ = decode(values, indices, W_dec)                   [B, d]: Σ values · W_dec[indices]

The encoder's forward pass must look at all latents; everything else costs k/n of the dense form. Gradients are those of
the dense form (`python -m harness.kernels` compares them in double precision). Where a value is 0 there is no gradient.
"""

from __future__ import annotations

import sys

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS = 512  # tokens that the encoder looks at together


def encode_topk(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """x [B, d], weight [n, d], bias [n] → values [B, k], not negative, and their latents [B, k]."""
    values, indices = _EncodeTopK.apply(x, weight, bias, k)
    return values, indices


def decode(values: Tensor, indices: Tensor, weight: Tensor) -> Tensor:
    """values, indices [B, k], weight [n, d] → [B, d]. A latent may stand twice in a row; its values add up."""
    return F.embedding_bag(indices, weight, per_sample_weights=values, mode="sum")


def dense(values: Tensor, indices: Tensor, latents: int) -> Tensor:
    """[B, n]: the same activations, written out."""
    return values.new_zeros(len(values), latents).scatter_add_(1, indices, values)


class _EncodeTopK(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, bias, k):  # noqa: ANN001, ANN205
        values, indices = _largest(x, weight, bias, k)
        values = values.relu_()
        ctx.save_for_backward(x, weight, indices, values)
        ctx.mark_non_differentiable(indices)
        return values, indices

    @staticmethod
    def backward(ctx, grad, _):  # noqa: ANN001, ANN205
        x, weight, indices, values = ctx.saved_tensors
        grad = grad * (values > 0)
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = F.embedding_bag(indices, weight, per_sample_weights=grad, mode="sum")
        if ctx.needs_input_grad[1]:
            to_weight = _outer(indices, grad, x, len(weight))
        if ctx.needs_input_grad[2]:
            to_bias = weight.new_zeros(len(weight)).index_add_(0, indices.reshape(-1), grad.reshape(-1))
        return to_x, to_weight, to_bias, None


def _largest(x: Tensor, weight: Tensor, bias: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest of x Wᵀ + b in each row, and where. In blocks of rows: [B, n] at once is new memory in each step."""
    values, indices = x.new_empty(len(x), k), torch.empty(len(x), k, dtype=torch.long, device=x.device)
    before = x.new_empty(min(ROWS, len(x)), len(weight))
    for rows, *found in zip(x.split(ROWS), values.split(ROWS), indices.split(ROWS)):
        torch.addmm(bias, rows, weight.T, out=before[: len(rows)])
        torch.topk(before[: len(rows)], k, sorted=False, out=found)
    return values, indices


def _outer(indices: Tensor, scales: Tensor, rows: Tensor, latents: int) -> Tensor:
    """[n, d]: for each token its row, times the token's scale for a latent, added to that latent.

    As a sum over the tokens of each latent: first a row for each token and latent, [B·k, d], takes ten times as long.
    """
    flat = indices.reshape(-1)
    order = flat.argsort(stable=True)  # by latent, then by token: the same sum each time
    starts = F.pad(flat.bincount(minlength=latents).cumsum(0), (1, 0))
    tokens, scales = order // indices.shape[1], scales.reshape(-1)[order]
    return F.embedding_bag(tokens, rows, starts, per_sample_weights=scales, mode="sum", include_last_offset=True)


# --- parity with the dense form --------------------------------------------------------------------------------------


def parity(rows: int, width: int, latents: int, k: int, seed: int = 0) -> float:
    """The largest difference between these kernels and dense autograd: outputs and all gradients, double precision."""
    draw = torch.Generator().manual_seed(seed)
    shapes = ((rows, width), (latents, width), (latents,), (latents, width))
    ours = [torch.randn(shape, generator=draw, dtype=torch.double, requires_grad=True) for shape in shapes]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    target = torch.randn(rows, width, generator=draw, dtype=torch.double)

    x, w_enc, b_enc, w_dec = ours
    values, indices = encode_topk(x, w_enc, b_enc, k)
    found = decode(values, indices, w_dec)
    (found - target).pow(2).sum().backward()

    x, w_enc, b_enc, w_dec = theirs
    before = x @ w_enc.T + b_enc
    kept = torch.zeros_like(before).scatter_(1, before.topk(k, dim=-1).indices, 1.0)
    expected = (before.relu() * kept) @ w_dec
    (expected - target).pow(2).sum().backward()

    pairs = [(found, expected), *((a.grad, b.grad) for a, b in zip(ours, theirs))]
    return max(float((a - b).detach().abs().max() / b.detach().abs().max().clamp_min(1e-12)) for a, b in pairs)


def main() -> int:
    shapes = [(64, 16, 128, 8), (1, 8, 32, 1), (33, 7, 20, 20), (256, 32, 512, 32)]
    worst = max(parity(*shape, seed=seed) for shape in shapes for seed in range(3))
    print(f"largest relative difference to dense autograd, double precision: {worst:.1e}")
    return 0 if worst < 1e-10 else 1


if __name__ == "__main__":
    sys.exit(main())
