"""Measures how well replies are applied, ours against aider's own applier, on files of the installed packages.

    python bench/edits.py [--json] [--cases 10] [--seed 0] [--kinds clean,tabs] [--failures 3]

Files are read in place and chosen by a seeded rule. Every kind of `edit_cases.py` is tried `--cases` times on every
file. Right: exactly the expected contents, or a refusal that changes nothing where one is expected. Silent wrong: an
edit that is not the expected one, with no complaint. Half: a complaint, but files were changed all the same. Refused:
no edit where there should be one.
Exit code 1 when a bar is missed: 99 % right, 0 silent wrong, p95 below 50 ms.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.core.edits import Applied, apply, parse
from bench.edit_cases import KINDS, Case, draw_edit

PACKAGES = ("torch", "transformers", "sklearn", "matplotlib", "datasets", "scipy", "networkx")
FILES_PER_PACKAGE = 2
SHORTEST, LONGEST = 100, 2_000
RIGHT_BAR, TIME_BAR_MS = 99.0, 50.0
OTHERS = {
    "plot.py": "import json\n\n\ndef draw_curves(labels):\n    for label in labels:\n        print(label)\n",
    "notes.txt": "Nothing has been tried so far.\n",
}


@dataclass(frozen=True)
class Outcome:
    changed: Mapping[str, str]
    complained: bool


# ---- files -----------------------------------------------------------------------------------------------------------


def chosen_files(seed: int) -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            continue
        root = Path(next(iter(spec.submodule_search_locations)))
        paths = sorted(root.rglob("*.py"))
        random.Random(f"{seed} {package}").shuffle(paths)
        suitable = ((path, text) for path in paths if (text := readable(path)) is not None)
        for (path, text), _ in zip(suitable, range(FILES_PER_PACKAGE), strict=False):
            yield f"{package}/{path.relative_to(root)}", text


def readable(path: Path) -> str | None:
    """The text, if it is of an experiment's size and gives room for edits."""
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None
    if not SHORTEST <= text.count("\n") <= LONGEST or "\r" in text or not text.endswith("\n"):
        return None
    try:
        draw_edit(text, random.Random(0), OTHERS)
    except ValueError:
        return None
    return text


# ---- appliers --------------------------------------------------------------------------------------------------------


def ours(case: Case) -> Outcome:
    result = apply(parse(case.reply, case.files), case.files, case.creatable)
    return Outcome(result.files, False) if isinstance(result, Applied) else Outcome({}, True)


def aiders() -> Callable[[Case], Outcome]:
    """aider's EditBlockCoder on a temporary folder: its own `get_edits`, dry run and `apply_edits`.

    Left out is the step that asks a person before a file outside the chat is made: it would write outside the folder.
    """
    from aider.coders.editblock_coder import EditBlockCoder
    from aider.io import InputOutput
    from aider.models import Model, model_info_manager

    model_info_manager._update_cache = lambda: None  # it would fetch a list of prices
    model = Model("gpt-4o")

    def applied(case: Case) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in case.files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(text.encode())
            terminal = InputOutput(yes=True, pretty=False, fancy_input=False, llm_history_file=None)
            with contextlib.redirect_stdout(io.StringIO()):
                coder = EditBlockCoder(
                    model, terminal, fnames=[str(root / name) for name in case.files], use_git=False, map_tokens=0
                )
                coder.root = str(root)
                coder.partial_response_content = case.reply
                complained = aider_complains(coder)
            after = {str(path.relative_to(root)): path.read_bytes().decode() for path in files_under(root)}
        changed = {name: text for name, text in after.items() if case.files.get(name) != text}
        return Outcome(changed, complained)

    return applied


def aider_complains(coder: Any) -> bool:
    """Does aider see anything to say about this reply? It may have changed files all the same."""
    try:
        edits = coder.apply_edits_dry_run(coder.get_edits())
        coder.apply_edits(edits)
    except (ValueError, OSError, AttributeError):  # the last is how it fails on a file that is not there
        return True
    return not edits


def files_under(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and ".aider" not in path.name]


# ---- counting --------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    cases: int = 0
    right: int = 0
    silent_wrong: int = 0
    half: int = 0
    refused: int = 0
    milliseconds: list[float] = field(default_factory=list)

    def count(self, case: Case, outcome: Outcome, seconds: float) -> str:
        verdict = judged(case, outcome)
        self.cases += 1
        self.milliseconds.append(seconds * 1000)
        setattr(self, verdict, getattr(self, verdict) + 1)
        return verdict

    def percent(self, what: str) -> float:
        return 100.0 * int(getattr(self, what)) / max(1, self.cases)

    def at(self, share: float) -> float:
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def merged(self, other: Tally) -> Tally:
        return Tally(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))

    def summary(self) -> dict[str, float]:
        shares = {name: round(self.percent(name), 2) for name in ("right", "silent_wrong", "half", "refused")}
        return {"cases": self.cases, **shares, "p50_ms": round(self.at(0.5), 2), "p95_ms": round(self.at(0.95), 2)}


