"""One line of what `doctor` says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    state: str  # ok · optional (absent, and something works less well) · missing (needed)
    what: str
    found: str
    fix: str = ""
