"""What a model is asked and what it answers."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Image:
    """A PNG of the study, for models that can see. Stored without its bytes: they are in the study's history."""

    path: str  # in the study
    sha256: str  # of its bytes
    data: bytes = field(default=b"", repr=False, compare=False)


@dataclass(frozen=True)
class Prompt:
    """One request, complete in itself. The stable part comes first, so that a provider's prompt cache can hit."""

    call: str  # 0007-edit: names the files of this call everywhere
    action: str
    run: str
    turn: int
    stable: str  # the same for the whole study: rules, idea, template
    files: tuple[tuple[str, str], ...]  # the editable files as they are now
    request: str  # what is asked this time
    images: tuple[Image, ...] = ()

    def text(self) -> str:
        """Everything as one text, for people and for plain models."""
        return (
            "\n\n".join(
                [self.stable.strip(), *(_fenced(name, text) for name, text in self.files), self.request.strip()]
            )
            + "\n"
        )

    @property
    def sha256(self) -> str:
        seen = "".join(f"{image.path} {image.sha256}\n" for image in self.images)
        return hashlib.sha256((self.text() + seen).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        return {**asdict(replace(self, images=())), "images": [[image.path, image.sha256] for image in self.images]}

    @staticmethod
    def from_json(data: dict[str, Any]) -> Prompt:
        files = tuple((name, text) for name, text in data["files"])
        return Prompt(**{**data, "files": files, "images": tuple(Image(*row) for row in data.get("images", ()))})


@dataclass(frozen=True)
class Bill:
    """Tokens and dollars. Keys of `usage` are those of core.ledger."""

    usage: dict[str, int] = field(default_factory=dict)
    cost: float | None = 0.0  # None: the price is not known


FREE = Bill()


@dataclass(frozen=True)
class Reply:
    text: str
    model: str
    usage: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    cost: float | None = 0.0
    estimated: bool = False  # the provider did not say what was used, so the worst case is booked
    finish: str = "stop"  # length: cut at the limit of tokens · filter: ended by the provider


@dataclass(frozen=True)
class NoReply:
    """A try that brought nothing. `kind` is a row of core.calls."""

    kind: str
    evidence: str  # one line, without keys
    retry_after: float | None = None  # seconds, as the provider asked
    bill: Bill | None = None  # what it used all the same, where that is known or can be bounded
    estimated: bool = False


def _fenced(name: str, text: str) -> str:
    fence = "```"
    while fence in text:
        fence += "`"
    ending = "" if text.endswith("\n") or not text else "\n"
    return f"{name}\n{fence}\n{text}{ending}{fence}"
