"""What tokens cost. Prices are dollars per token; people write dollars per million."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    input: float
    output: float
    cached: float  # input tokens read from the provider's cache
    written: float  # input tokens written to it

    def cost(self, usage: Mapping[str, int]) -> float:
        cached, written = usage.get("cached_tokens", 0), usage.get("cache_written_tokens", 0)
        fresh = max(0, usage.get("prompt_tokens", 0) - cached - written)
        return (
            fresh * self.input
            + cached * self.cached
            + written * self.written
            + usage.get("completion_tokens", 0) * self.output
        )

    def __str__(self) -> str:
        return f"${self.input * 1e6:g} in, ${self.output * 1e6:g} out per million tokens"


def given(text: str) -> Price | None:
    """ "3/15" or "3/15/0.3": input, output and cached input, in dollars per million tokens; "" is no price."""
    if not text:
        return None
    numbers = [float(part) / 1e6 for part in text.split("/")]
    cached = numbers[2] if len(numbers) == 3 else numbers[0]
    return Price(numbers[0], numbers[1], cached, written=numbers[0])


def normal(value: object) -> str:
    """A price as the settings keep it; ValueError says what is accepted."""
    parts = list(value) if isinstance(value, (list, tuple)) else str(value if value is not None else "").split("/")
    if parts == [""]:
        return ""
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError):
        numbers = []
    if numbers == [0.0]:
        numbers = [0.0, 0.0]
    if len(numbers) not in (2, 3) or not all(0 <= number < 1e6 for number in numbers):
        raise ValueError(
            "a price is INPUT/OUTPUT or INPUT/OUTPUT/CACHED in dollars per million tokens, such as 3/15; 0 is free"
        )
    return "/".join(f"{number:g}" for number in numbers)
