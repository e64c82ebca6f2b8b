"""From what litellm raises to a row of core.calls. The text is only asked where the class does not tell."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from agent.core.prompt import NoReply
from agent.core.redact import hide
from agent.core.text import shorten
from agent.llm.library import litellm

_LONGEST = 300
_CONTEXT = re.compile(
    r"context.{0,12}(length|window|limit)|prompt is too long|too many (input )?tokens|maximum context", re.I
)
_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|credit balance|out of credit|billing", re.I)
_CLASSES = re.compile(r"^(?:(?:litellm\.)?\w*(?:Error|Exception|Timeout)\s*[:-]\s+)+")
_MESSAGE = re.compile(r'"message":\s*"((?:[^"\\]|\\.)+)"')
_UNREADABLE = re.compile(r"invalid response (from LLM|object)|Unable to get json response|Expecting value", re.I)
_NOT_REACHED = (
    "ConnectError",
    "ConnectTimeout",
    "ConnectionRefusedError",
    "gaierror",
    "PoolTimeout",
    "UnsupportedProtocol",
)
_BROKEN = (
    "RemoteProtocolError",
    "ReadError",
    "WriteError",
    "IncompleteRead",
    "ConnectionResetError",
    "ChunkedEncodingError",
)
_SILENT = ("ReadTimeout", "APITimeoutError", "Timeout", "TimeoutError", "WriteTimeout")


def from_exception(error: BaseException, heard: bool) -> NoReply:
    """`heard`: a part of the reply had come."""
    return NoReply(_kind(error, heard), evidence(error), _retry_after(error))


def evidence(error: BaseException) -> str:
    """What the provider said, in one line, without keys and without the names of classes in front."""
    text = str(error).partition("Traceback (most recent call last)")[0]
    text = _CLASSES.sub("", text).strip()
    if said := _MESSAGE.search(text):
        text = said[1].replace('\\"', '"').replace("\\'", "'").replace("\\\\", "")
    return shorten(hide(text or type(error).__name__, os.environ), _LONGEST)


def _kind(error: BaseException, heard: bool) -> str:
    types = litellm().exceptions
    names = [type(one).__name__ for one in _chain(error)]
    text, status = str(error), _status(error, types)
    if isinstance(error, types.ContextWindowExceededError) or (status in (400, 413) and _CONTEXT.search(text)):
        return "context"
    if status == 402 or (status in (400, 403, 429) and _CREDIT.search(text)):
        return "credit"
    if isinstance(error, types.ContentPolicyViolationError):
        return "refused"
    if status == 504:
        return "server"  # a gateway that waited: nobody has answered, and nobody is paid
    if any(name in _SILENT for name in names) and not any(name in _NOT_REACHED for name in names):
        return "timeout"
    if any(name in _NOT_REACHED for name in names) and not heard:
        return "connection"
    if _UNREADABLE.search(text):
        return "garbage"
    if heard or any(name in _BROKEN for name in names):
        return "cut"
    return _by_status(status, error, types)


def _by_status(status: Any, error: BaseException, types: Any) -> str:
    if status in (401, 403):
        return "key"
    if status == 404:
        return "model"
    if status == 429:
        return "rate"
    if status == 408:
        return "timeout"
    if isinstance(status, int) and status >= 500:
        return "server"
    if isinstance(status, int) and 400 <= status < 500:
        return "request"
    return "garbage" if isinstance(error, types.APIConnectionError) else "unknown"


def _status(error: BaseException, types: Any) -> Any:
    """The provider's. litellm's class for what it cannot read, an odd status or an odd answer, has a 500 of its own."""
    told = (getattr(one, "status_code", None) for one in _chain(error) if not isinstance(one, types.APIConnectionError))
    return next((status for status in told if status is not None), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def _retry_after(error: BaseException) -> float | None:
    for one in _chain(error):
        headers = getattr(getattr(one, "response", None), "headers", None) or getattr(
            one, "litellm_response_headers", None
        )
        for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
            value = (headers or {}).get(name)
            if value is not None:
                return _seconds(str(value), unit)
    return None


def _seconds(value: str, unit: float) -> float | None:
    """A number, or an HTTP date to wait for."""
    try:
        return max(0.0, float(value) * unit)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
