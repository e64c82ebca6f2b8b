"""The inbox: how a second process reaches the one that writes the journal. One small JSON file a message."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.store import files


@dataclass(frozen=True)
class Slip:
    name: str
    kind: str  # note, stop
    content: dict[str, Any]


def drop(inbox: Path, kind: str, **content: Any) -> str:
    name = f"{time.time_ns():020d}-{os.getpid()}-{kind}.json"
    files.write_json(inbox / name, {"kind": kind, **content})
    return name


def waiting(inbox: Path) -> list[Slip]:
    """Oldest first. A file that is no message is moved aside, not lost and not read again."""
    slips = []
    for path in sorted(inbox.glob("[0-9]*.json")) if inbox.is_dir() else []:
        try:
            content = json.loads(path.read_text("utf-8"))
            slips.append(Slip(path.name, str(content.pop("kind")), content))
        except (ValueError, KeyError, AttributeError, OSError):
            path.replace(path.with_suffix(".unreadable"))
    return slips


def remove(inbox: Path, slip: Slip) -> None:
    (inbox / slip.name).unlink(missing_ok=True)
