"""The experiment's interpreter is found, asked, and its absence explained."""

from __future__ import annotations

import json
import os
import platform
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.core.errors import InputProblem
from agent.runners.inspect import fingerprint
from agent.runners.interpreters import resolve


@dataclass(frozen=True)
class Environment:
    python: str = ""
    uv: str = ""
    wrapper: tuple[str, ...] = ()


def program(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def on_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def test_this_interpreter_says_what_it_is_without_importing_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = fingerprint((sys.executable,))
    assert found.python == platform.python_version()
    assert (found.implementation, found.processors) == (sys.implementation.name, os.cpu_count())
    assert found.torch is not None and found.torch[0].isdigit()
    assert found.omp_num_threads == "3"
    assert json.loads(json.dumps(found.to_json()))["platform"] == found.platform


def test_two_askings_agree() -> None:
    assert fingerprint((sys.executable,)) == fingerprint((sys.executable,))


def test_a_wrapper_that_talks_does_not_disturb(tmp_path: Path) -> None:
    wrapper = program(tmp_path / "wrap", 'echo "INFO: starting container"; exec "$@"')
    assert fingerprint((wrapper, sys.executable)) == fingerprint((sys.executable,))


def test_gpu_names_come_from_nvidia_smi_and_its_failure_is_not_taken_for_no_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path(tmp_path, monkeypatch)
    program(tmp_path / "nvidia-smi", "echo 'NVIDIA H200'; echo 'NVIDIA A100'")
    assert fingerprint((sys.executable,)).gpus == ("NVIDIA A100", "NVIDIA H200")
    program(tmp_path / "nvidia-smi", "exit 9")
    assert fingerprint((sys.executable,)).gpus == ("unknown: nvidia-smi ended with exit code 9",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("echo broken image >&2; exit 125", "exit code 125 and did not answer: broken image"),
        ("exec sleep 30", "did not answer within 0.3 s"),
    ],
)
def test_an_interpreter_that_does_not_answer_is_an_input_problem(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InputProblem, match=words) as caught:
        fingerprint((program(tmp_path / "wrap", text), "python"), patience=0.3)
    assert "[environment]" in caught.value.hint


def test_an_interpreter_that_is_not_there_is_an_input_problem() -> None:
    with pytest.raises(InputProblem, match="could not be started"):
        fingerprint(("/no/such/python",))


def test_python_is_ours_a_name_a_path_or_behind_a_wrapper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path(tmp_path / "bin", monkeypatch)
    lab = program(tmp_path / "bin" / "lab-python", "exec python")
    assert resolve(Environment(), tmp_path) == (sys.executable,)
    assert resolve(Environment(python="lab-python"), tmp_path) == (lab,)
    assert resolve(Environment(python="bin/lab-python"), tmp_path, folder=tmp_path) == (lab,)
    assert resolve(Environment(python=lab), tmp_path) == (lab,)
    assert resolve(Environment(wrapper=("lab-python", "exec", "lab.sif")), tmp_path) == (
        lab,
        "exec",
        "lab.sif",
        "python",
    )


@pytest.mark.parametrize(
    "environment",
    [Environment(python="no-such-python"), Environment(wrapper=("no-such-wrapper",)), Environment(uv="missing.txt")],
)
def test_what_is_missing_is_an_input_problem(tmp_path: Path, environment: Environment) -> None:
    with pytest.raises(InputProblem):
        resolve(environment, tmp_path, folder=tmp_path)


def test_without_uv_the_user_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "requirements.txt").write_text("torch\n")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputProblem, match="uv is not installed") as caught:
        resolve(Environment(uv="requirements.txt"), tmp_path / "cache", folder=tmp_path)
    assert "pip install uv" in caught.value.hint


FAKE_UV = """
echo "$@" >> {log}
if [ "$1" = venv ]; then for last; do :; done; mkdir -p "$last/bin"; touch "$last/bin/python"; fi
if [ "$1" = pip ] && grep -q impossible {requirements}; then echo "no such package" >&2; exit 1; fi
"""


def test_uv_builds_once_per_requirements_and_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, requirements, cache = tmp_path / "log", tmp_path / "requirements.txt", tmp_path / "cache"
    program(tmp_path / "bin" / "uv", FAKE_UV.format(log=log, requirements=requirements))
    on_path(tmp_path / "bin", monkeypatch)
    asked = Environment(uv="requirements.txt")
    requirements.write_text("impossible\n")
    with pytest.raises(InputProblem, match="no such package"):
        resolve(asked, cache, folder=tmp_path)
    assert list(cache.iterdir()) == []
    requirements.write_text("torch\n")
    (first,) = resolve(asked, cache, folder=tmp_path)
    (second,) = resolve(asked, cache, folder=tmp_path)
    assert first == second and Path(first).exists()
    assert len(log.read_text().splitlines()) == 4
    requirements.write_text("torch==2\n")
    assert resolve(asked, cache, folder=tmp_path) != (first,)
    assert len(list(cache.iterdir())) == 2
