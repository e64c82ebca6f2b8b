"""Scores that are computed and shown, and by which nothing is ranked: on profile tiny an untrained SAE often does as well.

    reference          token probing of raw neurons and of the whole residual stream: the floor and the ceiling
    sequence_probing   where a sequence comes from (topics, docstrings, code; six packages), from mean latents
    absorption         does a latent for a first letter fall silent where a more special latent takes over?
    scr_tpp            does taking out a few latents remove a spurious concept, or one concept and not the others?
    unlearning         does turning a few latents against themselves cost the topics more than the code?

Definitions follow SAEBench in kind, not in scale: its data sets are natural language, ours is a standard library. `inputs` are
activations to ask latents for; `scores` gets those latents. Latents are linear in effect, so taking one out is exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_matrix
from torch import Tensor

from harness import data, evals
from harness.evals import Dictionary

TRAIN_SEQUENCES, TEST_SEQUENCES = 360, 200  # of the pool for sequences
LETTERS, WORDS = "abcdefilmnoprst", 6000
TAKEN_OUT = 10  # latents
UNLEARNED, STRENGTH = 10, 5.0


@dataclass(frozen=True)
class Pool:
    """Whole sequences with what is known of each."""

    ids: np.ndarray  # [S, T]
    x: Tensor  # [S, T − 1, d], normalised
    source: np.ndarray  # [S]
    package: np.ndarray  # [S]

    @property
    def mean(self) -> np.ndarray:
        return self.x.mean(1).numpy()


@cache
def pools() -> tuple[Pool, Pool]:
    """From training documents, and from held-out ones: as many of each source."""
    found = []
    for path, many in (("assets/train.npz", TRAIN_SEQUENCES), ("heldout/heldout.npz", TEST_SEQUENCES)):
        parts = data.arrays(data.HERE / path)
        draw = np.random.RandomState(1)
        rows = np.concatenate([draw.permutation(np.flatnonzero(parts["source"] == s))[: many // 3] for s in range(3)])
        x = data.scale().normal(data.residuals(parts["ids"][rows])[:, 1:])
        found.append(Pool(parts["ids"][rows], x, parts["source"][rows], parts["package"][rows]))
    return found[0], found[1]


def inputs() -> dict[str, Tensor]:
    return {name: pool.x.reshape(-1, pool.x.shape[-1]) for name, pool in zip(("pool_train", "pool_test"), pools())}


def scores(latents: dict[str, csr_matrix], dictionary: Dictionary) -> dict[str, float]:
    train, test = pools()
    mine = [_mean_latents(latents[name], len(pool.ids)) for name, pool in (("pool_train", train), ("pool_test", test))]
    return {
        **_sequence_probing(mine, train, test),
        **_absorption(latents, dictionary, train, test),
        **_concepts(mine, dictionary, train, test),
        **_unlearning(latents["pool_test"], dictionary, test),
    }


@cache
def reference() -> dict[str, float]:
    """The same for every method: token probing with neurons in place of latents, and with all of them."""
    train, test, tasks = evals.token_tasks()
    raw = [csr_matrix(table.x.numpy()) for table in (train, test)]
    neurons = evals.token_probing(raw[0], raw[1], tasks)
    everything = np.arange(train.x.shape[1])
    ceiling = [evals.accuracy(raw[0][t.train], t.train_answers, raw[1][t.test], t.test_answers, everything) for t in tasks]
    found = {f"reference.neurons_{name.split('.')[1]}": value for name, value in neurons.items()}
    return {**found, "reference.residual_stream": float(np.mean(ceiling))}


def _mean_latents(latents: csr_matrix, sequences: int) -> np.ndarray:
    """[S, n]: each sequence's latents, averaged over its tokens."""
    per = latents.shape[0] // sequences
    rows = np.repeat(np.arange(sequences), per)
    averaging = csr_matrix((np.full(len(rows), 1 / per, np.float32), (rows, np.arange(len(rows)))))
    return (averaging @ latents).toarray()


# --- sequences --------------------------------------------------------------------------------------------------------


