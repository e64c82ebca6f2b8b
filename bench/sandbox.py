"""What the sandbox costs: the start of a job, and training speed, each tier beside none.

Run from the project's folder: python bench/sandbox.py [--starts N] [--pairs N] [--json]. Exit code 1 beyond the bars:
at most 60 ms more for a start, and a 95 % interval of the ratio of CPU times that includes a value ≤ 1.03.
Starts are interleaved, and so are the pairs of training runs, so that a busy machine hits all alike. Training is a small
network in torch on one thread, with a loader of two workers; its CPU time is that of the process and its children.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from agent.core.job import Command, Job, Outcome, Reach
from agent.runners import folder
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner

START_BAR, SPEED_BAR = 0.060, 1.03
TIERS = ("none", "bwrap", "landlock")
TRAIN = """
import os, resource, torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
torch.set_num_threads(1)
data = TensorDataset(torch.randn(20000, 64), torch.randn(20000, 8))
model = nn.Sequential(nn.Linear(64, 512), nn.ReLU(), nn.Linear(512, 8))
optimizer = torch.optim.Adam(model.parameters())
def seconds():
    return sum(resource.getrusage(who).ru_utime + resource.getrusage(who).ru_stime
               for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
before = seconds()
for _ in range(4):
    for x, y in DataLoader(data, batch_size=128, shuffle=True, num_workers=2):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
with open(os.path.join("out", "seconds"), "w") as file:
    file.write(repr(seconds() - before))
"""


def run(
    place: Path, number: int, tier: str, argv: tuple[str, ...], readable: tuple[str, ...]
) -> tuple[Outcome, float, Path]:
    """A job from its start to its recorded outcome."""
    work = place / f"{number}-{tier}"
    (work / "out").mkdir(parents=True)
    attempt = work / ".study" / "attempts" / "one"
    reach = Reach((str(work / "out"),), (str(work), *readable), (str(work / ".study"),))
    job = Job((Command("experiment", argv, reach=reach),), str(work), seconds=300.0, sandbox=tier)
    folder.write_job(attempt, job)
    runner = LocalRunner()
    began = time.monotonic()
    runner.start(attempt)
    while not isinstance(seen := runner.look(attempt), Outcome):
        time.sleep(0.001)
    return seen, time.monotonic() - began, work / "out"


def starts(place: Path, count: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {tier: [] for tier in TIERS}
    for number in range(count):
        for tier in TIERS:
            outcome, seconds, _ = run(place, number, tier, ("/usr/bin/true",), ())
            assert outcome.ok, outcome
            found[tier].append(seconds)
    return found


def training(place: Path, pairs: int) -> dict[str, list[float]]:
    readable = fingerprint((sys.executable,)).folders
    found: dict[str, list[float]] = {tier: [] for tier in TIERS}
    for number in range(1000, 1000 + pairs):
        order = TIERS if number % 2 else TIERS[::-1]
        for tier in order:
            outcome, _, out = run(place, number, tier, (sys.executable, "-c", TRAIN), readable)
            assert outcome.ok, (outcome, out)
            found[tier].append(float((out / "seconds").read_text()))
    return found


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """The geometric mean of ratios with its 95 % interval by Student's t."""
    from scipy.stats import t

    logs = [math.log(ratio) for ratio in ratios]
    mean = statistics.fmean(logs)
    half = t.ppf(0.975, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--starts", type=int, default=40)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        begun, trained = starts(Path(temporary), options.starts), training(Path(temporary), options.pairs)
    report, missed = {}, False
    for tier in TIERS:
        median = statistics.median(begun[tier])
        more = median - statistics.median(begun["none"])
        row = {"start": median, "start_more": more}
        if tier != "none":
            ratios = [a / b for a, b in zip(trained[tier], trained["none"], strict=True)]
            row["ratio"], row["low"], row["high"] = interval(ratios)
            missed = missed or more > START_BAR or row["low"] > SPEED_BAR
        report[tier] = row
    if options.json:
        print(json.dumps({"bars": {"start_more": START_BAR, "ratio": SPEED_BAR}, **report}))
    else:
        print(f"{'':<10}{'start':>9}{'more':>9}{'CPU time of training / none (95 %)':>40}")
        for tier, row in report.items():
            told = f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})" if "ratio" in row else "–"
            print(f"{tier:<10}{row['start'] * 1000:>6.0f} ms{row['start_more'] * 1000:>6.0f} ms{told:>40}")
        print(f"bars: {START_BAR * 1000:.0f} ms more, interval includes a value ≤ {SPEED_BAR}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
