"""A fact: what it says, where it comes from; or why there is none, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Fact:
    id: str
    kind: str  # the macro
    text: str
    latex: str
    file: str = ""  # in the study; none: it is a count of the journal, or no measurement
    path: str = ""  # in that file's JSON
    commit: str = ""  # which has the file
    sha256: str = ""  # of the file, where it was read


@dataclass(frozen=True)
class Problem:
    id: str
    text: str
    suggestion: str = ""  # an argument that exists

    @property
    def said(self) -> str:
        return self.text + (f' (did you mean "{self.suggestion}"?)' if self.suggestion else "")


class NoSuchFact(Exception):
    """Inside core.facts and what it is made of; `resolve` makes a Problem of it."""

    def __init__(self, text: str, suggestion: str = "") -> None:
        super().__init__(text)
        self.text, self.suggestion = text, suggestion


def nearest(word: str, known: Collection[str]) -> str:
    """What exists and was probably meant: without LaTeX's backslashes, the end of a longer name, or a few letters off."""
    plain = word.replace("\\", "").strip()
    if plain in known or not plain:
        return plain
    if ends := sorted(name for name in known if name.endswith(f".{plain}")):
        return ends[0]
    lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(plain.lower(), lower, n=1, cutoff=0.6)
    return lower[near[0]] if near else ""
