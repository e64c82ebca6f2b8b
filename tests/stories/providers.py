"""A coder behind a fake provider, and whole studies with it: for stories about what providers do."""

import re

from agent.core.calls import KINDS
from tests.fake_llm import (
    Cut,
    Garbage,
    Hang,
    Huge,
    Say,
    Status,
    context_overflow,
    no_credit,
    not_found,
    rate_limited,
    server_error,
    summed,
    unauthorized,
)
from tests.stories import world
from tests.stories.world import notes, rate

KEY = "sk-proj-Zq81Vn0wLx7TtR3aYb5McE2dHf6GjKsPu9"
MODELS = {"openai": "openai/test", "anthropic": "anthropic/claude-sonnet-4-5"}
WORDS = "I think that it is well worth while to change it. " * 8
IN, OUT = 3.0, 15.0  # dollars per million tokens

# One answer a kind that the wire can give. "connection" has no request, "program" is no provider's.
BROKEN = {
    "key": unauthorized(KEY),
    "model": not_found(),
    "request": Status(400, "temperature: out of range"),
    "context": context_overflow(),
    "credit": no_credit(),
    "refused": Status(400, "Rejected by our content policy.", "invalid_request_error", "content_policy_violation"),
    "rate": rate_limited(),
    "server": server_error(),
    "timeout": Hang(),
    "cut": Cut(WORDS, after=150),
    "garbage": Garbage(),
    "oversize": Huge(200_000),
    "unknown": Status(302, "Moved"),
}
assert {*BROKEN, "connection", "program"} == set(KINDS)


def coder(request):
    """A reply to whatever is asked: the notes that are missing, or another learning rate."""
    asked = request.texts[-1]
    if "Write the notes that are still missing" in asked:
        return Say("".join(map(notes, sorted(set(re.findall(r"notes/(run_\d+)\.txt", asked))))))
    now = float(re.search(r'"learning_rate": ([\d.e-]+),', request.texts[1])[1])
    return Say(rate(now, round(now * 0.8, 6)))


class Troubled:
    """A script: these answers first, each once; then the coder's. `broken` set to an answer gives that alone."""

    def __init__(self, *first, broken=None):
        self.first = list(first)
        self.broken = broken

    def __call__(self, request):
        if self.broken is not None:
            return self.broken
        return self.first.pop(0) if self.first else coder(request)


def start(place, server, protocol="openai", **settings):
    """A new study of one run; what it would wait for in the world is short here."""
    url = server.openai_url if protocol == "openai" else server.anthropic_url
    given = {"model": MODELS[protocol], "base_url": url, "price": f"{IN:g}/{OUT:g}", "retry_wait": 0.0001,
             "reply_tokens": 2000, "reply_timeout": 20, "max_runs": 1, "max_cost": None, **settings}  # fmt: skip
    return world.start(place, **given)


def go(root, settings, **given):
    return world.go(root, None, settings, **given)


def tries_of(root):
    """All tries of a study, in the order in which they were made."""
    return sorted((t for call in world.state_of(root).calls.values() for t in call.tries), key=lambda t: t.at)


def failures_of(root):
    return [event.kind for event in world.events_of(root) if event.type == "call.failed"]


def counted(requests):
    """What a provider says was used for those requests whose count was delivered."""
    return summed(request.usage for request in requests if request.delivered)
