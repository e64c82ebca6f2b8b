"""Make the logs again: `python -m tests.logs.make [NAME…]`. Needs root for a full disk, a small memory and no network.

Each failure is caused by running the experiment in a folder of its own. What depends on the machine is replaced: the
folder becomes /study, the interpreter's folders /venv and /usr/lib, the server on the loopback https://huggingface.co.
Those that cannot be caused here (GPUs, schedulers, the kernel's killer) are in `written.py`, after the usual wording.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tests.logs import FOLDER, ROOT, caused_code, caused_later, caused_machine, caused_network, written
from tests.logs.servers import misbehaving
from tests.logs.spec import Spec

LONGEST = 240.0  # seconds; the hub's library has much patience
TOGETHER = 8  # most of the time they wait


def cause(spec: Spec, root: Path) -> tuple[int | None, str, str]:
    """(exit code as subprocess tells it, or None after the time limit; stdout, stderr)."""
    for name, text in {**spec.template, **spec.edit}.items():
        if name not in spec.missing:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
    if "harness/corpus.npy" not in spec.missing:
        np.save(root / "harness" / "corpus.npy", np.arange(12.0))
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    with misbehaving(spec.hub or "refused") as endpoint:
        env = {
            "PATH": os.environ["PATH"], "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1",
            "HF_HUB_ETAG_TIMEOUT": "1", "HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1", "ENDPOINT": endpoint, "TMPDIR": str(home), **({"HF_ENDPOINT": endpoint} if spec.hub else {}),
        }  # fmt: skip
        env.update({key: value.replace("{endpoint}", endpoint) for key, value in spec.env.items()})
        argv = [
            *(w.replace("{root}", str(root)) for w in spec.wrap),
            sys.executable,
            "experiment.py",
            "--out_dir=run_1",
        ]
        job = subprocess.Popen(
            argv, cwd=root, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        try:
            wait = spec.signal_after[1] if spec.signal_after else LONGEST
            out, err = job.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            number = spec.signal_after[0] if spec.signal_after else signal.SIGKILL
            os.kill(job.pid, number)
            out, err = job.communicate(timeout=LONGEST)
            code = job.returncode if spec.signal_after else None
        else:
            code = job.returncode
    return code, *(plain(data.decode("utf-8", "replace"), root, endpoint) for data in (out, err))


def plain(text: str, root: Path, endpoint: str) -> str:
    """Without what only this machine has."""
    port = endpoint.rsplit(":", 1)[1]
    text = text.replace(f"http://127.0.0.1:{port}", "https://huggingface.co")
    text = text.replace(endpoint, "https://huggingface.co").replace(f"127.0.0.1:{port}", "huggingface.co:443")
    text = text.replace(f"host='127.0.0.1', port={port}", "host='huggingface.co', port=443")
    text = text.replace(str(root), ROOT).replace(str(root.parent), "/scratch")
    text = text.replace(sys.prefix, "/venv").replace(sysconfig.get_paths()["stdlib"], "/usr/lib/python3.11")
    text = text.replace(sys.base_prefix, "/usr").replace(str(Path(__file__).parents[2]), "/opt/tool")
    return re.sub(r"\b0x[0-9a-f]{8,}\b", "0x7f0000000000", text)


def cut(text: str, way: str) -> str:
    if way == "front":  # what a tail of 1,500 characters leaves
        return text[-1500:]
    if way == "end":
        return text[: text.rindex("\n", 0, len(text) - 2)]
    if way == "noise":
        return text + "".join(f"[{i:5d}] worker 3: waiting for the queue to drain\n" for i in range(3000))
    return text


def write(name: str, about: dict[str, object], stdout: str, stderr: str) -> None:
    (FOLDER / f"{name}.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    for suffix, text in ((".stdout", stdout), (".stderr", stderr)):
        path = FOLDER / f"{name}{suffix}"
        path.unlink(missing_ok=True)
        if text:
            path.write_bytes(text.encode())


def make(spec: Spec) -> None:
    with tempfile.TemporaryDirectory() as place:
        (root := Path(place) / "study").mkdir()
        code, out, err = cause(spec, root)
    late = code is None
    exit_code, number = (None, None) if code is None else (code, None) if code >= 0 else (None, -code)
    about = {
        "expected": spec.expected, "why": spec.why, "made": "caused", "ending": "timeout" if late else spec.ending,
        "exit_code": spec.exit_code if spec.exit_code is not None else exit_code,
        "signal": None if spec.exit_code is not None else number,
        "detail": spec.detail, "network": spec.network, "baseline": spec.baseline,
        "edit": spec.edit, "template": spec.template,
    }  # fmt: skip
    write(spec.name, about, out, cut(err, spec.cut))
    last = (err.strip() or "-").splitlines()[-1][:120]
    print(f"{spec.name:45}{spec.expected:12}{about['exit_code']!s:>5}{about['signal']!s:>6}  {last}", flush=True)


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    specs = [*caused_code.SPECS, *caused_machine.SPECS, *caused_network.SPECS, *caused_later.SPECS]
    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(make, [spec for spec in specs if not names or spec.name in names]))
    for name, about, stdout, stderr in written.CASES:
        if not names or name in names:
            write(name, about, stdout, stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
