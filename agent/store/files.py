"""Writing so that a reader or a crash never sees half a file, and nobody a key of the environment.

Texts are written without keys; bytes as they are, because they are copies of what was committed without any.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from agent.core.redact import without


def write(path: Path, content: str | bytes, staging: Path | None = None) -> None:
    """Replace `path` atomically and durably. What a crash leaves half-written stays in `staging`, on the same disk."""
    staging = staging or path.parent
    for folder in (path.parent, staging):
        folder.mkdir(parents=True, exist_ok=True)
    data = without(content, os.environ).encode() if isinstance(content, str) else content
    temporary = staging / f".{path.name}.{os.getpid()}.new"
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def read_tail(path: Path, longest: int = 200_000) -> str:
    """The end of a text file that may be large or missing; undecodable bytes are replaced."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - longest))
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
