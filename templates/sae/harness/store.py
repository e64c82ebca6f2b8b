"""Large arrays that are made once and memory-mapped by whoever needs them.

`mapped(name, rows, width, parts)` → [rows, width]. `parts` are functions; each yields pieces that follow one another, and
they are worked on side by side. The file is made beside its final name, and renamed when it is whole; its checksum is looked
at before it is used again. So a crash or a full disk leaves nothing that could be taken for good. Writing into the array
reaches no file.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Part = tuple[int, Callable[[], Iterator[Tensor]]]  # its first row, and what makes its pieces


def folder() -> Path:
    """$SAE_CACHE, else below the user's cache folder; inside a sandbox that is the attempt's own."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SAE_CACHE") or Path(base) / "ai-scientist-sae")


def mapped(name: str, rows: int, width: int, parts: Sequence[Part]) -> Tensor:
    path, size = folder() / f"{name}.f32", rows * width * 4
    if not _whole(path, size):
        _make(path, size, width, parts)
    return torch.from_numpy(np.memmap(path, np.float32, "c")).view(rows, width)


def _whole(path: Path, size: int) -> bool:
    try:
        known = json.loads(path.with_suffix(".json").read_text("ascii"))
        return path.stat().st_size == size == known["size"] and _checksum(path) == known["crc32"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _checksum(path: Path) -> int:
    value = 0
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            value = zlib.crc32(piece, value)
    return value


def _make(path: Path, size: int, width: int, parts: Sequence[Part]) -> None:
    from harness.seeds import forked

    print(f"making {path.name} ({size / 1e6:.0f} MB), once, in {path.parent}", flush=True)
    temporary, note = path.with_name(f"{path.stem}.{os.getpid()}.new"), path.with_name(f"{path.stem}.{os.getpid()}.note")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # a full disk is met here, before the work
        forked([partial(_write, temporary, first * width * 4, pieces) for first, pieces in parts])
        if temporary.stat().st_size != size:
            raise OSError(None, f"{temporary.stat().st_size} bytes were written, and {size} were wanted")
        note.write_text(json.dumps({"size": size, "crc32": _checksum(temporary)}), "ascii")
        path.with_suffix(".json").unlink(missing_ok=True)
        temporary.replace(path)
        note.replace(path.with_suffix(".json"))
    except OSError as problem:
        said = f"the template's world ({size / 1e6:.0f} MB) cannot be kept in {path.parent}: {problem.strerror}. "
        raise OSError(problem.errno, f"{said}Make room there, or name another folder in SAE_CACHE") from None
    finally:
        for left in (temporary, note):
            with contextlib.suppress(OSError):
                left.unlink(missing_ok=True)


def _write(path: Path, offset: int, pieces: Callable[[], Iterator[Tensor]], say: Any) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        for piece in pieces():
            file.write(piece.contiguous().numpy().tobytes())
