"""One request to a provider, through litellm: everything that is sent to a paid model goes through `Client.send`.

One try, no retries (core.calls decides those): a reply with what it cost, or how it failed. litellm runs in a thread of
its own, so that a person's Ctrl-C and `stop` are heard while a provider is silent. The reply is streamed: silence is
noticed after `reply_timeout`, while a long reply may take its time up to `_LONGEST` such spans; a reply without end is
cut off. What the provider reports is what is booked; where it reports nothing, the worst case is.
"""

from __future__ import annotations

import base64
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.config import Settings
from agent.core.ports import Pulse
from agent.core.prompt import Bill, NoReply, Reply
from agent.core.redact import without
from agent.core.text import duration
from agent.llm import failures
from agent.llm.catalogue import Facts
from agent.llm.library import litellm

Message = Mapping[str, Any]

_LONGEST = 10  # times `reply_timeout`: how long a reply may take from first to last
_GRACE = 5.0  # seconds that litellm's own time-out may be late
_POLL = 0.1
_WORDS = b" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FRAME = 400  # tokens that a provider may put around the messages
_CHARACTERS = 20  # a token; a reply of more than this many for each token allowed is no reply
_FINISHED = {"length": "length", "max_tokens": "length", "content_filter": "filter", "refusal": "filter"}


@dataclass(frozen=True)
class _Piece:
    text: str = ""  # "": thoughts, or a sign of life


@dataclass(frozen=True)
class _End:
    finish: str
    usage: dict[str, int] | None  # None: the provider did not say
    text: str = ""  # all of it, when nothing was streamed


class Client:
    def __init__(self, facts: Facts, settings: Settings) -> None:
        self.facts = facts
        self._settings = settings

    def worst(self, messages: Sequence[Message]) -> Bill:
        """More tokens than known tokenizers make of this, what images take at most, and the longest reply."""
        most = sum(_most_tokens(text) for message in messages for text in _texts(message))
        most += self.facts.image_tokens * sum(map(_images, messages))
        return self._bill({"prompt_tokens": most + _FRAME, "completion_tokens": self.facts.reply_tokens})

    def send(self, messages: Sequence[Message], pulse: Pulse, **options: Any) -> Reply | NoReply:
        """`options` are further arguments of litellm's completion, such as a temperature."""
        size = sum(len(text) for message in messages for text in _texts(message))
        if self.facts.context and size / 8 > self.facts.context:
            said = f"the prompt has {size:,} characters, and {self.facts.name} reads {self.facts.context:,} tokens"
            return NoReply("context", said)
        conversation = _Conversation(self._arguments(messages, options), self._settings.reply_timeout)
        longest = self.facts.reply_tokens * _CHARACTERS
        began, text = time.monotonic(), ""
        try:
            for piece in conversation.pieces(pulse):
                if isinstance(piece, NoReply):
                    return piece
                text += piece.text
                told = piece.usage if isinstance(piece, _End) else None
                if len(text) > longest:
                    return self._oversize(messages, len(text), told)
                if isinstance(piece, _End):
                    bill = self._bill(told) if told else self.worst(messages)
                    seconds = time.monotonic() - began
                    said = without(text, os.environ)
                    return Reply(said, self.facts.name, bill.usage, seconds, bill.cost, not told, piece.finish)
        finally:
            conversation.leave()
        raise AssertionError("a conversation has an end")

    def _oversize(self, messages: Sequence[Message], length: int, told: dict[str, int] | None) -> NoReply:
        """A provider that does not keep to the limit: each character read may have been a token."""
        said = f"cut off after {length:,} characters; {self.facts.reply_tokens:,} tokens were allowed"
        guessed = {**self.worst(messages).usage, "completion_tokens": max(length, self.facts.reply_tokens)}
        return NoReply("oversize", said, bill=self._bill(told or guessed), estimated=not told)

    def _bill(self, usage: dict[str, int]) -> Bill:
        return Bill(usage, self.facts.price.cost(usage) if self.facts.price else None)

    def _arguments(self, messages: Sequence[Message], options: dict[str, Any]) -> dict[str, Any]:
        streamed = {"stream": True, "stream_options": {"include_usage": True}} if self._settings.stream else {}
        own = {"api_base": self.facts.base_url, **_unneeded_key(self.facts)} if self.facts.base_url else {}
        return {
            **options,
            "max_tokens": self.facts.reply_tokens,  # what was booked, whatever aider's table says
            **streamed,
            **own,
            "model": self.facts.name,
            "messages": _marked(messages) if self.facts.cache_marks else list(messages),
            "timeout": self._settings.reply_timeout,
            "num_retries": 0,
            "max_retries": 0,
        }


