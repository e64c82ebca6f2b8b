"""How well are failures judged? Over the logs of `tests/logs`: `python bench/triage.py`. Exit code 1 below the bars."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from agent.core.triage import CODER, blame
from tests.logs import Log, logs
from tests.logs.judged import case_of

RIGHT_BAR, TIME_BAR_MS = 95.0, 20.0
LARGE = 10_000_000  # characters of the large log
COLUMNS = ("right", "wrong", "blamed on the coder")


def judged(log: Log) -> tuple[str, str, float]:
    """(what it was judged to be, evidence, milliseconds)"""
    case = case_of(log)
    times = []
    for _ in range(3):  # the quickest, in time of the processor: others use the machine, too
        started = time.process_time()
        found = blame(case)
        times.append(time.process_time() - started)
    return found.kind, found.evidence, min(times) * 1000


def unjust(expected: str, found: str) -> bool:
    return expected not in CODER and found in CODER


def table(half: str, wanted: list[Log], failures: bool) -> dict[str, object]:
    counts: dict[str, Counter[str]] = {}
    times = []
    for log in wanted:
        kind, evidence, taken = judged(log)
        row = counts.setdefault(log.expected, Counter())
        row["right" if kind == log.expected else "wrong"] += 1
        row["blamed on the coder"] += unjust(log.expected, kind)
        times.append(taken)
        if failures and kind != log.expected:
            print(f"  {log.name}: {kind} instead of {log.expected}: {evidence}", file=sys.stderr)
    total = sum(counts.values(), Counter())
    rows = {kind: [counts[kind][column] for column in COLUMNS] for kind in sorted(counts)}
    right = 100.0 * total["right"] / max(1, len(wanted))
    return {"half": half, "logs": len(wanted), "right_percent": round(right, 1), "unjust": total["blamed on the coder"],
            "slowest_ms": round(max(times), 1), "rows": rows}  # fmt: skip


def large() -> float:
    """Seconds for a log of ten megabytes: a traceback, and what a hostile experiment might print."""
    text = next(log.stderr for log in logs() if log.name == "shape_mismatch")
    noise = ("a" * 4000 + ": " + "((((" * 1000 + "\n" + '  File "' + "x" * 3000 + "\n" + " | " * 2000 + "\n") * (
        LARGE // 18_000
    )
    some = next(logs())
    started = time.perf_counter()
    blame(case_of(Log("large", {**some.about, "ending": "finished", "exit_code": 1}, noise, text + noise)))
    return time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(description="How well are failures judged?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--failures", action="store_true", help="name those that are judged wrongly, of the open half only"
    )
    parser.add_argument("--open", action="store_true", help="leave the frozen half out")
    options = parser.parse_args()
    every = list(logs())
    list(map(judged, every[:5]))  # once before it is timed
    halves = [table("open", [log for log in every if not log.frozen], options.failures)]
    if not options.open:
        halves.append(table("frozen", [log for log in every if log.frozen], failures=False))
    seconds = large()
    if options.json:
        print(json.dumps({"halves": halves, "large_log_seconds": round(seconds, 2)}))
    else:
        for half in halves:
            shown = f"{half['half']} half: {half['logs']} logs, {half['right_percent']} % right"
            print(f"{shown}, {half['unjust']} unjustly blamed on the coder, slowest {half['slowest_ms']} ms")
            print(f"  {'class':14}{''.join(f'{column:>22}' for column in COLUMNS)}")
            for kind, row in half["rows"].items():  # type: ignore[attr-defined]
                print(f"  {kind:14}{''.join(f'{count:22}' for count in row)}")
        print(f"a log of {LARGE // 1_000_000} MB: {seconds:.2f} s")
    good = all(
        half["right_percent"] >= RIGHT_BAR and not half["unjust"] and half["slowest_ms"] < TIME_BAR_MS
        for half in halves
    )  # type: ignore[operator]
    print("bars met" if good and seconds < 1 else "BARS MISSED", file=sys.stderr)
    return 0 if good and seconds < 1 else 1


if __name__ == "__main__":
    sys.exit(main())
