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

from harness import data, evals, seeds
from harness.evals import Dictionary

LETTERS = "abcdefilmnoprst"
TAKEN_OUT = 10  # latents
UNLEARNED, STRENGTH = 10, 5.0
SOLVER = "newton-cholesky"  # for some hundred columns a sixth of the work of lbfgs, and it reaches the optimum


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
    for path, many in zip(("assets/train.npz", "heldout/heldout.npz"), data.profile().pool_sequences):
        parts = data.arrays(data.HERE / path)
        draw = np.random.RandomState(1)
        rows = np.concatenate([draw.permutation(np.flatnonzero(parts["source"] == s))[: many // 3] for s in range(3)])
        x = data.scale().normal(data.residuals(parts["ids"][rows])[:, 1:])
        found.append(Pool(parts["ids"][rows], x, parts["source"][rows], parts["package"][rows]))
    return found[0], found[1]


def inputs() -> dict[str, Tensor]:
    return {name: pool.x.reshape(-1, pool.x.shape[-1]) for name, pool in zip(("pool_train", "pool_test"), pools())}


@dataclass(frozen=True)
class Probe:
    """A logistic regression: rows → yes or no, and its direction in the space of the rows."""

    mean: np.ndarray
    direction: np.ndarray
    bias: float

    @staticmethod
    def fitted(x: np.ndarray, answers: np.ndarray, strength: float = 0.1) -> Probe:
        from sklearn.linear_model import LogisticRegression

        mean, size = x.mean(0), x.std(0) + 1e-6
        probe = LogisticRegression(max_iter=200, C=strength, class_weight="balanced", solver=SOLVER)
        found = probe.fit((x - mean) / size, answers)
        return Probe(mean, found.coef_[0] / size, float(found.intercept_[0]))

    def says(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.mean) @ self.direction + self.bias > 0

    def right(self, rows: np.ndarray, answers: np.ndarray) -> float:
        """Balanced accuracy."""
        said = self.says(rows)
        return float((said[answers].mean() + (~said[~answers]).mean()) / 2)


@dataclass(frozen=True)
class Known:
    """What does not depend on the method: computed once, for all seeds."""

    letters: list[Probe | None]  # by letter; None where it begins too few words
    questions: list[Probe]
    reference: dict[str, float]
    losses: dict[bool, float]  # nats of the topics' tokens and of the others', with nothing changed


def known() -> Known:
    return Known(*seeds.forked([_letter_probes, _question_probes, reference, _unchanged]))


def scores(latents: dict[str, csr_matrix], dictionary: Dictionary, known: Known) -> dict[str, float]:
    train, test = pools()
    mine = [_mean_latents(latents[name], len(pool.ids)) for name, pool in (("pool_train", train), ("pool_test", test))]
    return {
        **_sequence_probing(mine, train, test),
        **_absorption(latents, dictionary, test, known.letters),
        **_concepts(mine, dictionary, train, test, known.questions),
        **_unlearning(latents["pool_test"], dictionary, test, known.losses),
    }


def reference(say: Any) -> dict[str, float]:
    """The same for every method: token probing with neurons in place of latents, and with all of them."""
    train, test, tasks = evals.token_tasks()
    raw = [csr_matrix(table.x.numpy()) for table in (train, test)]
    neurons = evals.token_probing(raw[0], raw[1], tasks)
    everything = np.arange(train.x.shape[1])
    ceiling = [
        evals.accuracy(raw[0][t.train], t.train_answers, raw[1][t.test], t.test_answers, everything, SOLVER) for t in tasks
    ]
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
            probe = Probe.fitted(raw[0][:, columns].toarray(), known, 1.0)
            accuracies.append(probe.right(raw[1][:, columns].toarray(), asked))
        found[f"sequence_probing.top_{k}"] = float(np.mean(accuracies))
    return found


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
        rows = np.random.RandomState(2).permutation(np.flatnonzero(letters >= 0))[: data.profile().words]
        found.append((rows, letters[rows]))
    return found


def _letter_probes(say: Any) -> list[Probe | None]:
    (rows, letters), (_, test_letters) = _words()
    train = pools()[0]
    x = train.x.reshape(-1, train.x.shape[-1]).numpy()[rows]
    often = [min((letters == n).sum(), (test_letters == n).sum()) >= 30 for n in range(len(LETTERS))]
    return [Probe.fitted(x, letters == n) if enough else None for n, enough in enumerate(often)]


def _absorption(
    latents: dict[str, csr_matrix], dictionary: Dictionary, test: Pool, probes: list[Probe | None]
) -> dict[str, float]:
    """Chanin et al.: on words whose letter a probe knows, the letter's own latents are silent and another, which points
    along the probe, carries it. `mean_num_split_features`: latents that a letter needs."""
    (rows, letters), (test_rows, test_letters) = _words()
    mine, theirs = latents["pool_train"][rows], latents["pool_test"][test_rows]
    test_x = test.x.reshape(-1, test.x.shape[-1]).numpy()[test_rows]
    unit = dictionary.w_dec / np.linalg.norm(dictionary.w_dec, axis=1, keepdims=True).clip(1e-8)
    absorbed, split = [], []
    for number, probe in enumerate(probes):
        if probe is None:
            continue
        own = _split(mine, letters == number)
        split.append(len(own))
        known = (test_letters == number) & probe.says(test_x)
        if not known.any():
            continue
        counts = unit @ probe.direction / np.linalg.norm(probe.direction) > 0.1
        effect = (dictionary.w_dec @ probe.direction) * counts
        along = theirs[known].toarray() * effect
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


def _question_probes(say: Any) -> list[Probe]:
    train, test = pools()
    return [Probe.fitted(train.mean, known) for known, _ in _questions(train, test)]


def _concepts(
    mine: list[np.ndarray], dictionary: Dictionary, train: Pool, test: Pool, probes: list[Probe]
) -> dict[str, float]:
    """Targeted probe perturbation: take out the latents of one concept; its probe should fail, the others' not.
    Spurious correlation removal: a probe for the source that was trained where source and half of the packages go together."""
    test_x = test.mean
    questions = _questions(train, test)
    before = [probe.right(test_x, asked) for probe, (_, asked) in zip(probes, questions)]
    own, other = [], []
    for a, (known, _) in enumerate(questions):
        out = _strongest(mine[0], known, dictionary, probes[a].direction)
        less = test_x - mine[1][:, out] @ dictionary.w_dec[out]
        for b, (_, asked) in enumerate(questions):
            (own if a == b else other).append(before[b] - probes[b].right(less, asked))
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
    biased = Probe.fitted(x[together], code[0][together])
    fair = Probe.fitted(x[used], code[0][used])
    half = Probe.fitted(x[used], halves[0][used])
    out = _strongest(mine[0][used], halves[0][used], dictionary, half.direction)
    less = test_x - mine[1][:, out] @ dictionary.w_dec[out]
    was, best = (probe.right(test_x[asked], code[1][asked]) for probe in (biased, fair))
    now = biased.right(less[asked], code[1][asked])
    return (now - was) / max(best - was, 0.02)


# --- unlearning -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def _unlearning(latents: csr_matrix, dictionary: Dictionary, test: Pool, before: dict[bool, float]) -> dict[str, float]:
    """Nats that the topics' tokens become more surprising, less five times what the others lose."""
    per = latents.shape[0] // len(test.ids)
    forget = np.repeat(test.source == 0, per)
    fires = [np.asarray((latents[rows] > 0).mean(0)).ravel() for rows in (forget, ~forget)]
    score = fires[0] * (fires[1] < 0.01) * np.minimum(fires[0] / (fires[1] + 1e-4), 50)
    chosen = np.argsort(-score, kind="stable")[:UNLEARNED]
    pushed = torch.from_numpy(np.asarray(latents[:, chosen] @ dictionary.w_dec[chosen], np.float32)) * STRENGTH
    after = _losses(test, test.x - pushed.view(test.x.shape))
    cost = {kind: after[kind] - before[kind] for kind in after}
    return {"unlearning.score": cost[True] - 5 * max(0.0, cost[False]), "unlearning.forgotten_nats": cost[True]}


def _unchanged(say: Any) -> dict[bool, float]:
    test = pools()[1]
    return _losses(test, test.x)


@torch.no_grad()
def _losses(test: Pool, x: Tensor) -> dict[bool, float]:
    """Nats a token with x in place of the residual stream: of the topics (True), and of the others."""
    model, layer, scale = data.language_model(), data.profile().layer, data.scale()
    begin = data.residuals(test.ids[:1])[0, 0]  # <bos>, the same everywhere
    found = {}
    for kind in (True, False):
        rows = np.flatnonzero((test.source == 0) == kind)
        tokens = data.as_tokens(test.ids[rows])
        residual = torch.cat((begin.expand(len(rows), 1, -1), scale.raw(x[rows])), dim=1)
        logits = model.logits_from(residual, layer)[:, 1:-1]
        found[kind] = float(F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens[:, 2:].reshape(-1)))
    return found
