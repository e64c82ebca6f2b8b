"""Counts the calls that cannot work which are found before a run, and the false alarms.

    python bench/invented.py [--json] [--half tuning|unseen] [--seed 0] [--files 15] [--show]

Cases: tests/core/invented (written before the code; the half whose header's hash is odd was never looked at while the
code was made). False alarms: the right cases, all Python files of the templates, every version of the SAE experiment in
git's history, and files of installed packages that use torch, transformers or datasets, taken by a seeded rule.
Exit code 1 when a bar is missed: all closed functions, 80 % of the open ones, no false alarm, 0.3 s warm.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from agent.core import frozen_api, known, signatures
from agent.runners import signatures as interpreter
from agent.runners.inspect import fingerprint
from agent.store import answers

ROOT = Path(__file__).resolve().parents[1]
CASES = ROOT / "tests" / "core" / "invented"
PACKAGES = ("sklearn", "transformers", "datasets", "aider", "litellm", "torch", "huggingface_hub", "matplotlib")
FILES_PER_PACKAGE = 15
OWN = ("experiment", "plot", "probes", "helper")  # editable files that the cases import
OPEN_BAR, WARM_BAR = 0.8, 0.3


@dataclass(frozen=True)
class Case:
    kind: str
    name: str
    text: str

    @property
    def half(self) -> str:
        digest = hashlib.sha256(f"{self.kind} | {self.name}".encode()).hexdigest()
        return "unseen" if int(digest[0], 16) % 2 else "tuning"


def cases(which: str) -> Iterator[Case]:
    for part in re.split(r"(?m)^### ", (CASES / f"{which}.txt").read_text("utf-8"))[1:]:
        header, text = part.split("\n", 1)
        kind, name = header.split(" | ", 1)
        yield Case(kind, name, text)


def real_files(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Templates, their history, and installed packages."""
    for path in sorted([*ROOT.glob("templates/**/*.py"), *ROOT.glob("tests/toy/template/**/*.py")]):
        yield str(path.relative_to(ROOT)), path.read_text("utf-8")
    for commit in _git("log", "--format=%h", "--", "templates/sae/experiment.py").split():
        yield f"experiment.py of {commit}", _git("show", f"{commit}:templates/sae/experiment.py")
    for package in PACKAGES:
        yield from packaged(package, seed, count)


def packaged(package: str, seed: int, most: int) -> Iterator[tuple[str, str]]:
    root = Path(__import__("importlib.util").util.find_spec(package).submodule_search_locations[0])
    paths = [path for path in sorted(root.rglob("*.py")) if "test" not in str(path.relative_to(root))]
    random.Random(f"{seed} {package}").shuffle(paths)
    count = 0
    for path in paths:
        text = path.read_text("utf-8", "replace")
        if count < most and re.search(r"\b(torch|transformers|datasets|numpy)\b", text) and len(text) > 2000:
            count += 1
            yield f"{package}/{path.relative_to(root)}", text


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout


# Findings in installed packages that are true: what they call is not there in the versions that the pins give. Each was
# confirmed by hand; each is a mistake of that package.
TRUE = (
    "`huggingface_hub.HfApi` has no `bucket_info`",  # datasets 5.0 wants a newer huggingface_hub for buckets
    "`huggingface_hub.HfApi` has no `create_bucket`",
    "`huggingface_hub.HfApi` has no `batch_bucket_files`",
    "`huggingface_hub.HfApi` has no `list_bucket_tree`",
    "`huggingface_hub.HfApi.hf_hub_download` takes no argument `proxies`",  # gone in huggingface_hub 1.0
    "`litellm.integrations.vector_store_integrations` has no `bedrock_vector_store`",  # imported in a function, long gone
    "`torch.distributed.checkpoint.state_dict_saver.save` takes no argument `coordinator_rank`",  # torch 2.13's own
    "`torch._subclasses.functional_tensor.FunctionalTensor` needs `mode`",  # marked so there: pyrefly: ignore
    "`torch.nn.Embedding` has no `tile`",  # transformers' D-FINE, where a query is learned
    "`torch.nn.Module.__init__` needs `self`",  # a file from which another one is generated; it is never run
)


