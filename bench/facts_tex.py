"""How large facts.tex becomes and what it costs: python bench/facts_tex.py [RUNS METRICS]

Made-up results of RUNS runs and METRICS metrics (12 and 100), the seconds that Python takes, bytes, and the seconds that
pdflatex takes for a page with and without it, the best of five.
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from agent.core.facts import facts_of  # noqa: E402
from agent.core.measures import Measure  # noqa: E402
from agent.writing.facts_tex import facts_tex  # noqa: E402
from tests import helpers as h  # noqa: E402

PAGE = r"\documentclass{article}%s\begin{document}x\end{document}"


def study(runs: int, metrics: int):
    chance = random.Random(0)

    def results():
        return {f"family_{i // 10}.some_metric_{i}": Measure.of([chance.gauss(1, 0.1) for _ in range(3)], (0, 1, 2)).to_json()
                for i in range(metrics)}  # fmt: skip

    made = [event for number in range(1, runs) for event in h.good_run(number, metrics=results())]
    return h.after(h.ready(), *made)


def seconds(folder: Path, head: str) -> float:
    (folder / "page.tex").write_text(PAGE % head)
    best = 1e9
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run(["pdflatex", "-interaction=batchmode", "page"], cwd=folder, check=True, capture_output=True)
        best = min(best, time.perf_counter() - begun)
    return best


def main() -> None:
    runs, metrics = (int(word) for word in (sys.argv[1:] or ("12", "100")))
    state, template = study(runs, metrics), h.template()
    facts_of(state, template).fact("factci", "run_1.family_0.some_metric_0")  # loads scipy
    begun = time.perf_counter()
    text = facts_tex(facts_of(state, template))
    print(f"{runs} runs, {metrics} metrics: {len(text):,} bytes in {time.perf_counter() - begun:.2f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "facts.tex").write_text(text)
        without, with_it = seconds(folder, ""), seconds(folder, r"\input{facts}")
    print(f"pdflatex: {without:.2f} s without, {with_it:.2f} s with it")


if __name__ == "__main__":
    main()
