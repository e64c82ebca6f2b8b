"""The inbox: how a second process reaches the one that writes the journal. One small JSON file a message."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.core.text import is_text
from agent.store import files


@dataclass(frozen=True)
class Slip:
    name: str
    kind: str  # note, stop, amend
    content: dict[str, Any]


def drop(inbox: Path, kind: str, **content: Any) -> str:
    name = f"{time.time_ns():020d}-{os.getpid()}-{kind}.json"
    files.write_json(inbox / name, {"kind": kind, **content})
    return name


def waiting(inbox: Path) -> list[Slip]:
    """Oldest first. A file that is no message is moved aside, not lost and not read again."""
    slips = []
    for path in sorted(inbox.glob("[0-9]*.json")) if inbox.is_dir() else []:
        slip = _slip(path)
        if slip:
            slips.append(slip)
        else:
            path.replace(path.with_suffix(".unreadable"))
    return slips


def _slip(path: Path) -> Slip | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError, OSError):
        return None
    kind = str(content.pop("kind", "")) if isinstance(content, dict) else ""
    return Slip(path.name, kind, content) if kind in _KINDS and _KINDS[kind](content) else None


_KINDS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "note": lambda c: isinstance(c.get("text"), str) and is_text(c["text"]) and isinstance(c.get("keep", False), bool),
    "amend": lambda c: all(isinstance(c.get(k), str) and is_text(c[k]) for k in ("what", "why")) and "now" in c,
    "stop": lambda c: c.get("what") in ("run", "study"),
}


def remove(inbox: Path, slip: Slip) -> None:
    (inbox / slip.name).unlink(missing_ok=True)
