"""Asks the experiment's interpreter what there is and how it is called: one process for many names, with a time limit.

To look is to import, and to import is to run code: the libraries are the user's own, but which of them is imported is the
coder's choice. So the process stands behind the same walls as a run, without network, with a home of its own. Python's
isolated mode keeps the study's folder off its path: an editable `torch.py` is not imported. GPUs are hidden from it.
No answer (no sandbox, no time, a crash) is no answer about anything, and never held against the coder. Libraries are
asked one after the other; what was said before one hangs or ends the process counts.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from agent.core import open_names
from agent.core.job import Command, Job, Limits, Reach
from agent.runners import asking, sandbox, tiers
from agent.runners.asking.main import MARK
from agent.runners.sandbox import Prepared, descriptors

PATIENCE = 120.0  # importing torch and transformers takes about ten seconds, on a cold disk a minute
QUESTION = asking.program()
_BEAT = 0.2  # seconds from one pulse to the next
_OFFLINE = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "MPLBACKEND": "Agg"}


def ask(
    prefix: Sequence[str],
    names: Iterable[str],
    folders: Sequence[str] = (),
    wanted: str = "auto",
    patience: float = PATIENCE,
    pulse: Callable[[], None] = lambda: None,
) -> dict[str, Any] | None:
    """Path → answer (JSON, core.known reads it), or None. `folders`: where the interpreter and its packages lie.

    `pulse` is called while an answer is awaited; what it raises ends the waiting.
    """
    tier = tiers.choose(wanted, held=False)
    if not isinstance(tier, tiers.Tier):
        return None
    groups = _by_library(names)
    question = json.dumps({"names": groups, **open_names.to_json()})
    with tempfile.TemporaryDirectory(prefix="ai-scientist-signatures-", ignore_cleanup_errors=True) as folder:
        attempt = Path(folder).resolve()
        for own in (sandbox.HOME_FOLDER, sandbox.TEMPORARY_FOLDER):
            (attempt / own).mkdir()
        command = Command("signatures", (*prefix, "-I", "-c", QUESTION), reach=Reach(readable=tuple(folders)))
        job = Job((command,), "/", dict(_OFFLINE), sandbox=tier.name, limits=Limits())
        made = sandbox.prepare(command, job, attempt, os.environ, "", tier.name)
        if not isinstance(made, Prepared):
            return None
        return _answers(*_said(made, question, patience, pulse), groups)


def _by_library(names: Iterable[str]) -> list[list[str]]:
    key = re.compile(r"\w*")
    return [list(group) for _, group in itertools.groupby(sorted(names), lambda name: key.match(name)[0])]  # type: ignore[index]


def _said(made: Prepared, question: str, patience: float, pulse: Callable[[], None]) -> tuple[str, bool]:
    """What the process said, and whether it ended by itself."""
    with descriptors(made) as (argv, inherited), tempfile.TemporaryFile() as asked:
        asked.write(question.encode())  # a file, for a pipe that is full would have to be fed while we wait
        asked.seek(0)
        try:
            process = subprocess.Popen(
                argv, cwd="/", env=made.env, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                text=True, encoding="utf-8", errors="replace", pass_fds=inherited, start_new_session=True,
            )  # fmt: skip
        except OSError:
            return "", False
    with process:
        try:
            return _awaited(process, patience, pulse)
        finally:
            _end(process)  # whatever a library has started goes with it


def _awaited(process: subprocess.Popen[str], patience: float, pulse: Callable[[], None]) -> tuple[str, bool]:
    end = time.monotonic() + patience
    while (left := end - time.monotonic()) > 0:
        pulse()
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=min(_BEAT, left))[0], True
    _end(process)
    return process.communicate()[0], False


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGKILL)


def _answers(said: str, ended: bool, groups: list[list[str]]) -> dict[str, Any] | None:
    """What was said in whole lines. The library at which the process ended by itself is not worth another try."""
    told: dict[str, Any] = {}
    heard = 0
    for line in said.splitlines():
        if line.startswith(MARK):
            try:
                told |= json.loads(line[len(MARK) :])
            except (ValueError, TypeError):
                break  # the end of it is missing
            heard += 1
    if ended and 0 < heard <= len(groups):
        told |= {name: {"is": "unknown"} for name in groups[heard - 1]}
    return told if heard else None
