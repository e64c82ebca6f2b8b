"""What would run an experiment here: the interpreter's signature, asked from the experiment's own interpreter.

It is one half of the key under which baselines are cached (the other is the template's), so it names what can change a
measured number: Python, torch, C library, processor, GPUs, threads. torch is not imported; its version is read from
its package metadata. Limit: other packages' versions, drivers and clock speeds are not part of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.errors import InputProblem
from agent.runners.sandbox import scrubbed

PATIENCE = 60.0  # a container's first start takes its time
MARK = "ai-scientist-interpreter:"  # wrappers may print lines of their own

# Runs in the experiment's interpreter, which may be old: Python 3.6 is enough.
QUESTION = """
import json, os, platform, sys
try:
    from importlib.metadata import version
    torch = version("torch")
except Exception:
    torch = None
processor = ""
try:
    with open("/proc/cpuinfo") as lines:
        processor = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
except OSError:
    pass
print("%s" + json.dumps({
    "python": platform.python_version(), "executable": sys.executable, "implementation": sys.implementation.name,
    "platform": " ".join(part for part in (platform.system(), platform.machine(), *platform.libc_ver()) if part),
    "torch": torch, "processor": processor or platform.processor(), "processors": os.cpu_count() or 0,
    "omp_num_threads": os.environ.get("OMP_NUM_THREADS", ""),
    "folders": sorted({os.path.realpath(p) for p in [sys.prefix, sys.base_prefix, sys.exec_prefix] + [
        p for p in sys.path if "-packages" in p] if os.path.isdir(p)} | {p for p in [sys.prefix] if os.path.isdir(p)}),
}))
"""


@dataclass(frozen=True)
class Interpreter:
    python: str  # "3.11.7"
    executable: str
    implementation: str  # "cpython"
    platform: str  # "Linux x86_64 glibc 2.36": without the kernel's version, which changes no number
    torch: str | None  # "2.13.0+cpu"
    processor: str
    processors: int
    omp_num_threads: str  # "" if not set
    folders: tuple[str, ...] = ()  # where it and its packages lie
    gpus: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def fingerprint(prefix: Sequence[str], patience: float = PATIENCE) -> Interpreter:
    """Ask the interpreter that `prefix` starts: ("/usr/bin/python3",), or a wrapper and "python"."""
    asked = " ".join(prefix)
    environment = scrubbed(os.environ)
    if "HOME" in os.environ:  # containers keep their settings there
        environment["HOME"] = os.environ["HOME"]
    try:
        answer = subprocess.run(
            [*prefix, "-I", "-c", QUESTION % MARK],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=patience,
        )
    except subprocess.TimeoutExpired:
        raise _problem(asked, f"did not answer within {patience:g} s") from None
    except OSError as problem:
        raise _problem(asked, f"could not be started ({problem.strerror or problem})") from None
    for line in answer.stdout.splitlines():
        if line.startswith(MARK):
            told = json.loads(line[len(MARK) :])
            return Interpreter(**{**told, "folders": tuple(told["folders"])}, gpus=_gpu_names())
    words = (answer.stderr.strip() or answer.stdout.strip() or "no output").splitlines()[-1]
    raise _problem(asked, f"ended with exit code {answer.returncode} and did not answer: {words}")


def _problem(asked: str, what: str) -> InputProblem:
    return InputProblem(
        f"The experiment's interpreter '{asked}' {what}.",
        f"Try `{asked} --version` yourself, then correct [environment] in template.toml.",
    )


def _gpu_names() -> tuple[str, ...]:
    """Names of all GPUs of the machine. A tool that fails is part of the answer: it must not look like "no GPU"."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    try:
        listing = subprocess.run(
            [program, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20.0
        )
    except (OSError, subprocess.TimeoutExpired):
        return ("unknown: nvidia-smi did not answer",)
    if listing.returncode != 0:
        return (f"unknown: nvidia-smi ended with exit code {listing.returncode}",)
    return tuple(sorted(line.strip() for line in listing.stdout.splitlines() if line.strip()))
