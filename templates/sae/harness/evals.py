"""Scores of saved latents. Everything is computed here from the latents, W_dec and b_dec; nothing is taken on trust.

    core            how well x̂ = latents · W_dec + b_dec replaces the residual stream, and how sparse it is
    token_probing   how well a few latents answer sixteen questions about a token (lexical.py)

x is normalised (data.Scale); what is fed back into the language model is not. The first position of each sequence is left
as it is. Definitions follow SAEBench, except kl_nats and ce_with_sae, which are not rescaled: nats per token.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor

from harness import data
from harness.lexical import TASKS

CHUNK = 16  # sequences at a time


@dataclass(frozen=True)
class Dictionary:
    """One seed's decoder, and its latents for the rows that are scored."""

    w_dec: np.ndarray  # [n, d]
    b_dec: np.ndarray  # [d]

    def reconstruct(self, latents: csr_matrix) -> Tensor:
        """[rows, d], normalised."""
        return torch.from_numpy(np.asarray(latents @ self.w_dec + self.b_dec, np.float32))


# --- core -------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def core_sums(ids: np.ndarray, residual: Tensor, first: int, of: list[tuple[Dictionary, csr_matrix]]) -> np.ndarray:
    """For one chunk of sequences and each seed: the sums that the core metrics are made of, [seeds, len(SUMS)].

    ids [S, T] and residual [S, T, d] are the chunk's; its latents begin at row `first`.
    """
    model, layer, scale = data.language_model(), data.profile().layer, data.scale()
    tokens = data.as_tokens(ids)
    targets = tokens[:, 2:].reshape(-1)
    clean = _log_probabilities(model.logits_from(residual, layer))
    ablated = residual[:1].clone()  # all sequences are the same without their tokens
    ablated[:, 1:] = 0
    without = _log_probabilities(model.logits_from(ablated, layer)).repeat(len(ids), 1)
    probability = clean.exp()
    raw = residual[:, 1:].reshape(-1, residual.shape[-1])
    found = []
    for dictionary, latents in of:
        mine = latents[first : first + len(raw)]
        back = scale.raw(dictionary.reconstruct(mine))
        spliced = residual.clone()
        spliced[:, 1:] = back.view(len(ids), -1, residual.shape[-1])
        with_sae = _log_probabilities(model.logits_from(spliced, layer))
        sums = {
            "rows": len(raw), "tokens": len(targets),
            "ce": F.nll_loss(clean, targets, reduction="sum"),
            "ce_with_sae": F.nll_loss(with_sae, targets, reduction="sum"),
            "ce_ablated": F.nll_loss(without, targets, reduction="sum"),
            "kl": (probability * (clean - with_sae)).sum(),
            "kl_ablated": (probability * (clean - without)).sum(),
            "error": (raw - back).pow(2).sum(),
            "spread": (raw - scale.mean).pow(2).sum(),
            "cosine": F.cosine_similarity(raw, back, dim=1).sum(),
            "ratio": (back.norm(dim=1) / raw.norm(dim=1)).sum(),
            "back_squared": back.pow(2).sum(), "product": (raw * back).sum(),
            "l0": mine.nnz, "l1": abs(mine).sum(),
        }  # fmt: skip
        found.append([float(sums[name]) for name in SUMS])
    return np.array(found)


SUMS = ("rows", "tokens", "ce", "ce_with_sae", "ce_ablated", "kl", "kl_ablated", "error", "spread", "cosine", "ratio",
        "back_squared", "product", "l0", "l1")  # fmt: skip


def core(sums: np.ndarray, latents: csr_matrix, width: int) -> dict[str, float]:
    of = dict(zip(SUMS, sums.tolist()))
    rows, tokens = of["rows"], of["tokens"]
    ce, ce_with_sae, ce_ablated = (of[name] / tokens for name in ("ce", "ce_with_sae", "ce_ablated"))
    return {
        "core.kl_nats": of["kl"] / tokens,
        "core.explained_variance": 1 - of["error"] / of["spread"],
        "core.l0": of["l0"] / rows,
        "core.mse": of["error"] / rows / width,
        "core.cossim": of["cosine"] / rows,
        "core.l1": of["l1"] / rows,
        "core.l2_ratio": of["ratio"] / rows,
        "core.relative_reconstruction_bias": of["back_squared"] / of["product"] if of["product"] else 0.0,
        "core.ce_with_sae": ce_with_sae,
        "core.ce_loss_score": (ce_ablated - ce_with_sae) / (ce_ablated - ce),
        "core.kl_div_score": 1 - of["kl"] / of["kl_ablated"],
        "core.frac_alive": float((latents.getnnz(axis=0) > 0).mean()),
    }


