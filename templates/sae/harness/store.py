"""Large tables that are made once and memory-mapped by whoever needs them.

`Table(name, rows, width, parts).mapped()` → [rows, width]. `parts` are functions; each yields pieces that follow one another,
and they are worked on side by side. A file is made beside its final name and renamed when it is whole; its SHA-256 is looked
at before it is used again. So a crash or a full disk leaves nothing that could be taken for good. Writing into the array
reaches no file.

There are two places. ai-scientist has one for all runs of all studies, $AI_SCIENTIST_CACHE: `keep()` fills it, once, before
the first run; runs can read it and not write it. Everybody can read it, so what is held out must never be in it. The other
is one's own, and the only one by hand. $AI_SCIENTIST_REVISIONS has the SHA-256 that a study began with: no other table will do.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

Part = tuple[int, Callable[[], Iterator[Tensor]]]  # its first row, and what makes its pieces
_ABANDONED = 3600.0  # seconds: what a killed process left; making takes seconds


def own() -> Path:
    """$SAE_CACHE, else below the user's cache folder; inside a sandbox that is the attempt's own."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("SAE_CACHE") or Path(base) / "ai-scientist-sae")


def shared() -> Path | None:
    return Path(os.environ["AI_SCIENTIST_CACHE"]) / "sae" if os.environ.get("AI_SCIENTIST_CACHE") else None


@dataclass(frozen=True)
class Table:
    name: str
    rows: int
    width: int
    parts: Sequence[Part]

    @property
    def size(self) -> int:
        return self.rows * self.width * 4

    def mapped(self) -> Tensor:
        wanted = json.loads(os.environ.get("AI_SCIENTIST_REVISIONS") or "{}").get(self.name)
        for folder in filter(None, (shared(), own())):
            if (known := self._known(folder)) is not None and wanted in (None, known):
                break
        else:
            folder = own()
            made = self._make(folder, "Make room there, or name another folder in SAE_CACHE")
            if wanted not in (None, made):
                said = f"{self.name} has other digits here than where this study began (SHA-256 {made[:12]}…, not {wanted[:12]}…): "
                raise OSError(f"{said}go on with the study on that kind of machine, with the same torch")
        return torch.from_numpy(np.memmap(self._path(folder), np.float32, "c")).view(self.rows, self.width)

    def keep(self) -> str:
        """Make it for all runs, if it is not there. Its SHA-256."""
        folder = shared()
        if folder is None:
            raise OSError("AI_SCIENTIST_CACHE names no folder: by hand nothing has to be made first")
        return self._known(folder) or self._make(folder, "Make room there")

    def _path(self, folder: Path) -> Path:
        return folder / f"{self.name}.f32"

    def _known(self, folder: Path) -> str | None:
        """Its SHA-256, if it is there and whole."""
        path = self._path(folder)
        try:
            noted = json.loads(path.with_suffix(".json").read_text("ascii"))["sha256"]
            return noted if path.stat().st_size == self.size and _digest(path) == noted else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _make(self, folder: Path, advice: str) -> str:
        from harness.seeds import forked

        path = self._path(folder)
        print(f"making {path.name} ({self.size / 1e6:.0f} MB), once, in {folder}", flush=True)
        temporary, note = (folder / f"{self.name}.{os.getpid()}.{kind}" for kind in ("new", "note"))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(folder)
            with temporary.open("wb") as file:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, self.size)  # a full disk is met here, before the work
            forked([partial(_write, temporary, first * self.width * 4, pieces) for first, pieces in self.parts])
            if temporary.stat().st_size != self.size:
                raise OSError(None, f"{temporary.stat().st_size} bytes were written, and {self.size} were wanted")
            made = _digest(temporary)
            note.write_text(json.dumps({"sha256": made}), "ascii")
            path.with_suffix(".json").unlink(missing_ok=True)
            temporary.replace(path)
            note.replace(path.with_suffix(".json"))
            return made
        except OSError as problem:
            said = f"the template's world ({self.size / 1e6:.0f} MB) cannot be kept in {folder}: {problem.strerror}. {advice}"
            raise OSError(problem.errno, said) from None
        finally:
            for left in (temporary, note):
                with contextlib.suppress(OSError):
                    left.unlink(missing_ok=True)


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            found.update(piece)
    return found.hexdigest()


def _remove_abandoned(folder: Path) -> None:
    for path in (*folder.glob("*.new"), *folder.glob("*.note")):
        with contextlib.suppress(OSError):
            if path.stat().st_mtime < time.time() - _ABANDONED:
                path.unlink()


def _write(path: Path, offset: int, pieces: Callable[[], Iterator[Tensor]], say: Any) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        for piece in pieces():
            file.write(piece.contiguous().numpy().tobytes())