class _Conversation:
    """litellm in a thread; its pieces as they come. After `leave`, whatever still comes is dropped."""

    def __init__(self, arguments: dict[str, Any], patience: float) -> None:
        self._patience = patience
        self._arrived: queue.SimpleQueue[_Piece | _End | NoReply] = queue.SimpleQueue()
        self._left = threading.Event()
        threading.Thread(target=self._talk, args=(arguments,), daemon=True).start()

    def leave(self) -> None:
        self._left.set()

    def pieces(self, pulse: Pulse) -> Iterator[_Piece | _End | NoReply]:
        began = heard = pulsed = time.monotonic()
        pulse()
        while True:
            now = time.monotonic()
            if now - pulsed > _POLL:
                pulse()
                pulsed = now
            if now - began > self._patience * _LONGEST:
                yield NoReply("timeout", f"the reply had no end after {duration(now - began)}")
                return
            try:
                piece = self._arrived.get(timeout=_POLL)
            except queue.Empty:
                if now - heard > self._patience + _GRACE:
                    _forget_connections()
                    yield NoReply("timeout", f"nothing came for {duration(now - heard)}")
                    return
                continue
            heard = time.monotonic()
            yield piece
            if not isinstance(piece, _Piece):
                return

    def _talk(self, arguments: dict[str, Any]) -> None:
        heard, response = False, None
        try:
            response = litellm().completion(**arguments)
            if response is None:  # after a 422, and a second one without what it named: litellm does that by itself
                self._arrived.put(NoReply("request", "a parameter of the request is refused"))
                return
            if not arguments.get("stream"):
                choice = response.choices[0]
                usage = getattr(response, "usage", None)
                self._arrived.put(_End(_finish(choice.finish_reason), _usage([usage]), choice.message.content or ""))
                return
            for chunk in response:
                if self._left.is_set():
                    _close(response)
                    return
                heard = heard or bool(response.chunks)
                self._arrived.put(_Piece(_text_of(chunk)))
            self._arrived.put(_end_of(response))
        except Exception as error:  # noqa: BLE001  whatever litellm raises is how this try ended
            whole = getattr(response, "received_finish_reason", None)  # litellm may stumble over its own summary
            self._arrived.put(_end_of(response) if whole else failures.from_exception(error, heard))


def _forget_connections() -> None:
    """litellm keeps a pool of connections for all calls, and httpcore's has a lock that a dying thread can leave locked: with
    the same pool every later call would wait for it, too."""
    litellm().in_memory_llm_clients_cache.flush_cache()


def _text_of(chunk: Any) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _end_of(response: Any) -> _End | NoReply:
    """litellm invents an end and a usage where a stream just stops; only what the provider said counts."""
    reason = getattr(response, "received_finish_reason", None)
    if reason is None:
        heard = bool(response.chunks)
        return NoReply(
            "cut" if heard else "garbage", "the stream stopped before its end" if heard else "an empty stream"
        )
    return _End(_finish(reason), _usage([getattr(chunk, "usage", None) for chunk in response.chunks]))


def _finish(reason: Any) -> str:
    return _FINISHED.get(str(reason or "stop"), "stop")


def _usage(reports: Sequence[Any]) -> dict[str, int] | None:
    """From the reports of one reply, each as of its moment: the prompt's in the first or last, the reply's in the last."""
    told = [report for report in reports if report is not None]
    if not any(report.prompt_tokens or report.completion_tokens for report in told):
        return None
    found: dict[str, int] = {}
    for report in told:
        details = getattr(report, "prompt_tokens_details", None)
        of_prompt = {
            "prompt_tokens": report.prompt_tokens,
            "cached_tokens": getattr(details, "cached_tokens", None),
            "cache_written_tokens": getattr(report, "cache_creation_input_tokens", None),
        }
        found |= {key: max(int(value), found.get(key, 0)) for key, value in of_prompt.items() if value}
        found["completion_tokens"] = int(report.completion_tokens or 0)
    return found


def _close(response: Any) -> None:
    for stream in (response, getattr(response, "completion_stream", None)):
        close: Callable[[], None] | None = getattr(stream, "close", None)
        if close is not None:
            close()
            return


def _unneeded_key(facts: Facts) -> dict[str, str]:
    """A server of one's own may want no key, but litellm's client refuses to start without one."""
    library = litellm()
    found = library.validate_environment(facts.name)
    return {} if found["keys_in_environment"] else {"api_key": "none"}


def _most_tokens(text: str) -> int:
    """Tokenizers make at most one token of a byte, and do so with digits, signs and rare scripts; of words far fewer."""
    encoded = text.encode()
    dense = len(encoded.translate(None, delete=_WORDS))
    return dense + int((len(encoded) - dense) / 1.5) + 1


def with_images(message: Message, images: Sequence[tuple[str, bytes]]) -> Message:
    """The message with PNGs after its text, each below its name, as OpenAI has it; litellm knows how others want them."""
    if not images:
        return message
    content: list[dict[str, Any]] = [{"type": "text", "text": text} for text in _texts(message)]
    for name, data in images:
        url = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        content += [{"type": "text", "text": f"{name}:"}, {"type": "image_url", "image_url": {"url": url}}]
    return {**message, "content": content}


def _images(message: Message) -> int:
    content = message.get("content") or ""
    return 0 if isinstance(content, str) else sum(part.get("type") == "image_url" for part in content)


def _texts(message: Message) -> Iterator[str]:
    content = message.get("content") or ""
    if isinstance(content, str):
        yield content
    else:
        yield from (str(part["text"]) for part in content if part.get("text"))


def _marked(messages: Sequence[Message]) -> list[Message]:
    """With a mark after the part that stays the same and one before what is asked: what comes before a mark is cached."""
    marks = {0, len(messages) - 2} if len(messages) > 2 else {0}
    return [_with_mark(m) if i in marks else m for i, m in enumerate(messages)]


def _with_mark(message: Message) -> Message:
    content = message.get("content") or ""
    first, *others = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {**message, "content": [{**first, "cache_control": {"type": "ephemeral"}}, *others]}
