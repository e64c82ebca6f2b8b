"""The method's own code, asked from outside: `encode`, and what probes.py measures.

    with Method(code) as method:
        method.encode("seed_0_language", x)  → latents, as a sparse matrix [rows, dictionary]

The code is the coder's, so it runs in a process of its own, which gets activations and gives numbers back, and which can
neither read the held-out documents nor write a file (sealed.py). Fork it before anything secret is in memory. What comes
back is taken as plain numbers, never as objects: JSON for words; of latents only those that are not zero, as their places
[rows · dictionary] and values, which are looked at before they are believed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import struct
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from scipy.sparse import csr_matrix, vstack

from harness import report, sealed
from harness.report import Refused

ROWS = 4096  # at a time
PATIENCE = 120.0  # seconds for one answer
_LONGEST = 1 << 28  # bytes of one answer
_GONE = "the method's code ended while it was asked for latents"


class Method:
    """`files`: weights by name. `module`: the file with the method's code, which has `load(weights, config, l0)`."""

    def __init__(self, module: Path, files: dict[str, Path], held_out: Path) -> None:
        self.scratch = tempfile.TemporaryDirectory(prefix="method-")
        (theirs_in, ours_out), (ours_in, theirs_out) = os.pipe(), os.pipe()
        sys.stdout.flush()
        self.process = os.fork()
        if self.process == 0:
            os.close(ours_in), os.close(ours_out)
            _serve(module, files, held_out, Path(self.scratch.name), theirs_in, theirs_out)
        os.close(theirs_in), os.close(theirs_out)
        self._out, self._in = os.fdopen(ours_out, "wb"), ours_in
        self.confined = self._answer()["confined"]

    def __enter__(self) -> Method:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        with contextlib.suppress(BrokenPipeError):
            self._out.close()
        os.close(self._in)
        self.scratch.cleanup()

    def encode(self, name: str, x: torch.Tensor) -> csr_matrix:
        parts = [self._encode(name, part) for part in x.split(ROWS)]
        return vstack(parts, format="csr")

    def _encode(self, name: str, x: torch.Tensor) -> csr_matrix:
        self._ask({"do": "encode", "name": name}, x)
        answer = self._answer()
        rows, latents, active = answer["rows"], answer["latents"], answer["active"]
        places = np.frombuffer(self._bytes(active * 8), np.int64)
        values = np.frombuffer(self._bytes(active * 4), np.float32)
        if rows != len(x):
            raise Refused(f"{name}: encode was given {len(x)} rows and returned {rows}")
        if not np.isfinite(values).all():
            raise Refused(f"{name}: encode returned values that are not finite")
        return matrix(rows, latents, places, values)

    def probe(self, module: Path, name: str, x: torch.Tensor) -> dict[str, float]:
        """What `probe(sae, x)` of probes.py says of x [S, T, d]: numbers by name."""
        self._ask({"do": "probe", "name": name, "module": str(module)}, x)
        return self._answer()["measured"]

    def _ask(self, request: dict[str, Any], x: torch.Tensor) -> None:
        try:
            _send(self._out, {**request, "shape": list(x.shape)}, x.numpy())
        except BrokenPipeError:
            raise Refused(_GONE) from None

    def _answer(self) -> dict[str, Any]:
        answer = json.loads(self._bytes(struct.unpack("=I", self._bytes(4))[0]))
        if "raised" in answer:  # the frames are the method's: they are what its author needs
            print(answer["raised"], end="", file=sys.stderr, flush=True)
            raise SystemExit(1)
        return answer

    def _bytes(self, count: int) -> bytes:
        if count > _LONGEST:
            raise Refused("the method's answer is too long")
        found = bytearray()
        while len(found) < count:
            if not select.select([self._in], [], [], PATIENCE)[0]:
                raise Refused(f"the method did not answer within {PATIENCE:g} s")
            piece = os.read(self._in, min(count - len(found), 1 << 20))
            if not piece:
                raise Refused(_GONE)
            found += piece
        return bytes(found)


def matrix(rows: int, latents: int, places: np.ndarray, values: np.ndarray) -> csr_matrix:
    """[rows, latents] with `values` at `places`, counted along the rows; each place once, in order."""
    if len(places) and (places[0] < 0 or places[-1] >= rows * latents or (np.diff(places) <= 0).any()):
        raise Refused("the method's process named places for its latents that are not there, or are there twice")
    ends = np.searchsorted(places, latents * np.arange(rows + 1))
    return csr_matrix((values, places % max(1, latents), ends), shape=(rows, latents))


# --- in the other process ----------------------------------------------------------------------------------------------


def _serve(module: Path, files: dict[str, Path], held_out: Path, scratch: Path, inward: int, outward: int) -> None:
    out = os.fdopen(os.dup(outward), "wb")
    try:
        os.setpgid(0, 0)
        requests = os.fdopen(os.dup(inward), "rb")
        os.dup2(2, 1)  # what the code prints is for people, not an answer
        os.environ.update(TMPDIR=str(scratch), HOME=str(scratch))
        _send(out, {"confined": sealed.keep_out(held_out, scratch)})
        saes: dict[str, Any] = {}
        while (request := _receive(requests)) is not None:
            x = torch.from_numpy(np.frombuffer(requests.read(4 * int(np.prod(request["shape"]))), np.float32).copy())
            _reply(out, request, x.view(request["shape"]), _sae(module, files, saes, request["name"]))
    except BaseException:  # noqa: BLE001  whatever the method's code does
        with contextlib.suppress(OSError):
            _send(out, {"raised": traceback.format_exc()[-20_000:]})
    os._exit(0)


@torch.no_grad()
def _reply(out: BinaryIO, request: dict[str, Any], x: torch.Tensor, sae: Any) -> None:
    if request["do"] == "encode":
        latents = sae.encode(x).detach().to(torch.float32).contiguous().numpy()
        rows, width = latents.shape
        places = np.flatnonzero(latents != 0)  # what is no number is not zero, too
        values = latents.reshape(-1)[places]
        _send(out, {"rows": rows, "latents": width, "active": len(places)}, places.astype(np.int64), values)
        return
    measured = _imported("probes", Path(request["module"])).probe(sae, x)
    _send(out, {"measured": {str(name): float(value) for name, value in measured.items()}})


def _sae(module: Path, files: dict[str, Path], saes: dict[str, Any], name: str) -> Any:
    if name not in saes:
        saved = report.read(files[name])
        saes[name] = _imported("experiment", module).load(saved.weights, saved.config, saved.l0)
    return saes[name]


_modules: dict[Path, Any] = {}


def _imported(name: str, path: Path) -> Any:
    if path not in _modules:
        specification = importlib.util.spec_from_file_location(name, path)
        assert specification and specification.loader
        _modules[path] = importlib.util.module_from_spec(specification)
        sys.modules[name] = _modules[path]  # dataclasses look their module up
        specification.loader.exec_module(_modules[path])
    return _modules[path]


def _send(out: BinaryIO, words: dict[str, Any], *arrays: np.ndarray) -> None:
    text = json.dumps(words).encode()
    out.write(struct.pack("=I", len(text)) + text)
    for array in arrays:
        out.write(np.ascontiguousarray(array).data)
    out.flush()


def _receive(requests: BinaryIO) -> dict[str, Any] | None:
    head = requests.read(4)
    return json.loads(requests.read(struct.unpack("=I", head)[0])) if len(head) == 4 else None
