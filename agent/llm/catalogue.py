"""What is known about a model before it is asked: provider, price, context, keys. From litellm's table and the settings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from agent.core import price
from agent.core.config import Settings
from agent.core.errors import InputProblem
from agent.core.price import Price
from agent.llm.library import litellm

_LOCAL = ("ollama", "ollama_chat", "hosted_vllm", "lm_studio", "llamafile")  # run by the user, so they cost nothing
_MARKED = ("anthropic", "bedrock", "vertex_ai", "openrouter")  # take marks of what to cache; others cache by themselves
# What an image takes at most, by what the model's name holds; the first that fits. Providers shrink large images to tiles or
# patches before they count: most come to 1,600 tokens, patches with the factor of small models to 4,000, an image that is
# sent in the highest resolution to 5,000. One model counts each of up to 8 tiles as 5,667 tokens, on top of 2,833.
_IMAGE_TOKENS = (("gpt-4o-mini", 50_000), ("", 6_000))


@dataclass(frozen=True)
class Facts:
    name: str
    provider: str
    price: Price | None  # None: not known
    price_source: str
    context: int  # tokens of prompt and reply; 0: not known
    reply_tokens: int  # the longest reply that will be asked for
    missing_keys: tuple[str, ...]
    base_url: str  # "": the provider's own
    cache_marks: bool  # wants to be told what to cache
    sees: bool = False  # takes images
    image_tokens: int = 0  # that one image is booked at, at most


def look_up(settings: Settings) -> Facts:
    """InputProblem if litellm knows no provider for the name."""
    name, library = settings.model, litellm()
    try:
        bare, provider, _, _ = library.get_llm_provider(name, api_base=settings.base_url or None)
    except library.exceptions.BadRequestError:
        raise InputProblem(
            f"no provider is known for the model {name!r}",
            "Name it as PROVIDER/MODEL: openai/gpt-5, anthropic/claude-sonnet-4-5, ollama_chat/qwen3, …; "
            "any OpenAI-compatible server is openai/NAME with -c base_url=http://HOST:PORT/v1.",
        ) from None
    row = _row(library, name, bare, provider)
    known = price.given(settings.price) or _price(row, provider)
    longest = int(row.get("max_output_tokens") or 0)
    return Facts(
        name=name,
        provider=provider,
        price=known,
        price_source="-c price" if settings.price else "litellm's table" if known else "",
        context=settings.context_tokens or int(row.get("max_input_tokens") or 0),
        reply_tokens=min(settings.reply_tokens, longest) if longest else settings.reply_tokens,
        missing_keys=_missing(library, name, provider, settings.base_url),
        base_url=settings.base_url,
        sees=settings.images == "yes" or (settings.images == "auto" and bool(row.get("supports_vision"))),
        image_tokens=next(tokens for name_of, tokens in _IMAGE_TOKENS if name_of in bare.lower()),
        cache_marks=provider in _MARKED and ("claude" in bare.lower() or provider == "anthropic"),
    )


def _row(library: Any, name: str, bare: str, provider: str) -> dict[str, Any]:
    """The table's row of this model at this provider."""
    for key in (name, f"{provider}/{bare}", bare):
        row: dict[str, Any] | None = library.model_cost.get(key)
        if row and (key != bare or str(row.get("litellm_provider", "")).startswith(provider)):
            return row
    return {}


def _price(row: dict[str, Any], provider: str) -> Price | None:
    if provider in _LOCAL:
        return Price(0.0, 0.0, 0.0, 0.0)
    paid, got = row.get("input_cost_per_token"), row.get("output_cost_per_token")
    if paid is None or got is None:
        return None
    thoughts = row.get("output_cost_per_reasoning_token") or 0.0
    cached, written = row.get("cache_read_input_token_cost"), row.get("cache_creation_input_token_cost")
    return Price(paid, max(got, thoughts), paid if cached is None else cached, paid if written is None else written)


def _missing(library: Any, name: str, provider: str, base_url: str) -> tuple[str, ...]:
    """Names of the variables that the provider needs and the environment lacks. A server of one's own may need none."""
    if provider in _LOCAL or base_url:
        return ()
    found = library.validate_environment(name)
    missing = [] if found["keys_in_environment"] else list(found["missing_keys"])
    if provider == "bedrock" and os.environ.get("AWS_PROFILE"):
        return ()
    return tuple(missing)
