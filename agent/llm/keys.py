"""Keys stay in the environment: no key may reach a file, a message or the journal, whoever echoes it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_ID)?$", re.IGNORECASE)
_SHAPES = re.compile(
    r"\b(sk-[A-Za-z0-9_-]{16,}|gsk_[A-Za-z0-9]{16,}|AIza[A-Za-z0-9_-]{20,}|hf_[A-Za-z0-9]{20,}|AKIA[A-Z0-9]{12,})"
)
_SHORTEST = 8  # a shorter value is no key, and would be found in ordinary words
_NO_WORD = 16  # what is this long is no word that a reply may need; `anything` is a key for servers of one's own
HIDDEN = "[key]"


def values(environment: Mapping[str, str] = os.environ) -> list[str]:
    """The keys of this process's environment, the longest first."""
    found = {v for name, v in environment.items() if _NAMES.search(name) and len(v) >= _SHORTEST}
    return sorted(found, key=len, reverse=True)


def hide(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """`text` without any key of the environment, and without what looks like one."""
    for value in values(environment):
        text = text.replace(value, HIDDEN)
    return _SHAPES.sub(HIDDEN, text)


def without(reply: str, environment: Mapping[str, str] = os.environ) -> str:
    """A model's reply without the environment's keys. What only looks like a key stays: it may be a name in the code."""
    for value in values(environment):
        if len(value) >= _NO_WORD:
            reply = reply.replace(value, HIDDEN)
    return reply
