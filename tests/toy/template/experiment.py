"""Fit a line to noisy points by stochastic gradient descent."""

import argparse
import os

from harness import world

config = {
    "learning_rate": 0.05,
    "epochs": 3,
}


def fit(points, seed):
    """Slope and offset after a few passes over the points."""
    slope, offset = 0.0, 0.0
    steps = config["epochs"] * len(points)
    for step in range(steps):
        x, y = points[step % len(points)]
        error = slope * x + offset - y
        slope -= config["learning_rate"] * error * x
        offset -= config["learning_rate"] * error
        if step % 100 == 0:
            world.progress(step, steps, error * error)
    return slope, offset


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out_dir", default="run_0")
    out_dir = parser.parse_args().out_dir
    fits = {}
    for seed in world.seeds():
        if os.environ.get("TOY_METHOD") == "zero":
            fits[seed] = (0.0, 0.0)
        else:
            fits[seed] = fit(world.training_points(seed), seed)
    world.report(out_dir, fits, config)


if __name__ == "__main__":
    main()
