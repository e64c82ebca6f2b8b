"""How long the commands take that people type while a study runs, beside an empty Python.

Run from the project's folder: python bench/startup.py [--json]. Exit code 1 when a median is over half a second.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from bench.own_time import study

BAR = 0.5
REPETITIONS = 10


def seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - began


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        root = str(study(Path(folder)))
        agent = [sys.executable, "-m", "agent"]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "ai-scientist --help": [*agent, "--help"],
            "ai-scientist show (10 runs)": [*agent, "show", root],
            "ai-scientist diff": [*agent, "diff", root, "run_3"],
        }
        rows = {name: sorted(seconds(words) for _ in range(REPETITIONS)) for name, words in commands.items()}
    medians = {name: round(statistics.median(times), 3) for name, times in rows.items()}
    if "--json" in sys.argv:
        print(json.dumps(medians))
    else:
        for name, times in rows.items():
            print(f"{name:<30}median {medians[name]:.3f} s   {times[0]:.3f} – {times[-1]:.3f}")
    return int(max(medians.values()) > BAR)


if __name__ == "__main__":
    sys.exit(main())
