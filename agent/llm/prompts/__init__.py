"""Prompts are Markdown files with declared variables, rendered strictly.

The first line of a file declares what it needs: `<!-- variables: title, files -->`; `${title}` stands for a value.
A value is never looked into for further variables.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from string import Template

_DECLARATION = re.compile(r"<!-- variables:([\w, ]*)-->\n+")


def render(name: str, /, **values: str) -> str:
    declared, body = _load(name)
    given = set(values)
    if given != declared:
        raise TypeError(f"prompt {name}: missing {sorted(declared - given)}, not declared {sorted(given - declared)}")
    return Template(body).substitute(values).strip() + "\n"


def names() -> list[str]:
    return sorted(p.name.removesuffix(".md") for p in files(__package__).iterdir() if p.name.endswith(".md"))


@cache
def _load(name: str) -> tuple[frozenset[str], str]:
    text = (files(__package__) / f"{name}.md").read_text("utf-8")
    match = _DECLARATION.match(text)
    if not match:
        raise TypeError(f"prompt {name}: its first line must declare its variables")
    declared = frozenset(word.strip() for word in match[1].split(",") if word.strip())
    body = text[match.end() :]
    used = set(re.findall(r"(?<!\$)\$\{(\w+)\}", body))
    if used != declared:
        raise TypeError(f"prompt {name}: declares {sorted(declared)} but uses {sorted(used)}")
    return declared, body
