"""The one place that knows the names of files and folders in a study. Paths only: nothing is read or made here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MEASURING = ".measuring-"  # the dot hides it where studies are listed


@dataclass(frozen=True)
class Layout:
    root: Path

    @property
    def own(self) -> Path:
        return self.root / ".study"

    @property
    def only_measures(self) -> bool:
        """Whether this is no study of anybody's, but where `ai-scientist baseline` works."""
        return self.root.name.startswith(MEASURING)

    @property
    def journal(self) -> Path:
        return self.own / "journal.jsonl"

    @property
    def lock(self) -> Path:
        return self.own / "lock"

    @property
    def inbox(self) -> Path:
        return self.own / "inbox"

    def prompt(self, call: str) -> Path:
        return self.own / "llm" / f"{call}.prompt.json"

    @property
    def chat(self) -> Path:
        return self.own / "llm" / "chat.md"

    def reply(self, call: str) -> Path:
        return self.own / "llm" / f"{call}.json"

    def attempt(self, run: str, number: int) -> Path:
        return self.own / "attempts" / f"{run}-try-{number}"

    def shipped(self, run: str) -> Path:
        """Results that a classic template brought along."""
        return self.own / "shipped" / run

    def output(self, run: str) -> Path:
        return self.root / run

    def results(self, run: str) -> Path:
        return self.root / run / "final_info.json"

    @property
    def idea(self) -> Path:
        return self.root / "idea.json"

    @property
    def template(self) -> Path:
        return self.root / "template.toml"


FIGURES = "figures"
FIGURE_NOTES = "notes/figures.txt"
DEFAULT = "default_"  # names of images that begin so are the tool's, not plot.py's


def is_default_figure(path: str) -> bool:
    return path.startswith(f"{FIGURES}/{DEFAULT}")


def notes_file(run: str) -> str:
    return f"notes/{run}.txt"


def run_of_notes(path: str) -> str:
    """The run that a notes file is about, or nothing."""
    return path[len("notes/") : -len(".txt")] if path.startswith("notes/run_") and path.endswith(".txt") else ""
