"""The tiny language model: GPT-NeoX in shape (rotary positions, attention and MLP in parallel), in plain torch.

    ids [B, T] ──▶ residual(ids, layer) [B, T, d] ──▶ logits_from(residual, layer) [B, T, vocab]

`residual` stops after block `layer`, and `logits_from` goes on from there: whoever replaces the residual stream needs no
hooks. Written out here because importing transformers takes eight seconds and names of its weights change with versions.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    vocabulary: int = 2048
    width: int = 128
    layers: int = 4
    heads: int = 4
    context: int = 128
    rotary: int = 8  # dimensions of each head that turn with the position


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.rotary = shape.heads, shape.rotary
        self.norm_attention = nn.LayerNorm(shape.width)
        self.norm_mlp = nn.LayerNorm(shape.width)
        self.attention_in = nn.Linear(shape.width, 3 * shape.width)
        self.attention_out = nn.Linear(shape.width, shape.width)
        self.mlp_in = nn.Linear(shape.width, 4 * shape.width)
        self.mlp_out = nn.Linear(4 * shape.width, shape.width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = (
            part.view(batch, time, self.heads, -1).transpose(1, 2)  # [B, heads, T, d / heads]
            for part in self.attention_in(self.norm_attention(x)).split(width, dim=-1)
        )
        q, k = self._turn(q, cos, sin), self._turn(k, cos, sin)
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, time, width)
        return x + self.attention_out(seen) + self.mlp_out(F.gelu(self.mlp_in(self.norm_mlp(x))))

    def _turn(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        turning, still = x[..., : self.rotary], x[..., self.rotary :]
        first, second = turning.chunk(2, dim=-1)
        turned = turning * cos + torch.cat((-second, first), dim=-1) * sin
        return torch.cat((turned, still), dim=-1)


class LanguageModel(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.unembedding = nn.Linear(shape.width, shape.vocabulary, bias=False)
        frequency = 10_000.0 ** (-torch.arange(0, shape.rotary, 2) / shape.rotary)
        angle = torch.outer(torch.arange(shape.context), frequency).repeat(1, 2)  # [T, rotary]
        self.register_buffer("cos", angle.cos(), persistent=False)
        self.register_buffer("sin", angle.sin(), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        last = self.shape.layers - 1
        return self.logits_from(self.residual(ids, last), last)

    def residual(self, ids: Tensor, layer: int) -> Tensor:
        """The residual stream after block `layer`."""
        return self._through(self.embedding(ids), self.blocks[: layer + 1])

    def logits_from(self, residual: Tensor, layer: int) -> Tensor:
        return self.unembedding(self.norm(self._through(residual, self.blocks[layer + 1 :])))

    def _through(self, x: Tensor, blocks: nn.ModuleList) -> Tensor:
        cos, sin = self.cos[: x.shape[1]], self.sin[: x.shape[1]]
        for block in blocks:
            x = block(x, cos, sin)
        return x
