"""The narrow waists: one Protocol per outside thing. Each has a fake that is part of the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.core.job import Sight
from agent.core.prompt import Bill, NoReply, Prompt, Reply

Pulse = Callable[[], None]  # called while waiting: takes up the inbox, and raises Interrupted after a Ctrl-C


class Model(Protocol):
    """Answers one prompt: a provider through aider's coder, a program, a recording, a person."""

    name: str

    def worst(self, prompt: Prompt) -> Bill:
        """The most that one try may use and cost; known before anything is sent."""

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply | NoReply:
        """One try. Trying again is decided outside, so that every try is in the journal."""


class Runner(Protocol):
    """Starts jobs and is asked how they are. Attempt folders are the names: nothing else is remembered."""

    def start(self, attempt: Path) -> None:
        """Start the job described by `attempt/job.json`. Starting twice is harmless: the second does nothing."""

    def look(self, attempt: Path) -> Sight:
        """Is it still yours? A dead launcher without an outcome is Outcome("lost")."""

    def stop(self, attempt: Path) -> None:
        """Ask the launcher to end the job; `look` says when it has."""
