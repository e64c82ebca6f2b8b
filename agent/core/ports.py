"""The narrow waists: one Protocol per outside thing. Each has a fake that is part of the product."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.core.job import Sight
from agent.core.prompt import Prompt, Reply

Pulse = Callable[[], None]  # called while waiting: takes up the inbox, and raises Interrupted after a Ctrl-C


class Model(Protocol):
    """Answers one prompt. aider's coder will be one more of these; `replay` and `manual` need no key."""

    name: str

    def complete(self, prompt: Prompt, pulse: Pulse) -> Reply:
        """The reply, or a ScientistError after the model's own retries. May be called again for the same prompt."""


class Runner(Protocol):
    """Starts jobs and is asked how they are. Attempt folders are the names: nothing else is remembered."""

    def start(self, attempt: Path) -> None:
        """Start the job described by `attempt/job.json`. Starting twice is harmless: the second does nothing."""

    def look(self, attempt: Path) -> Sight:
        """Is it still yours? A dead launcher without an outcome is Outcome("lost")."""

    def stop(self, attempt: Path) -> None:
        """Ask the launcher to end the job; `look` says when it has."""
