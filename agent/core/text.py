"""Small helpers on words, names and durations that several files need."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")


def seconds(text: str | int | float) -> float:
    """'90s', '10m', '1h30m', '2d' or a plain number of seconds; ValueError says what is accepted."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        value = float(text)
    elif isinstance(text, str) and _DURATION.fullmatch(text.strip()):
        value = sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))
    elif isinstance(text, str) and re.fullmatch(r"\d+(\.\d+)?", text.strip()):
        value = float(text)
    else:
        raise ValueError(f"{text!r} is no duration; write it like 90s, 10m, 1h30m or 2d")
    if not 0 < value < 10 * 365 * 86400:
        raise ValueError(f"{text!r} is no usable duration; it must be positive and under ten years")
    return value


def duration(value: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3 m 05 s, 2 h 07 m."""
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """' (did you mean "seeds"?)', or the list when nothing is near and it is short, or nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if near:
        return f' (did you mean "{near[0]}"?)'
    return f" (known: {', '.join(names)})" if 0 < len(names) <= 8 else ""


def slug(text: str, longest: int = 48) -> str:
    """A folder name: lower-case letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:longest].strip("_")


def is_text(text: str) -> bool:
    """Whether a file can hold it: JSON, programs' arguments and file names may bring halves of characters."""
    return not re.search("[\ud800-\udfff]", text)


def as_text(text: str) -> str:
    """`text` with � for halves of characters."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def printable(text: str) -> str:
    """`text` as it can be stored and shown: what is no character, or would steer a terminal, becomes �."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", "\ufffd", text)


def shorten(text: str, longest: int) -> str:
    """One printable line."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= longest else flat[: longest - 1].rstrip() + "…"


def shorten_lines(text: str, longest: int) -> str:
    """Printable lines; what is too long is cut at the end, and says so."""
    kept = "\n".join(printable(line.rstrip()) for line in text.strip().splitlines())
    return kept if len(kept) <= longest else kept[:longest].rstrip() + "\n… (cut here)"


def listed(words: Iterable[str], most: int = 4) -> str:
    """a, b and c; of many the first ones."""
    names = list(words)
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