def astuple(tally: Tally) -> tuple[Any, ...]:
    return tuple(asdict(tally).values())


def judged(case: Case, outcome: Outcome) -> str:
    if outcome.changed:
        if case.expected is not None and dict(outcome.changed) == dict(case.expected) and not outcome.complained:
            return "right"
        return "half" if outcome.complained else "silent_wrong"
    return "right" if case.expected is None else "refused"


def cases_of(kind: str, files: list[tuple[str, str]], wanted: int, seed: int) -> Iterator[tuple[str, Case]]:
    for label, text in files:
        rng = random.Random(f"{seed} {kind} {label}")
        made = 0
        for _ in range(wanted * 30):
            with contextlib.suppress(ValueError):
                case = KINDS[kind]("experiment.py", text, draw_edit(text, rng, OTHERS), OTHERS, rng)
                if case is not None:
                    made += 1
                    yield label, case
            if made == wanted:
                break


def measure(kinds: list[str], options: argparse.Namespace) -> dict[str, tuple[Tally, Tally]]:
    files = list(chosen_files(options.seed))
    if len(files) < 12:
        sys.exit(f"only {len(files)} suitable files in {', '.join(PACKAGES)}: install the project's dependencies")
    aider = aiders() if not options.ours else None
    table: dict[str, tuple[Tally, Tally]] = {}
    for kind in kinds:
        table[kind] = (Tally(), Tally())
        for label, case in cases_of(kind, files, options.cases, options.seed):
            started = time.perf_counter()
            outcome = ours(case)
            verdict = table[kind][0].count(case, outcome, time.perf_counter() - started)
            if verdict != "right" and options.failures:
                options.failures -= 1
                print(f"--- {kind}: {verdict} in {label}\n{explained(case, outcome)}", file=sys.stderr)
            if aider is not None:
                started = time.perf_counter()
                table[kind][1].count(case, aider(case), time.perf_counter() - started)
    return table


def explained(case: Case, outcome: Outcome) -> str:
    result = apply(parse(case.reply, case.files), case.files, case.creatable)
    said = result.notes if isinstance(result, Applied) else [problem.message for problem in result.problems]
    return "\n".join([case.reply, *said, f"expected {'an edit' if case.expected else 'a refusal'}", ""])


# ---- the table -------------------------------------------------------------------------------------------------------

VERDICTS = ("right", "silent_wrong", "half", "refused")
HEADINGS = "".join(f"{name:>9}" for name in ("right %", "silent", "half", "refused"))
HEADER = f"{'':27}{'':>6} |{'ours':^53}|{'aider':^38}"
COLUMNS = f"{'kind':27}{'cases':>6} |{HEADINGS}{'p50':>8}{'p95 ms':>8} |{HEADINGS}"


def row(kind: str, mine: Tally, theirs: Tally) -> str:
    own, other = ("".join(f"{tally.percent(name):9.1f}" for name in VERDICTS) for tally in (mine, theirs))
    return f"{kind:27}{mine.cases:6} |{own}{mine.at(0.5):8.1f}{mine.at(0.95):8.1f} |{other if theirs.cases else ''}"


def main() -> int:
    parser = argparse.ArgumentParser(description="How well are replies applied?")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--cases", type=int, default=5, help="cases of each kind for each file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", default="", help="comma-separated; default: all")
    parser.add_argument("--failures", type=int, default=0, help="how many failures of ours to print")
    parser.add_argument("--ours", action="store_true", help="leave aider out")
    options = parser.parse_args()
    kinds = options.kinds.split(",") if options.kinds else list(KINDS)
    table = measure(kinds, options)
    total = (Tally(), Tally())
    for mine, theirs in table.values():
        total = (total[0].merged(mine), total[1].merged(theirs))
    rows = {**table, "ALL": total}
    if options.json:
        print(json.dumps({kind: {"ours": a.summary(), "aider": b.summary()} for kind, (a, b) in rows.items()}))
    else:
        print("\n".join([HEADER, COLUMNS, *(row(kind, *pair) for kind, pair in rows.items())]))
    mine = total[0]
    empty = [kind for kind, (tally, _) in table.items() if not tally.cases]
    passed = mine.percent("right") >= RIGHT_BAR and not mine.silent_wrong and mine.at(0.95) < TIME_BAR_MS and not empty
    print("bars met" if passed else f"BARS MISSED {empty or ''}", file=sys.stderr)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
