"""Reads what a running job reports of itself, and says when going on is of no use. What that means is in core.course.

Limits: a line longer than LONGEST is not read; of a flood of lines at most CHUNK bytes are read at each look, so that a
job which writes faster is followed late.
"""

from __future__ import annotations

from pathlib import Path

from agent.core.course import Course
from agent.core.job import Ending
from agent.core.text import duration

EVERY = 0.5
CHUNK = 256 * 1024
LONGEST = 64 * 1024


class Follower:
    def __init__(self, path: Path, stall: float | None, command: str) -> None:
        """`command`: the one that begins."""
        self.path, self.course = path, Course(stall)
        self.read, self.unread, self.due = 0, b"", 0.0
        self.command = command

    def look(self, command: str, now: float) -> tuple[Ending, str] | None:
        """How the job has to end, and a sentence why; None while all is well."""
        if now < self.due:
            return None
        self.due = now + EVERY
        for line in self._lines():
            self.course.hear(line, now)
        if command != self.command:  # what the last one reported says nothing of this one's silence
            self.command, self.course.heard = command, None
        if self.course.trouble:
            return "diverged", f"'{command}' was ended early: {self.course.trouble}."
        if self.course.stalled(now):
            return "stalled", f"'{command}' was ended: it reported no progress for {duration(self.course.stall or 0)}."
        return None

    def _lines(self) -> list[str]:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.read)
                data = stream.read(CHUNK)
        except OSError:
            return []
        self.read += len(data)
        *lines, self.unread = (self.unread + data).split(b"\n")
        self.unread = self.unread[-LONGEST:]
        return [line.decode("utf-8", "replace") for line in lines if len(line) <= LONGEST]
