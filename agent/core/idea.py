"""The idea: what a person wants to have tried.

Accepted are the long form (`Technical_Details`, `Implementation_Plan`, scores …), the classic short form, and the newer
form (`Short Hypothesis`, `Experiments` as a list …). Key case, spaces and underscores do not matter.
Unknown fields are kept and shown to the coder. Wrong types are named, all at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.core.errors import InputProblem
from agent.core.text import is_text, printable, slug

TEXT = ("Title", "Experiment", "Technical_Details", "Implementation_Plan", "Abstract", "Hypothesis", "Related_Work",
        "Risk_Factors_and_Limitations", "Template", "Baseline", "Primary", "Expected_Research_Impact")  # fmt: skip
SCORES = ("Interestingness", "Feasibility", "Novelty", "Research_Impact", "Overall_Score")
ALIASES = {"experiments": "Experiment", "shorthypothesis": "Hypothesis", "risks": "Risk_Factors_and_Limitations"}
REQUIRED = ("Name", "Title", "Experiment")
_PLAIN = ("Name", "Title", "Template", "Baseline", "Primary")  # one text; other prose may be a list
_DEEPEST = 50
_NOT_FOR_THE_CODER = {*SCORES, "Name", "Title", "Template", "novel"}


@dataclass(frozen=True)
class Idea:
    name: str
    title: str
    experiment: str
    template: str
    baseline: str
    primary: str
    fields: dict[str, Any]  # everything, under its canonical name, in the order of the file

    def details(self) -> list[tuple[str, str]]:
        """What the coder should read, beyond title and experiment: (heading, text)."""
        skip = {*_NOT_FOR_THE_CODER, "Experiment"}
        shown = []
        for name, value in self.fields.items():
            if name in skip or name.endswith("_Evaluation") or value in ("", None, [], {}):
                continue
            shown.append((name.replace("_", " "), value if isinstance(value, str) else _prose(value)))
        return shown


def parse_idea(data: object, origin: str) -> Idea:
    """`data` as read from JSON. Raises InputProblem with every problem found."""
    if not isinstance(data, dict):
        raise InputProblem(
            f"{origin} holds {_kind(data)}, not an idea", "An idea is a JSON object with Name, Title and Experiment."
        )
    fields, problems = _canonical(data)
    problems += [f"{name} is missing" for name in REQUIRED if _is_empty(fields.get(name))]
    for name, value in fields.items():
        wanted = _expected(name)
        if wanted and not _is_empty(value) and not wanted[1](value):
            problems.append(f"{name} must be {wanted[0]}, not {_kind(value)}")
        problems += _unusable(name, value)
    if isinstance(fields.get("Name"), str) and fields["Name"].strip() and not slug(fields["Name"]):
        problems.append(f"Name {fields['Name']!r} has no letter or digit in it; it becomes a folder name")
    if problems:
        raise InputProblem(f"{origin} is not a usable idea", "Correct the fields named here and start again.", problems)
    return Idea(
        name=slug(fields["Name"]),
        title=" ".join(str(fields["Title"]).split()),
        experiment=_prose(fields["Experiment"]),
        template=fields.get("Template") or "",
        baseline=fields.get("Baseline") or "",
        primary=fields.get("Primary") or "",
        fields=fields,
    )


def choose_idea(data: object, wanted: str, origin: str) -> Idea:
    """From a file that may hold one idea or a list of them; `wanted` is a name or a number from 1."""
    if not isinstance(data, list):
        if wanted:
            raise InputProblem(f"{origin} holds one idea, not a list", f"Leave out #{wanted}.")
        return parse_idea(data, origin)
    names = [str(item.get("Name", "?")) if isinstance(item, dict) else "?" for item in data]
    if not wanted and len(data) == 1:
        return parse_idea(data[0], origin)
    if wanted.isdecimal() and 1 <= int(wanted) <= len(data):
        return parse_idea(data[int(wanted) - 1], f"{origin}#{wanted}")
    if wanted and names.count(wanted) == 1:
        return parse_idea(data[names.index(wanted)], f"{origin}#{wanted}")
    if not data:
        raise InputProblem(f"{origin} holds an empty list", "Give it at least one idea.")
    listed = ", ".join(names[:20]) + (" …" if len(names) > 20 else "")
    which = (
        f", {names.count(wanted) or 'none'} of them {'are' if wanted in names else 'is'} {wanted!r}" if wanted else ""
    )
    raise InputProblem(
        f"{origin} holds {len(data)} ideas{which}",
        f"Choose one: {origin}#NAME or {origin}#1 to #{len(data)}. Names: {listed}",
    )


def _canonical(data: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The fields under their canonical names, and those that stand twice."""
    known = {_squash(name): name for name in (*TEXT, *SCORES, "Name", "novel")} | ALIASES
    names = {key: known.get(_squash(key), key) for key in data}
    given: dict[str, list[str]] = {}
    for key, name in names.items():
        given.setdefault(name, []).append(f'"{key}"')
    twice = [f"{name} stands twice ({' and '.join(keys)})" for name, keys in given.items() if len(keys) > 1]
    return {names[key]: value for key, value in data.items()}, twice


def _is_empty(value: object) -> bool:
    return value is None or value == [] or (isinstance(value, str) and not value.strip())


def _unusable(name: str, value: object) -> list[str]:
    """What JSON allows and a text file or a prompt cannot hold."""
    level = [value]
    for _ in range(_DEEPEST):
        if not all(is_text(item) for item in (name, *level) if isinstance(item, str)):
            return [f"{printable(name)} holds half a character (a lone surrogate); it is not valid text"]
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return []
    return [f"{name} is nested too deeply"]


def _inside(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else []


def _squash(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key).lower()


def _expected(name: str) -> tuple[str, Callable[[Any], bool]] | None:
    if name in _PLAIN or name.endswith("_Evaluation"):
        return "a text", lambda v: isinstance(v, str)
    if name in TEXT:
        return "a text or a list", lambda v: isinstance(v, (str, list))
    if name in SCORES:
        return "a number", lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
    if name == "novel":
        return "true or false", lambda v: isinstance(v, bool)
    return None


def _prose(value: object) -> str:
    if isinstance(value, list):
        return "\n".join(f"{i}. {_prose(item)}" for i, item in enumerate(value, 1))
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_prose(item)}" for key, item in value.items())
    return str(value).strip()


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true/false", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")