def _log_probabilities(logits: Tensor) -> Tensor:
    """Of the tokens that follow positions 1, 2, …: [S · (T − 2), vocabulary]."""
    return logits[:, 1:-1].reshape(-1, logits.shape[-1]).log_softmax(-1)


# --- token probing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    name: str
    train: np.ndarray  # rows of the training table
    train_answers: np.ndarray
    test: np.ndarray
    test_answers: np.ndarray


@dataclass(frozen=True)
class Table:
    """Rows of activations with the answers of each."""

    x: Tensor  # [rows, d], normalised
    labels: np.ndarray  # [rows], bits


@cache
def token_tasks() -> tuple[Table, Table, list[Task]]:
    """Training rows from training documents, test rows from held-out ones; half of each task's rows have the answer yes."""
    draw, most = np.random.RandomState(0), data.profile().probe_rows
    picked = []
    tables = []
    for path, sequences in zip(("assets/train.npz", "heldout/heldout.npz"), data.profile().probe_sequences):
        parts = data.arrays(data.HERE / path)
        code = draw.permutation(np.flatnonzero(parts["source"] == 2))[:sequences]
        labels = parts["labels"][code][:, 1:].reshape(-1)
        rows = [_balanced(labels >> bit & 1 == 1, draw, most) for bit in range(len(TASKS))]
        used = np.unique(np.concatenate(rows))
        x = data.scale().normal(data.residuals(parts["ids"][code])[:, 1:]).reshape(-1, data.Shape().width)[used]
        tables.append(Table(x, labels[used]))
        picked.append([np.searchsorted(used, row) for row in rows])
    tasks = []
    for bit, name in enumerate(TASKS):
        train, test = picked[0][bit], picked[1][bit]
        answers = [table.labels[rows] >> bit & 1 == 1 for table, rows in zip(tables, (train, test))]
        tasks.append(Task(name, train, answers[0], test, answers[1]))
    return tables[0], tables[1], tasks


def _balanced(answers: np.ndarray, draw: np.random.RandomState, most: int) -> np.ndarray:
    yes, no = np.flatnonzero(answers), np.flatnonzero(~answers)
    size = min(len(yes), len(no), most)
    return np.concatenate([draw.choice(yes, size, replace=False), draw.choice(no, size, replace=False)])


def token_probing(train: csr_matrix, test: csr_matrix, tasks: list[Task], most: tuple[int, ...] = (1, 2, 5)) -> dict[str, float]:
    """Mean accuracy over the tasks of a logistic regression on the `k` latents that differ most between yes and no."""
    scores = {k: [] for k in most}
    for task in tasks:
        mine, theirs = train[task.train], test[task.test]
        order = differing(mine, task.train_answers)
        for k in most:
            scores[k].append(accuracy(mine, task.train_answers, theirs, task.test_answers, order[:k]))
    return {f"token_probing.top_{k}": float(np.mean(values)) for k, values in scores.items()}


def differing(latents: csr_matrix, answers: np.ndarray) -> np.ndarray:
    """Latents, those first whose means differ most."""
    difference = np.asarray(latents[answers].mean(0) - latents[~answers].mean(0)).ravel()
    return np.argsort(-np.abs(difference), kind="stable")


def accuracy(
    train: csr_matrix,
    answers: np.ndarray,
    test: csr_matrix,
    test_answers: np.ndarray,
    columns: np.ndarray,
    solver: str = "lbfgs",
) -> float:
    from sklearn.linear_model import LogisticRegression

    known, asked = train[:, columns].toarray(), test[:, columns].toarray()
    size = known.std(0) + 1e-6
    probe = LogisticRegression(max_iter=200, solver=solver).fit(known / size, answers)
    return float(probe.score(asked / size, test_answers))
