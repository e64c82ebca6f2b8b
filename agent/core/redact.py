"""Keys stay in the environment: what takes them out of everything that is written or shown. Pure.

A key is the value of a variable whose name says so and that is long enough to be one. Two strengths:

    hide      for what is only read (logs, messages): every key, and whatever looks like one
    without   for what has to go on working (code, results, prompts, the journal): only keys that cannot be a word of
              the text. `anything` may be the key of a server of one's own; it must not vanish from a program

`Stream` is `hide` for bytes that come in pieces: however they are cut, the result is the same.
Limits: a key is found as it is, and as JSON writes it. In base64, in hexadecimal, reversed, with something in between,
it is not found; nothing could.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

HIDDEN = "[key]"
SHORTEST = 8  # a shorter value is no key, and would be found in ordinary words
NO_WORD = 16  # what is this long is no word that a text may need
_NAMES = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)(_ID)?$", re.IGNORECASE)
_MARK = HIDDEN.encode()
# How known keys look: the beginning, what follows, and how much of that at least.
_KINDS = (
    (b"sk-", b"[A-Za-z0-9_-]", 16),
    (b"gsk_", b"[A-Za-z0-9]", 16),
    (b"AIza", b"[A-Za-z0-9_-]", 20),
    (b"hf_", b"[A-Za-z0-9]", 20),
    (b"AKIA", b"[A-Z0-9]", 12),
)
_SHAPES = re.compile(rb"\b(?:" + b"|".join(b"(%s%s{%d,})" % kind for kind in _KINDS) + b")")
_MORE = tuple(re.compile(b"%s*" % follows) for _, follows, _ in _KINDS)


def _unfinished(beginning: bytes, follows: bytes, least: int) -> bytes:
    parts = [beginning[:size] for size in range(1, len(beginning))]
    return b"|".join([*parts, b"%s%s{0,%d}" % (beginning, follows, least - 1)])


_BEGUN = re.compile(rb"\b(?:" + b"|".join(_unfinished(*kind) for kind in _KINDS) + rb")\Z")
_LONGEST_BEGUN = max(len(beginning) + least for beginning, _, least in _KINDS)

Text = TypeVar("Text", str, bytes)


@cache
def _rarest(word: bytes) -> int:
    """The byte of a word that texts hold least often: signs, capitals, digits, small letters. To find one costs nothing."""
    return min(
        word, key=lambda byte: (byte in b"abcdefghijklmnopqrstuvwxyz", byte in b"0123456789", chr(byte).isalpha())
    )


_SIGNS = {beginning: _rarest(beginning) for beginning, _, _ in _KINDS}


def values(environment: Mapping[str, str]) -> tuple[bytes, ...]:
    """The keys of an environment, the longest first; of one with several lines (a certificate) each long line."""
    found: set[bytes] = set()
    for name, value in environment.items():
        lines = [line.strip() for line in value.splitlines()]
        least = SHORTEST if len(lines) == 1 else NO_WORD
        for line in lines if _NAMES.search(name) else ():
            if len(line) >= least:
                escaped = (json.dumps(line)[1:-1], json.dumps(line, ensure_ascii=False)[1:-1])
                found |= {written.encode("utf-8", "surrogateescape") for written in (line, *escaped)}
    return tuple(sorted(found, key=lambda key: (-len(key), key)))


def no_words(keys: Sequence[bytes]) -> tuple[bytes, ...]:
    """Those that cannot stand in a text for another reason: long ones, and short ones of letters and digits."""
    return tuple(k for k in keys if len(k) >= NO_WORD or (re.search(rb"[A-Za-z]", k) and re.search(rb"[0-9]", k)))


def hide(text: str, environment: Mapping[str, str]) -> str:
    """For what is only read."""
    stream = Stream(values(environment))
    return _text(stream.feed(_bytes(text)) + stream.end())


def without(text: Text, environment: Mapping[str, str]) -> Text:
    """For what has to go on working."""
    return out_of(text, no_words(values(environment)))


def inside(value: Any, environment: Mapping[str, str]) -> Any:
    """`without` for every text in a value as JSON has it, names of fields included."""
    return _inside(value, no_words(values(environment)))


def _inside(value: Any, keys: Sequence[bytes]) -> Any:
    if isinstance(value, str):
        return out_of(value, keys)
    if isinstance(value, dict):
        return {out_of(name, keys): _inside(item, keys) for name, item in value.items()}
    return [_inside(item, keys) for item in value] if isinstance(value, list) else value


def out_of(text: Text, keys: Sequence[bytes]) -> Text:
    """A text without these keys, the longest of which comes first."""
    if isinstance(text, bytes):
        return _Values(keys).feed(text, last=True)
    return _text(_Values(keys).feed(_bytes(text), last=True)) if keys else text


class Stream:
    """Bytes in, bytes out, a few of them later: what may be the beginning of a key is held back."""

    def __init__(self, keys: Sequence[bytes], shapes: bool = True) -> None:
        self._steps: list[_Values | _Shapes] = [_Values(keys), _Shapes()] if shapes else [_Values(keys)]

    def feed(self, data: bytes, last: bool = False) -> bytes:
        for step in self._steps:
            data = step.feed(data, last)
        return data

    def end(self) -> bytes:
        """What was still held."""
        return self.feed(b"", last=True)


class _Values:
    """Keys by value. The leftmost is hidden first, and of several that begin at one place the longest."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys  # the longest first
        self._signs = {key: _rarest(key) for key in keys}
        self._longest = len(keys[0]) if keys else 1
        self._first = frozenset(key[0] for key in keys)
        self._held = b""

    def feed(self, data: bytes, last: bool = False) -> bytes:
        text, since, told = self._held + data, 0, []
        places = {key: place for key, sign in self._signs.items() if sign in text and (place := text.find(key)) >= 0}
        while True:
            key = min(places, key=places.__getitem__, default=b"")  # the first of equals is the longest
            start = places[key] if key else len(text)
            decided = len(text) if last or start <= len(text) - self._longest else self._begun(text, since)
            if not key or start >= decided:
                break
            told += [text[since:start], _MARK]
            since = start + len(key)
            for other in [other for other, place in places.items() if place < since]:
                if (place := text.find(other, since)) >= 0:
                    places[other] = place
                else:
                    del places[other]
        self._held = text[decided:]
        return b"".join([*told, text[since:decided]])

    def _begun(self, text: bytes, since: int) -> int:
        """The first place, if any, from which what is there may become a key, or a longer one."""
        for place in range(max(since, len(text) - self._longest + 1), len(text)):
            if text[place] in self._first:
                tail = text[place:]
                if any(len(key) > len(tail) and key.startswith(tail) for key in self._keys):
                    return place
        return len(text)


class _Shapes:
    """Keys by shape. One has no longest size, so its rest is dropped as it comes."""

    def __init__(self) -> None:
        self._before = b""  # the last byte that was let through or dropped: a key begins where a word begins
        self._held = b""
        self._rest: re.Pattern[bytes] | None = None  # of the key that the last piece ended with

    def feed(self, data: bytes, last: bool = False) -> bytes:
        text, since, told = self._before + self._held + data, len(self._before), []
        if self._rest and (rest := self._rest.match(text, since)):
            since = rest.end()
            self._rest = self._rest if since == len(text) else None
        likely = any(sign in text and beginning in text for beginning, sign in _SIGNS.items())
        while True:
            found = _SHAPES.search(text, since) if likely else None
            begun = None if last else _BEGUN.search(text, max(since, len(text) - _LONGEST_BEGUN))
            decided = begun.start() if begun else len(text)
            if found is None or found.start() >= decided:
                break
            told += [text[since : found.start()], _MARK]
            since = found.end()
            self._rest = _MORE[(found.lastindex or 1) - 1] if since == len(text) else None
        self._before, self._held = text[max(0, decided - 1) : decided], text[decided:]
        return b"".join([*told, text[since:decided]])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
