"""A log file with a cap: the beginning and the end of a stream, and a line that says how much lies between.

Keys are taken out before anything is written (core.redact), so that no cut can leave half of one.

The first half of the cap is written as it comes; the rest is a ring inside the same file, so that memory stays flat
however much arrives and a launcher that is killed leaves the end of the output on disk. `close` puts the ring in
order and inserts the line. Limit: while a stream beyond its cap is still open (or if its launcher was killed), the
second half of the file is rotated.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from agent.core.redact import Stream

SMALLEST_CAP = 4096
PIECE = 1024 * 1024


class CappedLog:
    def __init__(self, path: Path, cap: int, keys: Sequence[bytes] = ()) -> None:
        cap = max(cap, SMALLEST_CAP)
        self.path = path
        self.head = cap // 2
        self.ring = cap - self.head
        self.total = 0
        self.redacted = Stream(keys)
        self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    @property
    def dropped(self) -> int:
        return max(0, self.total - self.head - self.ring)

    def write(self, data: bytes) -> bytes:
        """What of it, and of what was held back before, may be shown."""
        shown = self.redacted.feed(data)
        self._append(shown)
        return shown

    def _append(self, data: bytes) -> None:
        for_head = data[: max(0, self.head - self.total)]
        if for_head:
            self._put(for_head, self.total)
            self.total += len(for_head)
        rest = data[len(for_head) :]
        skipped = max(0, len(rest) - self.ring)  # would be overwritten by the rest of the same piece
        self.total += skipped
        self._write_ring(rest[skipped:])

    def close(self) -> int:
        """Put the file in order; the number of bytes left out."""
        try:
            self._append(self.redacted.end())
            if self.dropped:
                self._unroll()
        finally:
            os.close(self.descriptor)
            self.descriptor = -1
        return self.dropped

    def _write_ring(self, data: bytes) -> None:
        if not data:
            return
        position = (self.total - self.head) % self.ring
        until_end = data[: self.ring - position]
        self._put(until_end, self.head + position)
        if len(until_end) < len(data):
            self._put(data[len(until_end) :], self.head)
        self.total += len(data)

    def _put(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self.descriptor, view, offset)
            view, offset = view[written:], offset + written

    def _unroll(self) -> None:
        oldest = self.head + (self.total - self.head) % self.ring
        temporary = self.path.with_name(self.path.name + ".tmp")
        with temporary.open("wb") as file:
            self._copy(file, 0, self.head)
            file.write(b"\n[... %d bytes of output left out ...]\n" % self.dropped)
            self._copy(file, oldest, self.head + self.ring)
            self._copy(file, self.head, oldest)
        temporary.replace(self.path)

    def _copy(self, target: BinaryIO, begin: int, end: int) -> None:
        for offset in range(begin, end, PIECE):
            target.write(os.pread(self.descriptor, min(PIECE, end - offset), offset))
