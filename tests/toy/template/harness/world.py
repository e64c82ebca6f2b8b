"""The frozen part of the toy: points, score and results file."""

import json
import math
import os
import random
import time

SLOPE, OFFSET, NOISE = 1.7, -0.4, 0.5
_started = time.perf_counter()


def training_points(seed):
    draw = random.Random(f"train {seed}")
    return [_point(draw, NOISE) for _ in range(200)]


def seeds():
    return [int(word) for word in os.environ.get("AI_SCIENTIST_SEEDS", "0").split(",")]


def progress(step, of, loss):
    path = os.environ.get("AI_SCIENTIST_PROGRESS")
    if path:
        with open(path, "a") as lines:
            lines.write(json.dumps({"step": step, "of": of, "loss": loss}) + "\n")


def report(out_dir, fits, config):
    errors = [_test_error(*fits[seed]) for seed in fits]
    slopes = [abs(slope - SLOPE) for slope, _ in fits.values()]
    families = {
        "fit": {**_family({"test_mse": errors, "slope_error": slopes}), "seeds": list(fits), "config": config,
                "protocol": {"eval": {"points": 500}, "train": {"points": 200}}},
        "training": {"means": {"seconds": round(time.perf_counter() - _started, 4)}},
    }
    os.makedirs(out_dir, exist_ok=True)
    with open(os.path.join(out_dir, "final_info.json"), "w") as file:
        json.dump(families, file, indent=1)
    for name, mean in families["fit"]["means"].items():
        print(f"{name:12} {mean:.5f}")


def _family(values):
    n = len(next(iter(values.values())))
    means = {name: sum(v) / n for name, v in values.items()}
    spread = {name: math.sqrt(sum((x - means[name]) ** 2 for x in v) / (n - 1)) if n > 1 else 0.0 for name, v in values.items()}
    family = {"means": means, "n": n, "values": values}
    return {**family, "stderrs": {name: spread[name] / math.sqrt(n) for name in values}} if n > 1 else family


def _test_error(slope, offset):
    draw = random.Random("test")
    points = [_point(draw, 0.0) for _ in range(500)]
    return sum((slope * x + offset - y) ** 2 for x, y in points) / len(points)


def _point(draw, noise):
    x = draw.uniform(-2, 2)
    return x, SLOPE * x + OFFSET + draw.gauss(0, noise)
