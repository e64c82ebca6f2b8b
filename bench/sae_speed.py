"""Training steps of a TopK sparse autoencoder on the CPU: the SAE template's beside SAELens, dictionary_learning, sparsify.

Run from the project's folder: python bench/sae_speed.py --install, once: a virtual environment for the libraries, in the
user's cache (240 MB to download, 1.2 GB on disk). Then: python bench/sae_speed.py [--size large|tiny] [--threads N]
[--rounds N] [--json]. Exit code 1 if the template's kernels, with the same work in a step as the fastest library, are not
1.3 times as fast in CPU time at the large size.

The competitors take turns in one process (bench/sae_speed_steps.py says what each does in a step); ratios are taken
within a round, their mean is geometric, the interval 95 % by Student's t. CPU time counts all threads, and they sleep
while they wait for each other (OMP_WAIT_POLICY=passive): what others do on the machine disturbs it least.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from platformdirs import user_cache_path

from bench.sandbox import interval

BAR = 1.3
PLACE = user_cache_path("ai-scientist") / "bench-sae-speed"
PYTHON = PLACE / "bin" / "python"
STEPS = Path(__file__).with_name("sae_speed_steps.py")
OURS = "ours, the template's step"
EQUAL = {  # whose work in a step ours repeats; for the others it is the template's step, the nearest to theirs
    "sparsify": "ours, sparsify's work",
    "sparsify, fused Adam": "ours, sparsify's work, fused Adam",
}

# Only what a training step imports, each without what it asks for itself.
TORCH = "torch==2.13.0 filelock fsspec jinja2 markupsafe mpmath networkx sympy typing_extensions setuptools numpy"
SHARED = (
    "transformers==5.3.* huggingface-hub>=1.3,<2 tokenizers>=0.22,<=0.23.0 safetensors regex tqdm packaging pyyaml einops "
    "simple-parsing docstring-parser httpx httpcore h11 anyio sniffio certifi idna"
)
LIBRARIES = {
    "sae-lens==6.54.12": "transformer-lens>=3,<4 jaxtyping wadler-lindig better-abc fancy-einsum",
    "dictionary-learning==0.1.0": "",
    "eai-sparsify==1.3.3": "natsort schedulefree accelerate psutil",
}
LARGEST = {"torch": 250, "any other": 30}  # MB: nothing that is built for a GPU


def install() -> int:
    subprocess.run([sys.executable, "-m", "venv", "--clear", PLACE], check=True)
    if problem := add(f"{TORCH} {SHARED}"):
        print(f"cannot install what all need: {problem}", file=sys.stderr)
        return 1
    for library, needs in LIBRARIES.items():
        problem = add(f"{library} {needs}")
        print(f"{library}: {problem or 'installed'}")
    return 0


def add(packages: str) -> str | None:
    """Downloads the packages, looks at their sizes, installs them; or says why not."""
    pip = [PYTHON, "-m", "pip", "-q", "--disable-pip-version-check"]
    with tempfile.TemporaryDirectory() as folder:
        fetched = quiet([*pip, "download", "--no-deps", "--no-cache-dir", "-d", folder, *packages.split()])
        if fetched:
            return fetched
        files = sorted(Path(folder).iterdir(), key=lambda file: -file.stat().st_size)
        for file in files:
            name, size = file.name.partition("-")[0], file.stat().st_size / 1e6
            print(f"{size:>8.1f} MB  {file.name}")
            if size > LARGEST.get(name, LARGEST["any other"]):
                hint = " (a CUDA build? point pip to a CPU build with PIP_FIND_LINKS)" if name == "torch" else ""
                return f"{file.name} has {size:.0f} MB, too many{hint}"
        return quiet([*pip, "install", "--no-deps", "--no-index", *files])


def quiet(command: list[Any]) -> str | None:
    """None, or the last line of what went wrong."""
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1] if done.returncode else None


def measured(size: str, threads: int, rounds: int) -> tuple[dict[str, dict[str, list[float]]], dict[str, Any]]:
    """Seconds of a step by competitor and clock, one for each round; and who was left out, versions."""
    settings = {"OMP_WAIT_POLICY": "passive", "WANDB_MODE": "disabled", "HF_HUB_OFFLINE": "1"}
    command = [PYTHON, "-W", "ignore", STEPS, size, str(threads), str(rounds)]
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: {"cpu": [], "wall": []})
    facts: dict[str, Any] = {"left_out": {}}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | settings) as process:
        for line in process.stdout or ():
            if not line.startswith("{"):  # a library says something
                continue
            told = json.loads(line)
            if "name" in told:
                for clock in ("cpu", "wall"):
                    found[told["name"]][clock].append(told[clock])
            elif "left_out" in told:
                facts["left_out"][told["left_out"]] = told["reason"]
            else:
                facts |= told
    if process.returncode:
        sys.exit(f"{STEPS.name} failed with exit code {process.returncode}; its error stands above")
    return found, facts


def report(found: dict[str, dict[str, list[float]]]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for name, seconds in found.items():
        ours = found[EQUAL.get(name, OURS)]
        rows[name] = {clock: statistics.median(seconds[clock]) for clock in ("cpu", "wall")}
        if not name.startswith("ours"):
            for clock in ("cpu", "wall"):
                rows[name][f"{clock}_ratio"] = ratio(seconds[clock], ours[clock])
            rows[name]["template_ratio"] = ratio(seconds["cpu"], found[OURS]["cpu"])
    return rows


def ratio(theirs: list[float], ours: list[float]) -> tuple[float, float, float]:
    return interval([a / b for a, b in zip(theirs, ours, strict=True)])


def show(rows: dict[str, dict[str, Any]]) -> None:
    print(
        f"{'a step':<36}{'CPU':>10}{'wall':>10}{'':4}{'CPU: this / ours at equal work':<34}this / the template's step"
    )
    for name, row in rows.items():
        told = (f"{row['cpu'] * 1e3:>7.1f} ms{row['wall'] * 1e3:>7.1f} ms{'':4}"
                f"{between(row.get('cpu_ratio')):<34}{between(row.get('template_ratio'))}")  # fmt: skip
        print(f"{name:<36}{told}")


def between(ratio: tuple[float, float, float] | None) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*ratio) if ratio else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--install", action="store_true", help="make the environment and stop")
    parser.add_argument("--size", choices=["large", "tiny"], default="large")
    parser.add_argument("--threads", type=int, default=None, help="2 at the large size, 1 at the tiny one")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.install:
        return install()
    if not PYTHON.exists():
        parser.error("there is no environment with the other libraries yet: python bench/sae_speed.py --install")
    if options.rounds < 5:
        parser.error("at least 5 rounds")
    threads = options.threads or {"large": 2, "tiny": 1}[options.size]
    found, facts = measured(options.size, threads, options.rounds)
    rows = report(found)
    peers = [name for name in rows if not name.startswith("ours")]
    fastest = min(peers, key=lambda name: rows[name]["cpu"])
    missed = options.size == "large" and rows[fastest]["cpu_ratio"][0] < BAR
    if options.json:
        print(json.dumps({"bar": BAR, "fastest": fastest, "threads": threads, **facts, "rows": rows}))
        return int(missed)
    print(f"size {options.size}, threads {threads}, {options.rounds} rounds", facts["versions"])
    show(rows)
    for name, reason in facts["left_out"].items():
        print(f"left out: {name}: {reason}")
    print(f"fastest of the others: {fastest}; bar at the large size: {BAR} in CPU time at equal work")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