class Asked:
    """What the experiment's interpreter says, asked once for all files, and what the template's frozen files say."""

    def __init__(self, texts: list[str]) -> None:
        self.frozen = frozen("templates/sae")
        self.toys = frozen_api.answers(
            signatures.wanted(frozen("tests/toy/template", "*.py")), frozen("tests/toy/template")
        )
        names = {name for text in texts for name in signatures.wanted({"a.py": text})}
        outside = {name for name in names if name.split(".")[0] not in ("harness", *OWN)}
        folders = fingerprint((sys.executable,)).folders
        started = time.perf_counter()
        self.told = interpreter.ask((sys.executable,), outside, folders, tier(), patience=500) or sys.exit("no answer")
        self.cold = time.perf_counter() - started
        self.names = len(outside)
        self.answers = {name: known.answer(data) for name, data in self.told.items()}
        self.answers |= frozen_api.answers({n for n in names if n.split(".")[0] == "harness"}, self.frozen)

    def findings(self, text: str, toy: bool = False) -> tuple[str, ...]:
        told = {**self.answers, **self.toys} if toy else self.answers
        return signatures.findings({}, {"experiment.py": text}, told)

    def warm(self, text: str, kept: dict[str, Any]) -> float:
        """From a file of answers on disk to the findings: what a check costs while all names are known. Best of three."""
        return min(self._warm(text, kept) for _ in range(3))

    def _warm(self, text: str, kept: dict[str, Any]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "answers.json"
            answers.keep(place, kept)
            started = time.perf_counter()
            names = signatures.wanted({"a.py": text})
            told = known.chosen(names, answers.load(place))
            told |= frozen_api.answers({n for n in names if n.startswith("harness")}, self.frozen)
            signatures.findings({"a.py": text}, {"a.py": text + "\n"}, told)
            return time.perf_counter() - started


def frozen(template: str, pattern: str = "harness/*.py") -> dict[str, str]:
    return {str(path.relative_to(ROOT / template)): path.read_text("utf-8") for path in (ROOT / template).glob(pattern)}


def tier() -> str:
    """The best sandbox that there is, or none: what is measured here are the packages, not the walls."""
    from agent.runners import tiers

    return "auto" if isinstance(tiers.choose("auto", held=False), tiers.Tier) else "none"


def measure(halves: set[str], show: bool, seed: int, count: int) -> dict[str, Any]:
    wrong = [case for case in cases("wrong") if case.half in halves]
    right = [case for case in cases("right") if case.half in halves]
    real = list(real_files(seed, count))
    asked = Asked([*(c.text for c in (*wrong, *right)), *(text for _, text in real)])
    total: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    alarms = []
    for case in wrong:
        total[f"{case.half} {case.kind}"] += 1
        said = asked.findings(case.text)
        caught[f"{case.half} {case.kind}"] += bool(said)
        if show:
            print(f"{case.kind} | {case.name}: {' // '.join(said) or 'MISSED'}")
    for case in right:
        alarms += [f"{case.half} | {case.name}: {said}" for said in asked.findings(case.text)]
    false_in_cases = len(alarms)
    said_of_real = [
        f"{name}: {said}" for name, text in real for said in asked.findings(text, name.startswith("tests/toy"))
    ]
    true = [said for said in said_of_real if any(known_one in said for known_one in TRUE)]
    alarms += [said for said in said_of_real if said not in true]
    # as many names as a long study comes to: those of all cases and of the large file
    big = max((text for name, text in real if text.count("\n") <= 700), key=len)
    long = {
        name for text in (*(case.text for case in (*wrong, *right)), big) for name in signatures.wanted({"a.py": text})
    }
    kept = {name: data for name, data in asked.told.items() if name in long or name.startswith("pool ")}
    return {
        "caught": {kind: f"{caught[kind]}/{total[kind]}" for kind in sorted(total)},
        "right cases": len(right), "false alarms in them": false_in_cases,
        "real files": len(real), "true findings in them": len(true),
        "false alarms in real files": len(alarms) - false_in_cases, "alarms": alarms,
        "names asked": asked.names, "cold seconds": round(asked.cold, 1),
        "warm seconds": round(asked.warm((ROOT / "templates/sae/experiment.py").read_text("utf-8"), kept), 3),
        "warm seconds, largest file": round(asked.warm(big, kept), 3), "its lines": big.count("\n"), "names kept": len(kept),
    }  # fmt: skip


def passed(result: dict[str, Any]) -> bool:
    counted = {kind: tuple(map(int, text.split("/"))) for kind, text in result["caught"].items()}
    for kind, (found, of) in counted.items():
        bar = OPEN_BAR if kind.endswith("open") else 1.0
        if found < bar * of:
            return False
    return not result["alarms"] and max(result["warm seconds"], result["warm seconds, largest file"]) < WARM_BAR


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--half", choices=("tuning", "unseen"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", type=int, default=FILES_PER_PACKAGE, help="of each installed package")
    parser.add_argument("--show", action="store_true", help="what is said about each wrong case")
    options = parser.parse_args()
    result = measure(
        {options.half} if options.half else {"tuning", "unseen"}, options.show, options.seed, options.files
    )
    if options.json:
        print(json.dumps(result, indent=1))
    else:
        for key, value in result.items():
            print(f"{key}:", *([value] if not isinstance(value, (dict, list)) else _lines(value)))
    return 0 if passed(result) else 1


def _lines(value: Any) -> list[str]:
    rows = [f"{k}: {v}" for k, v in value.items()] if isinstance(value, dict) else value
    return [f"\n  {row}" for row in rows]


if __name__ == "__main__":
    sys.exit(main())
