"""How prompts grow over a study of ten runs with a 320-line experiment, and how much of them stays the same in front.

Run from the project's folder: python bench/prompts.py [--json]. Exit code 1 when step 10 is more than 1.2 × step 1.
The coder is scripted: each reply changes a number, writes 900 characters of notes, and nothing shrinks.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.stories import world

BAR = 1.2
LINES = 320
RATES = [0.05, 0.04, 0.03, 0.02, 0.015, 0.01, 0.008, 0.006, 0.005, 0.004, 0.003]
NOTES = "What was done, why, and what was seen, for whoever writes the paper: \\fact{run_1.fit.test_mse}. " * 9


def long_experiment(text: str) -> str:
    """The toy's experiment with as many further functions as make it 320 lines."""
    functions, number = [], 0
    while len((text + "".join(functions)).splitlines()) < LINES - 6:
        number += 1
        functions.append(
            f"\n\ndef smoothed_{number}(values, momentum=0.9):\n"
            f'    """A running mean of the values with momentum, as variant {number} of the method needs it."""\n'
            "    mean = values[0]\n    for value in values[1:]:\n        mean = momentum * mean + (1 - momentum) * value\n"
            "    return mean\n"
        )
    before, marker, after = text.partition('\n\nif __name__ == "__main__":')
    return before + "".join(functions) + "\n" + marker + after


def prompts() -> list:
    with tempfile.TemporaryDirectory() as folder:
        toy = world.template(Path(folder) / "toy", experiment__py=long_experiment)
        root, settings = world.start(Path(folder), folder=toy, max_runs=10)
        replies = {}
        for run in range(1, 11):
            text = f"Use a learning rate of {RATES[run]} instead, and see whether the noise falls further.\n"
            text += world.block(f'    "learning_rate": {RATES[run - 1]},', f'    "learning_rate": {RATES[run]},')
            replies["edit", f"run_{run}", 1] = text + (world.notes(f"run_{run - 1}", NOTES) if run > 1 else "")
        replies["notes", "run_10", 1] = world.notes("run_10", NOTES)
        model = world.Script(replies)
        quiet, kept = os.open(os.devnull, os.O_WRONLY), os.dup(1)
        os.dup2(quiet, 1)
        try:
            stop = world.go(root, model, settings)
        finally:
            os.dup2(kept, 1)
        assert stop.exit_code == 0, stop
        return model.prompts


def common(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def main() -> int:
    rows, before = [], ""
    for prompt in prompts():
        text = prompt.text()
        request = len(prompt.request)
        rows.append(
            {
                "call": prompt.call,
                "characters": len(text),
                "stable": len(prompt.stable),
                "files": len(text) - len(prompt.stable) - request,
                "request": request,
                "same_as_before_in_front": common(before, text) / len(text) if before else None,
            }
        )
        before = text
    ratio = rows[9]["characters"] / rows[0]["characters"]
    if "--json" in sys.argv:
        print(json.dumps({"ratio_10_to_1": ratio, "rows": rows}))
    else:
        print(f"{'call':<12}{'characters':>11}{'stable':>8}{'files':>8}{'request':>9}{'same in front':>15}")
        for row in rows:
            same = row["same_as_before_in_front"]
            print(
                f"{row['call']:<12}{row['characters']:>11,}{row['stable']:>8,}{row['files']:>8,}{row['request']:>9,}"
                + (f"{same:>14.0%}" if same is not None else f"{'–':>14}")
            )
        print(f"step 10 is {ratio:.2f} × step 1 (bar {BAR})")
    return int(ratio > BAR)


if __name__ == "__main__":
    sys.exit(main())
