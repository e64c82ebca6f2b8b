"""How often a change without any effect is called better, and how often a real one is: `python bench/false_keeps.py`.

Studies of 100 edits each, all against one baseline, as in the loop: a run of 3 seeds is screened against the baseline's 5;
one that screens as better is run again on 5 fresh seeds and compared with the baseline on the same 5, which are measured once
in a study. Seeds correlate: what a seed does to the baseline it does in part to a run. The decisions are those of
agent.core.compare: its p-value on arrays, its levels, and for a sample of the edits its whole `screen` and `confirm`,
which must say the same. Beside it: greedy, which keeps whatever has a better mean than the best so far.

Bars, exit code 1 below them, in every case: mean false "better" per study ≤ 0.5, power ≥ 0.8 for an effect of 3 standard
deviations of a seed, and no disagreement between the arrays and the whole functions. `--studies`, `--edits`, `--seed`, `--json`;
`--more` adds skewed noise, runs noisier than the baseline and a baseline of 3 seeds, without bars.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from agent.core.compare import CONFIRM, SCREEN, Rules, Side, confirm, p_better, screen
from agent.core.result import Measure, Result
from agent.core.template import Template

BASELINE, SCREENED, CONFIRMED = 5, 3, 5  # seeds
FALSE_BAR, POWER_BAR, EFFECT = 0.5, 0.8, 3.0
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
RULES = Rules(
    Template.model_validate({
        "name": "t", "command": "x {out_dir}", "editable": ["x"], "primary": "f.m",
        "metrics": {"f.m": {"direction": "up", "role": "primary"}},
    }),
    "f.m",
)  # fmt: skip


def gaussian(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_normal(shape)


def heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(4, shape) / np.sqrt(2)  # of variance 1


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_exponential(shape) - 1


@dataclass(frozen=True)
class Case:
    name: str
    draw: Draw
    correlation: float
    louder: float = 1.0  # how much noisier a run is than the baseline
    baseline: int = BASELINE


CASES = tuple(
    Case(f"{name}, seeds correlate {rho:g}", draw, rho)
    for name, draw in (("Gaussian", gaussian), ("t(4)", heavy))
    for rho in (0.0, 0.5, 0.9)
)
MORE = (
    Case("skewed, seeds correlate 0.5", skewed, 0.5),
    Case("Gaussian, runs twice as noisy", gaussian, 0.5, louder=2.0),
    Case("Gaussian, runs half as noisy", gaussian, 0.5, louder=0.5),
    Case("Gaussian, baseline of 3 seeds", gaussian, 0.0, baseline=3),
)


@dataclass(frozen=True)
class Study:
    """Values [studies, edits, seeds]; the baseline has one edit's worth."""

    baseline: np.ndarray
    run: np.ndarray
    fresh_baseline: np.ndarray
    fresh_run: np.ndarray


def draw(case: Case, rng: np.random.Generator, studies: int, edits: int, effect: float) -> Study:
    def pair(ours: int, theirs: int) -> tuple[np.ndarray, np.ndarray]:
        shared = np.sqrt(case.correlation) * case.draw(rng, (studies, 1, max(ours, theirs)))
        own = np.sqrt(1 - case.correlation)
        baseline = shared + own * case.draw(rng, (studies, 1, shared.shape[-1]))
        run = shared[..., :ours] + own * case.draw(rng, (studies, edits, ours))
        return case.louder * run + effect, baseline[..., :theirs]

    run, baseline = pair(SCREENED, case.baseline)
    fresh_run, fresh_baseline = pair(CONFIRMED, CONFIRMED)
    return Study(baseline, run, fresh_baseline, fresh_run)


def sufficient(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    n = values.shape[-1]
    return values.mean(-1), values.std(-1, ddof=1) / np.sqrt(n), n


def kept(study: Study) -> np.ndarray:
    """[studies, edits]: called better, screened and confirmed."""
    screened = p_better(*sufficient(study.run), *sufficient(study.baseline)) <= SCREEN.level
    confirmed = p_better(*sufficient(study.fresh_run), *sufficient(study.fresh_baseline)) <= CONFIRM.level
    return screened & confirmed


def greedy(study: Study) -> tuple[np.ndarray, float]:
    """Keeps per study of "better than the best so far", and the gain it reports, in standard deviations of a seed."""
    means = np.concatenate([study.baseline.mean(-1), study.run.mean(-1)], axis=1)
    best = np.maximum.accumulate(means, axis=1)
    return (means[:, 1:] > best[:, :-1]).sum(1), float((best[:, -1] - means[:, 0]).mean())


def disagreements(study: Study, decided: np.ndarray, sample: int, rng: np.random.Generator) -> int:
    """Of a sample, half of it kept by the arrays where there are so many: how often the whole functions say otherwise."""
    yes, no = np.argwhere(decided), np.argwhere(~decided)
    chosen = [*rng.permutation(yes)[: sample // 2], *rng.permutation(no)[: sample - min(len(yes), sample // 2)]]
    return sum(_by_functions(study, s, e) != decided[s, e] for s, e in chosen)


def _by_functions(study: Study, s: int, e: int) -> bool:
    first = screen(_side("run_1", study.run[s, e], 0), _side("run_0", study.baseline[s, 0], 0), RULES)
    again = confirm(
        first, _side("run_1", study.fresh_run[s, e], 100), _side("run_0", study.fresh_baseline[s, 0], 100), RULES
    )
    return again.verdict == "better"


def _side(name: str, values: np.ndarray, first_seed: int) -> Side:
    seeds = tuple(range(first_seed, first_seed + len(values)))
    return Side(name, Result({"f.m": Measure.of([float(v) for v in values], seeds)}, {}, {}))


def measure(case: Case, studies: int, edits: int, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    null = draw(case, rng, studies, edits, 0.0)
    decided = kept(null)
    false = decided.sum(1)
    greedy_keeps, gain = greedy(null)
    real = draw(case, rng, studies, max(1, edits // 5), EFFECT)
    found = kept(real)
    missed = disagreements(null, decided, 200, rng) + disagreements(real, found, 200, rng)
    return {
        "case": case.name, "false": float(false.mean()), "p95": float(np.percentile(false, 95)), "max": int(false.max()),
        "power": float(found.mean()), "greedy": float(greedy_keeps.mean()), "greedy_p95": float(np.percentile(greedy_keeps, 95)),
        "greedy_gain": gain, "disagreements": int(missed),
    }  # fmt: skip


def passes(row: dict[str, Any]) -> bool:
    return row["false"] <= FALSE_BAR and row["power"] >= POWER_BAR and row["disagreements"] == 0


def main() -> int:
    parser = argparse.ArgumentParser(description="False keeps and power of the rule that says better.")
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--edits", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--more", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = [measure(case, options.studies, options.edits, options.seed) for case in CASES]
    more = [measure(case, options.studies, options.edits, options.seed) for case in MORE] if options.more else []
    if options.json:
        print(json.dumps({"rows": rows, "more": more}))
    else:
        print(f"{options.studies} studies × {options.edits} edits | false better: mean, p95, max | power at {EFFECT:g} sd | "
              "greedy: keeps, p95, gain in sd | arrays ≠ functions")  # fmt: skip
        for row in rows + more:
            print(f"{row['case']:<34} | {row['false']:.2f}  {row['p95']:.0f}  {row['max']} | {row['power']:.3f} | "
                  f"{row['greedy']:.2f}  {row['greedy_p95']:.0f}  {row['greedy_gain']:.2f} | {row['disagreements']}")  # fmt: skip
    return 0 if all(map(passes, rows)) else 1


if __name__ == "__main__":
    sys.exit(main())
