"""The journal: one JSON object a line, append-only, one writer, no key of the environment.

A line counts once its newline is on disk: `append` is one `os.write` and one `fdatasync`. A torn last line is ignored
by readers and cut off by the next writer. A damaged line anywhere else is an error: nothing is guessed.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent.core.errors import InfrastructureError, InputProblem, StudyBusy
from agent.core.events import VERSION, Entry, Event, event_from
from agent.core.redact import inside


class Lock:
    """Held by the one process that works on a study; the kernel lets it go when the process dies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not self._taken():
            holder = os.read(self._file, 200).decode("utf-8", "replace").strip()
            os.close(self._file)
            raise StudyBusy(
                f"{path.parent.parent.name} is being worked on by {holder or 'another process'}",
                "Wait until it has ended, or end it with `ai-scientist stop`.",
            )
        os.ftruncate(self._file, 0)
        os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def _taken(self, patience: int = 200) -> bool:
        """Somebody who only asks `is_locked` holds it for an instant, and shared: that is no reason to give up."""
        for _ in range(patience):
            if _flock(self._file, fcntl.LOCK_EX):
                return True
            if not _flock(self._file, fcntl.LOCK_SH):
                return False
            fcntl.flock(self._file, fcntl.LOCK_UN)
            time.sleep(0.005)
        return False

    def release(self) -> None:
        os.close(self._file)


def is_locked(path: Path) -> bool:
    """Whether some process works on the study right now."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        return not _flock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read(path: Path) -> list[Entry]:
    """All whole lines. InputProblem names the first damaged one."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputProblem(f"cannot read {path}: {error.strerror}", "Is this the folder of a study?") from None
    return [_entry(line, number, path) for number, line in enumerate(data.split(b"\n")[:-1], 1)]


def _entry(line: bytes, number: int, path: Path) -> Entry:
    try:
        data = json.loads(line)
        v, seq, at = data.pop("v"), data.pop("seq"), data.pop("at")
        if v > VERSION:
            raise InputProblem(f"{path} was written by a newer ai-scientist (format {v})", "Update ai-scientist.")
        entry = Entry(
            v=v, seq=seq, at=datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp(), event=event_from(data)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ValidationError) as error:
        raise InputProblem(
            f"{path}, line {number} is damaged: {str(error).splitlines()[0]}",
            "The journal is never edited by hand; restore it from a backup.",
        ) from None
    if entry.seq != number:
        raise InputProblem(
            f"{path}, line {number} has number {entry.seq}", "Lines are missing; restore the journal from a backup."
        )
    return entry


class Journal:
    """The one writer. Open it while holding the study's Lock."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._now = now
        self.entries = read(path) if path.exists() else []
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = self._cut_torn_line()

    def _cut_torn_line(self) -> int:
        size = os.lseek(self._file, 0, os.SEEK_END)
        data = os.pread(self._file, size, 0)
        whole = data.rfind(b"\n") + 1
        if whole < size:
            os.ftruncate(self._file, whole)
        return whole

    def append(self, event: Event) -> Entry:
        last = self.entries[-1] if self.entries else None
        at = max(self._now(), last.at if last else 0.0)  # a clock that jumps back must not reorder history
        at = round(at, 3)
        seq = last.seq + 1 if last else 1
        if (clean := inside(told := _dump(event), os.environ)) != told:
            event = event_from(clean)  # what is acted on now is what a later session will read
        line = json.dumps({"v": VERSION, "seq": seq, "at": _iso(at), **_dump(event)}, ensure_ascii=False)
        self._write(line.encode() + b"\n")
        entry = Entry(v=VERSION, seq=seq, at=at, event=event)
        self.entries.append(entry)
        return entry

    def _write(self, line: bytes) -> None:
        try:
            written = os.pwrite(self._file, line, self._end)
            if written != len(line):
                raise OSError(28, "only part of the line was written")
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise InfrastructureError(
                f"the journal cannot be written: {error.strerror}", "Free some disk space, then `resume`."
            ) from None
        self._end += len(line)

    def close(self) -> None:
        os.close(self._file)


def _dump(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json")


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