def _questions(train: Pool, test: Pool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Yes or no for each sequence of both pools: its source, and the packages that are frequent enough in both."""
    found = [(train.source == s, test.source == s) for s in range(3)]
    counts = [(min((train.package == p).sum(), 3 * (test.package == p).sum()), p) for p in np.unique(train.package)]
    for many, package in sorted(counts, reverse=True)[:7]:
        if many >= 9 and (train.source[train.package == package] != 0).all():
            found.append((train.package == package, test.package == package))
    return found


def _sequence_probing(mine: list[np.ndarray], train: Pool, test: Pool) -> dict[str, float]:
    raw = [csr_matrix(part) for part in mine]
    found = {}
    questions = _questions(train, test)
    for k in (1, 2, 5):
        accuracies = []
        for known, asked in questions:
            columns = evals.differing(raw[0], known)[:k]
            accuracies.append(_balanced_accuracy(raw[0][:, columns].toarray(), known, raw[1][:, columns].toarray(), asked))
        found[f"sequence_probing.top_{k}"] = float(np.mean(accuracies))
    return found


def _probe(x: np.ndarray, answers: np.ndarray, strength: float = 1.0) -> Any:
    """A function of rows → yes or no, and its direction in the space of x."""
    from sklearn.linear_model import LogisticRegression

    mean, size = x.mean(0), x.std(0) + 1e-6
    fitted = LogisticRegression(max_iter=200, C=strength, class_weight="balanced").fit((x - mean) / size, answers)
    return (lambda rows: fitted.predict((rows - mean) / size)), fitted.coef_[0] / size


def _balanced_accuracy(x: np.ndarray, known: np.ndarray, rows: np.ndarray, asked: np.ndarray) -> float:
    return _right(_probe(x, known)[0], rows, asked)


def _right(probe: Any, rows: np.ndarray, asked: np.ndarray) -> float:
    said = probe(rows)
    return float((said[asked].mean() + (1 - said[~asked]).mean()) / 2)


# --- absorption -------------------------------------------------------------------------------------------------------


@cache
def _words() -> list[tuple[np.ndarray, np.ndarray]]:
    """For both pools: rows of tokens that begin a word, and the number of its first letter."""
    import json

    vocabulary = json.loads((data.HERE / "assets/vocabulary.json").read_text("ascii"))
    first = np.array([LETTERS.find(w[1].lower()) if len(w) > 2 and w[0] == " " and w[1:].isalpha() else -1 for w in vocabulary])
    found = []
    for pool in pools():
        letters = first[pool.ids[:, 1:].reshape(-1)]
        rows = np.random.RandomState(2).permutation(np.flatnonzero(letters >= 0))[:WORDS]
        found.append((rows, letters[rows]))
    return found


def _absorption(latents: dict[str, csr_matrix], dictionary: Dictionary, train: Pool, test: Pool) -> dict[str, float]:
    """Chanin et al.: on words whose letter a probe knows, the letter's own latents are silent and another, which points
    along the probe, carries it. `mean_num_split_features`: latents that a letter needs."""
    (rows, letters), (test_rows, test_letters) = _words()
    mine, theirs = latents["pool_train"][rows], latents["pool_test"][test_rows]
    x, test_x = (pool.x.reshape(-1, pool.x.shape[-1]).numpy() for pool in (train, test))
    unit = dictionary.w_dec / np.linalg.norm(dictionary.w_dec, axis=1, keepdims=True).clip(1e-8)
    absorbed, split = [], []
    for number in range(len(LETTERS)):
        yes, asked = letters == number, test_letters == number
        if min(yes.sum(), asked.sum()) < 30:
            continue
        probe, direction = _probe(x[rows], yes, 0.1)
        own = _split(mine, yes)
        split.append(len(own))
        known = asked & (probe(test_x[test_rows]) == 1)
        if not known.any():
            continue
        along = theirs[known].multiply((dictionary.w_dec @ direction)[None]).tocsr()
        along = along.multiply((unit @ direction / np.linalg.norm(direction) > 0.1)[None]).toarray()
        silent = np.asarray((theirs[known][:, own] > 0).sum(1)).ravel() == 0
        others = along.sum(1) - along[:, own].sum(1)
        most = np.delete(along, own, axis=1).max(1)
        absorbed.append(float((silent & (most > 0.4 * others.clip(1e-6))).mean()))
    return {
        "absorption.mean_absorption_score": float(np.mean(absorbed)) if absorbed else 0.0,
        "absorption.mean_num_split_features": float(np.mean(split)) if split else 0.0,
    }


def _split(latents: csr_matrix, yes: np.ndarray, better: float = 0.03, most: int = 4) -> np.ndarray:
    """The fewest latents, those that differ most first, after which one more adds less than `better` of F1."""
    order, best = evals.differing(latents, yes), 0.0
    for k in range(1, most + 1):
        said = np.asarray((latents[:, order[:k]] > 0).sum(1)).ravel() > 0
        f1 = 2 * (said & yes).sum() / max(1, said.sum() + yes.sum())
        if k > 1 and f1 < best + better:
            return order[: k - 1]
        best = max(best, f1)
    return order[:most]


# --- concepts ---------------------------------------------------------------------------------------------------------


def _concepts(mine: list[np.ndarray], dictionary: Dictionary, train: Pool, test: Pool) -> dict[str, float]:
    """Targeted probe perturbation: take out the latents of one concept; its probe should fail, the others' not.
    Spurious correlation removal: a probe for the package that was trained where package and source go together."""
    x, test_x = train.mean, test.mean
    questions = _questions(train, test)
    probes = [_probe(x, known, 0.1) for known, _ in questions]
    before = [_right(probe, test_x, asked) for (probe, _), (_, asked) in zip(probes, questions)]
    own, other = [], []
    for a, (known, _) in enumerate(questions):
        out = _strongest(mine[0], known, dictionary, probes[a][1])
        less = test_x - mine[1][:, out] @ dictionary.w_dec[out]
        for b, (_, asked) in enumerate(questions):
            (own if a == b else other).append(before[b] - _right(probes[b][0], less, asked))
    return {"scr_tpp.tpp": float(np.mean(own) - np.mean(other)), "scr_tpp.scr": _spurious(mine, dictionary, train, test)}


def _strongest(latents: np.ndarray, yes: np.ndarray, dictionary: Dictionary, direction: np.ndarray) -> np.ndarray:
    effect = (latents[yes].mean(0) - latents[~yes].mean(0)) * (dictionary.w_dec @ direction)
    return np.argsort(-effect, kind="stable")[:TAKEN_OUT]


def _spurious(mine: list[np.ndarray], dictionary: Dictionary, train: Pool, test: Pool) -> float:
    """Is it code? A probe trained on code of one half of the packages and docstrings of the other also learns the half."""
    halves = [pool.package % 2 == 0 for pool in (train, test)]
    code = [pool.source == 2 for pool in (train, test)]
    used = train.source > 0
    together = used & (halves[0] == code[0])
    asked = test.source > 0
    x, test_x = train.mean, test.mean
    biased, _ = _probe(x[together], code[0][together], 0.1)
    fair, _ = _probe(x[used], code[0][used], 0.1)
    _, direction = _probe(x[used], halves[0][used], 0.1)
    out = _strongest(mine[0][used], halves[0][used], dictionary, direction)
    less = test_x - mine[1][:, out] @ dictionary.w_dec[out]
    was, best = (_right(probe, test_x[asked], code[1][asked]) for probe in (biased, fair))
    now = _right(biased, less[asked], code[1][asked])
    return (now - was) / max(best - was, 0.02)


# --- unlearning -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _unlearning(latents: csr_matrix, dictionary: Dictionary, test: Pool) -> dict[str, float]:
    """Nats that the topics' tokens become more surprising, less five times what the others lose."""
    per = latents.shape[0] // len(test.ids)
    forget = np.repeat(test.source == 0, per)
    fires = [np.asarray((latents[rows] > 0).mean(0)).ravel() for rows in (forget, ~forget)]
    score = fires[0] * (fires[1] < 0.01) * np.minimum(fires[0] / (fires[1] + 1e-4), 50)
    chosen = np.argsort(-score, kind="stable")[:UNLEARNED]
    pushed = torch.from_numpy(np.asarray(latents[:, chosen] @ dictionary.w_dec[chosen], np.float32)) * STRENGTH
    model, layer, scale = data.language_model(), data.profile().layer, data.scale()
    cost = {True: 0.0, False: 0.0}
    for kind in cost:
        rows = np.flatnonzero((test.source == 0) == kind)
        tokens, x = data.as_tokens(test.ids[rows]), test.x[rows]
        changed = x - pushed.view(len(test.ids), per, -1)[rows]
        losses = []
        for after in (x, changed):
            residual = torch.cat((torch.zeros(len(rows), 1, x.shape[-1]), scale.raw(after)), dim=1)
            residual[:, 0] = data.residuals(test.ids[rows[:1]])[0, 0]  # <bos>, the same everywhere
            logits = model.logits_from(residual, layer)[:, 1:-1]
            losses.append(float(F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 2:].reshape(-1))))
        cost[kind] = losses[1] - losses[0]
    return {"unlearning.score": cost[True] - 5 * max(0.0, cost[False]), "unlearning.forgotten_nats": cost[True]}
