"""From a template's [environment] to the command line that starts the experiment's interpreter.

Nothing set: the interpreter that runs this program. `python`: a path or a name on PATH. `wrapper`: a program and its
arguments in front of "python". `uv`: a requirements file, from which a virtual environment is made once and kept in the
cache. The template's model allows one of the three.

A cached environment is built under a temporary name and renamed when it is complete: a crash leaves nothing that could
be taken for one, and two builders at once do not disturb each other. Its key is the requirements file's contents and
the Python version. Limit: files that the requirements file includes (`-r other.txt`) are not part of the key.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from agent.core.errors import InputProblem

BUILD_PATIENCE = 3600.0  # torch with CUDA is 3 GB


class Environment(Protocol):
    """The part of a template's [environment] that matters here; the template's own model fits."""

    @property
    def python(self) -> str | None: ...
    @property
    def uv(self) -> str | None: ...
    @property
    def wrapper(self) -> tuple[str, ...]: ...


def resolve(environment: Environment, cache: Path, folder: Path | None = None) -> tuple[str, ...]:
    """The argv prefix of the experiment's interpreter. Relative paths are meant from `folder`, the template's."""
    folder = folder or Path.cwd()
    if environment.uv:
        return (str(_with_uv(folder / environment.uv, cache)),)
    if environment.wrapper:
        program = _find(environment.wrapper[0], folder, "wrapper")
        return (program, *environment.wrapper[1:], "python")
    if environment.python:
        return (_find(environment.python, folder, "python"),)
    return (sys.executable,)


def _find(name: str, folder: Path, key: str) -> str:
    path = Path(name).expanduser()
    found = shutil.which(name) if path.name == name else shutil.which(str(folder / path))
    if found is None:
        raise InputProblem(
            f"[environment] {key}: '{name}' is no program that can be started here.",
            "Install it or correct the path in template.toml.",
        )
    return found


def _with_uv(requirements: Path, cache: Path) -> Path:
    try:
        contents = requirements.read_bytes()
    except OSError as problem:
        raise InputProblem(
            f"[environment] uv: the requirements file {requirements} cannot be read ({problem.strerror}).",
            "Correct the path in template.toml.",
        ) from None
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    key = hashlib.sha256(version.encode() + b"\0" + contents).hexdigest()[:16]
    finished = cache / f"uv-{key}"
    if not finished.is_dir():
        _build(requirements, finished)
    return finished / "bin" / "python"


def _build(requirements: Path, finished: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise InputProblem(
            "[environment] uv: the program uv is not installed.",
            "Install it with `pip install uv`, or set `python` in template.toml to an interpreter that has everything.",
        )
    finished.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="uv-building-", dir=finished.parent) as temporary:
        building = Path(temporary) / "environment"
        python = building / "bin" / "python"
        _call(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(building))
        _call(uv, "pip", "install", "--quiet", "--python", str(python), "--requirement", str(requirements))
        try:
            building.rename(finished)
        except OSError:
            if not finished.is_dir():  # somebody else's build got there first, and is as good as ours
                raise


def _call(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=BUILD_PATIENCE)
    except subprocess.TimeoutExpired:
        words = f"it was not done after {BUILD_PATIENCE:g} s"
    else:
        if done.returncode == 0:
            return
        words = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1].strip()
    raise InputProblem(
        f"[environment] uv: `{' '.join(command[:3])} …` failed: {words}",
        "Try the requirements file by hand with `uv pip install -r`, then correct it.",
    )
