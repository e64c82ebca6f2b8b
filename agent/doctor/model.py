"""Whether the chosen model can be used: known, key, address, price, context; with `live`, one small paid call."""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.config import Settings
from agent.core.errors import ScientistError
from agent.core.prompt import NoReply, Prompt
from agent.doctor.check import Check

_PATIENCE = 5.0  # seconds for an address to answer
_FRAME = 8_000  # characters of rules, idea and results around the files of a prompt
_CHARACTERS = 3  # a token, for code; a low guess
_QUESTION = Prompt("0000-doctor", "edit", "run_0", 1, "You are being tested.", (), "Answer with the word: ready")


def examine(settings: Settings, prompt_characters: int = 0, live: bool = False) -> Iterator[Check]:
    """`prompt_characters`: the size of the template's files that every prompt shows; 0: not known."""
    from agent.llm.choose import CHOICES, asks_provider, choose

    if not settings.model:
        yield Check("optional", "Model", "none chosen", f"Choose one with -m: {CHOICES}.")
        return
    if asks_provider(settings.model):
        try:
            yield from _provider(settings, prompt_characters)
        except ScientistError as error:
            yield Check("missing", "Model", error.message, error.hint)
            return
    else:
        try:
            yield Check("ok", "Model", choose(settings).name)
        except ScientistError as error:
            yield Check("missing", "Model", error.message, error.hint)
            return
    if live and not settings.model.startswith(("replay:", "manual:")):
        yield _live(settings)


def _provider(settings: Settings, prompt_characters: int) -> Iterator[Check]:
    from agent.llm.catalogue import look_up

    facts = look_up(settings)
    yield Check("ok", "Model", f"{facts.name}, provider {facts.provider}")
    names = ", ".join(facts.missing_keys)
    if facts.missing_keys:
        yield Check("missing", "Key", f"{names} not set", f"export {facts.missing_keys[0]}=…")
    else:
        yield Check("ok", "Key", "in the environment, or not needed")
    if facts.base_url:
        yield _address(facts.base_url)
    if facts.price is None:
        fix = "Give it with -c price=INPUT/OUTPUT in dollars per million tokens; 0 is free."
        yield Check("missing" if settings.max_cost is not None else "optional", "Price", "not known", fix)
    else:
        yield Check("ok", "Price", f"{facts.price} ({facts.price_source})")
    yield _context(facts.context, facts.reply_tokens, prompt_characters)
    said = "figures are shown to it" if facts.sees else "not shown to it: figures are told in numbers"
    yield Check("ok", "Images", said, "" if facts.sees else "Where it can see: -c images=yes")


def _address(url: str) -> Check:
    """Any answer will do: what it says of an unknown path differs from server to server. Nothing is paid for this."""
    import httpx

    try:
        status = httpx.get(f"{url.rstrip('/')}/models", timeout=_PATIENCE).status_code
    except httpx.HTTPError as error:
        said = str(error) or type(error).__name__
        return Check("missing", "Base URL", f"{url} does not answer: {said}", "Start the server, or correct base_url.")
    return Check("ok", "Base URL", f"{url} answers (status {status})")


def _context(context: int, reply: int, prompt_characters: int) -> Check:
    if not context:
        fix = "Give it with -c context_tokens=…; prompts that are too long are then refused before they are sent."
        return Check("optional", "Context", "size not known", fix)
    said = f"{context:,} tokens, of which a reply may take {reply:,}"
    if not prompt_characters:
        return Check("ok", "Context", said)
    needed = (prompt_characters + _FRAME) // _CHARACTERS + reply
    said += f"; this template's prompts need about {needed - reply:,}"
    if needed > context:
        return Check("missing", "Context", said, "Take a model that reads more, or shorter replies: -c reply_tokens=…")
    return Check("ok", "Context", said)


def _live(settings: Settings) -> Check:
    from agent.llm.choose import choose

    try:
        answer = choose(settings).complete(_QUESTION, lambda: None)
    except ScientistError as error:
        return Check("missing", "Test call", error.message, error.hint)
    if isinstance(answer, NoReply):
        from agent.core.calls import KINDS

        kind = KINDS[answer.kind]
        return Check("missing", "Test call", f"{kind.said}: {answer.evidence}", kind.hint)
    if not answer.text.strip():
        return Check(
            "missing", "Test call", "the reply is empty", "A model that thinks may need more -c reply_tokens=…."
        )
    cost = "price not known" if answer.cost is None else f"${answer.cost:.6f}"
    return Check("ok", "Test call", f"answered in {answer.seconds:.1f} s for {cost}: {answer.text.strip()[:60]!r}")
