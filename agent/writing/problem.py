"""What is wrong in a paper, wherever it was found: by the audit, by LaTeX or by BibTeX."""

from __future__ import annotations

from dataclasses import dataclass, field

LISTED = ("unexplained", "layout", "style")  # kinds that are told and stop nothing


@dataclass(frozen=True)
class Problem:
    """`what` says it in a clause; `fix` says what would pass. Line 0: it belongs to no line. `at`: its place in the file."""

    kind: str
    file: str
    line: int
    what: str
    fix: str = ""
    at: int = field(default=-1, compare=False)  # -1: only its line is known

    @property
    def error(self) -> bool:
        return self.kind not in LISTED

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}" + (f"; {self.fix}" if self.fix else "")
