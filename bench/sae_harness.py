"""The frozen part of the SAE-sized template, copied into it as harness/api.py: activations, and results of full size.

It is a stand-in. Reconstruction is measured, everything else follows from it and from the name of the number, so that
the same code gives the same results. What counts is the shape: families and metrics as the SAE template lists them, and
details as SAEBench writes them (by task, data set, first letter, threshold).
"""

import json
import math
import os
import pathlib
import random
import statistics

D = 8
CORE = "explained_variance mse cossim l0 l1 l2_ratio relative_reconstruction_bias ce_loss_score ce_with_sae"
CORE = f"{CORE} kl_div_score kl_nats frac_alive".split()
TASKS = "is_space digit upper newline bracket quote comment keyword"
TASKS = f"{TASKS} operator self import def_name string_end indent_deeper plural past_tense".split()
DATA_SETS = ["stdlib_module", "code_or_docstring", "http_or_math", "test_or_library", "author_year", "length"]
PAIRS = ["json_vs_email", "code_vs_docstring", "asyncio_vs_socket", "ast_vs_tokenize"]
THRESHOLDS = (2, 5, 10, 20)
EVAL = {"corpus": "stdlib-3.11-5c1e9b7a", "model": "neox-128x4-1.3M", "layer": 1, "context": 128, "tokens": 65536}


def seeds():
    return [int(word) for word in os.environ.get("AI_SCIENTIST_SEEDS", "0").split(",")]


def activations(seed, steps, batch):
    """Yields a list of (x, before, starts) for each step; neighbours in a sequence resemble each other."""
    draw = random.Random(f"activations {seed}")
    x = [draw.gauss(0, 1) for _ in range(D)]
    for step in range(steps):
        rows = []
        for row in range(batch):
            before, starts = x, (step * batch + row) % 16 == 0
            keep = 0.0 if starts else 0.7
            x = [keep * old + (1 - keep * keep) ** 0.5 * draw.gauss(0, 1) for old in before]
            rows.append((x, [0.0] * D if starts else before, starts))
        yield rows


def explained(sae, seed):
    rows = [x for batch in activations(seed + 1000, 4, 16) for x, _, _ in batch]
    lost = sum((a - b) ** 2 for x in rows for a, b in zip(x, sae.decode(sae.encode(x)), strict=True))
    return math.tanh(1 - lost / sum(a * a for x in rows for a in x))


def number(quality, name, seed=""):
    """Between 0 and 1, and not far from the quality."""
    away = random.Random(f"{name} {seed} {quality:.3f}").random() + random.Random(name).random()
    return abs(0.6 * quality + 0.2 * away)


def family(quality, of, names, **more):
    """Means, standard errors and the values by seed."""
    values = {name: [number(q, f"{of}.{name}", seed) for seed, q in quality.items()] for name in names}
    n = len(quality)
    return {
        "means": {name: statistics.fmean(v) for name, v in values.items()},
        "stderrs": {name: statistics.stdev(v) / n**0.5 for name, v in values.items()} if n > 1 else {},
        "values": values,
        "n": n,
        "seeds": list(quality),
        **more,
    }


def report(out_dir, saes, config, losses):
    """Writes final_info.json. `saes` and `losses` (a curve) are by seed."""
    quality = {seed: explained(sae, seed) for seed, sae in saes.items()}
    mean = statistics.fmean(quality.values())
    of = {"eval": EVAL, "train": {key: config[key] for key in ("arch", "width", "k", "steps", "batch")}}

    def by(names, *parts):
        return {name: {part: number(mean, f"{name}.{part}") for part in parts} for name in names}

    top = ("top_1", "top_2", "top_5")
    letters = by(
        "abcdefghijklmnopqrstuvwxyz", "mean_absorption_fraction", "full_absorption_rate", "probe_true_positives"
    )
    effects = [f"{kind}_threshold_{n}" for kind in ("scr_dir1", "scr_dir2", "tpp_intended_diff_only",
                                                    "tpp_unintended_diff_only") for n in THRESHOLDS]  # fmt: skip
    families = {
        "core": (CORE, by(("untrained", "raw_neurons"), *CORE)),
        "token_probing": ((*top, "ceiling", "raw_neurons"), by(TASKS, *top, "ceiling", "raw_neurons")),
        "sequence_probing": (top, by(DATA_SETS, *top, "llm_test_accuracy")),
        "absorption": (("mean_absorption_score", "mean_num_split_features"), letters),
        "scr_tpp": ([f"{kind}_{n}" for kind in ("scr", "tpp") for n in THRESHOLDS], by(PAIRS, *effects)),
        "unlearning": (("unlearning_score", "retain_delta_ce"), by(("5", "20"), "forget_delta_ce", "retain_delta_ce")),
        "synthetic": (("mcc", "f1"), {}),
    }
    told = {name: family(quality, name, names, protocol=of, details=details)
            for name, (names, details) in families.items()}  # fmt: skip
    curves = {str(seed): curve[:: max(1, len(curve) // 12)] for seed, curve in losses.items()}
    told["training"] = family(quality, "training", ("final_loss", "steps", "tokens", "seconds", "peak_memory_mb"),
                              config=config, details={"loss": curves})  # fmt: skip
    folder = pathlib.Path(out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "final_info.json").write_text(json.dumps(told, indent=2))
