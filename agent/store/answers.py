"""What an interpreter said about names, kept from one question to the next: one JSON file for each state of it.

The file's name is a hash of all that can change an answer. A file that cannot be read is as good as none: it is made anew.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from agent.store.files import write_json


def place(folder: Path, parts: Any) -> Path:
    """Where the answers are kept that hold under `parts`, anything that JSON can hold."""
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
    return folder / f"{key}.json"


def load(path: Path) -> dict[str, Any]:
    try:
        kept = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(path: Path, answers: dict[str, Any]) -> None:
    """Beside what is there already. A disk that is full costs only the next question."""
    try:
        write_json(path, {**load(path), **answers})
    except OSError:
        return
