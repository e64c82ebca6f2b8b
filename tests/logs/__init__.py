"""Logs of failed jobs, and who had to act: `cases/NAME.json` with its texts beside it.

NAME.json      how the job ended, the profile's network, the files that the edit changed or added (`edit`), the template's
               texts (`template`), the expected class, why, and whether the failure was caused here or written after
               reports of it (`made`)
NAME.stderr    what it wrote; NAME.stdout too, where it wrote anything

Half of them, chosen by a hash of the name, are never looked at while the rules are tuned. `make.py` makes them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cases"
LATER = "later_"  # of the second batch
ROOT = "/study"  # the folder that every job seems to have run in


@dataclass(frozen=True)
class Log:
    name: str
    about: dict[str, Any]
    stdout: str
    stderr: str

    @property
    def expected(self) -> str:
        return str(self.about["expected"])

    @property
    def frozen(self) -> bool:
        return is_frozen(self.name)


def is_frozen(name: str) -> bool:
    return not name.startswith(LATER) and hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def logs() -> Iterator[Log]:
    for path in sorted(FOLDER.glob("*.json")):
        yield Log(path.stem, json.loads(path.read_text()), _text(path, ".stdout"), _text(path, ".stderr"))


def _text(path: Path, suffix: str) -> str:
    beside = path.with_suffix(suffix)
    return beside.read_bytes().decode("utf-8", "replace") if beside.exists() else ""
