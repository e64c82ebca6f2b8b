"""A fake LLM server on loopback: the OpenAI chat completions and the Anthropic messages protocol, answered by a script.

    with FakeLLM([Say("Hello."), rate_limited(retry_after=2), Hang()]) as server:
        litellm.completion(model="openai/test", api_base=server.openai_url, api_key="k", messages=[...])
        assert server.requests[0].model == "test"
        assert server.delivered["completion"] == 2

It keeps the books as a provider would. What was generated is billed in `Request.usage`: `prompt` is all of the prompt,
`cached` and `cache_written` are parts of it (OpenAI has no word for `cache_written`, so it is 0 there). A Say, Huge, Cut
and Hang bill the prompt and their whole text; a Status and a Garbage bill nothing. The bill is *delivered* when the
client has read the reply to its end and usage was in it; all else, also what is still under way, is *undelivered*.

Limits: one request a connection, no TLS, no tools, no images. Only calls are in `requests`; `GET /v1/models` is not.
As a program: `python -m tests.fake_llm --port 0 --script FILE.json --ledger FILE.json [--repeat]`.
"""

import argparse
import json
import os
import re
import select
import socket
import socketserver
import struct
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path

PATHS = {"/v1/chat/completions": "openai", "/chat/completions": "openai", "/v1/messages": "anthropic"}
NOTHING = {"prompt": 0, "completion": 0, "cached": 0, "cache_written": 0}
SLICE = 65536  # bytes or characters in one piece of something huge
CREATED = 1700000000
SIGNATURE = "c2lnbmVk"
PATIENCE = 5.0  # seconds that a client gets to close a connection on which it has its whole reply
GLANCE = 0.5  # seconds that the books wait for that; litellm leaves Anthropic's streams open until they are collected


# ---- what a script may answer -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Say:
    """A well-formed reply. `finish` is OpenAI's word; `usage=False` never tells the usage."""

    text: str
    finish: str = "stop"
    cached: int = 0
    cache_written: int = 0
    reasoning: str = ""
    pause: float = 0.0  # seconds between the chunks of a stream
    chunk: int = 40  # characters a chunk
    usage: bool = True
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    obey_limit: bool = False  # cut the text at the request's max_tokens and say so


@dataclass(frozen=True)
class Status:
    """An HTTP error in the protocol's shape; `anthropic` is what that wire gets where the two providers differ."""

    code: int
    message: str = ""
    type: str = ""
    error_code: str = ""
    headers: dict = field(default_factory=dict)
    anthropic: "Status | None" = None


@dataclass(frozen=True)
class Hang:
    """Silence until the client goes away: from the start, or in a stream after so many characters of the text."""

    after: int = 0
    text: str = ""  # what was generated; by default as much as is sent


@dataclass(frozen=True)
class Cut:
    """The connection breaks after so many characters of the text, in mid-body; without a text before the first byte."""

    text: str = ""
    after: int = 0
    reset: bool = False  # a TCP reset in place of an early end
    quiet: bool = False  # a stream that ends properly as HTTP, with no finish, usage or [DONE]: a proxy gave up
    error: Status | None = None  # told inside the stream before it ends, as an overloaded provider does


@dataclass(frozen=True)
class Garbage:
    """A 200 that is no answer of any API."""

    body: str = "<html><body>Please sign in to the network</body></html>"
    content_type: str = "text/html"


@dataclass(frozen=True)
class Huge:
    """A well-formed reply of so many characters."""

    size: int


Answer = Say | Status | Hang | Cut | Garbage | Huge


def unauthorized(key_echoed="sk-bad"):
    """A refused key. OpenAI echoes the key; Anthropic does not."""
    message = f"Incorrect API key provided: {key_echoed}. You can find your API key at https://platform.openai.com/account/api-keys."
    return Status(401, message, "invalid_request_error", "invalid_api_key", anthropic=Status(401, "invalid x-api-key"))


def not_found(model="test"):
    message = f"The model `{model}` does not exist or you do not have access to it."
    return Status(404, message, "invalid_request_error", "model_not_found", anthropic=Status(404, f"model: {model}"))


def rate_limited(retry_after=None):
    headers = {} if retry_after is None else {"retry-after": str(retry_after)}
    theirs = Status(429, "This request would exceed your organization's rate limit.", headers=headers)
    return Status(429, "Rate limit reached for requests.", "requests", "rate_limit_exceeded", headers, theirs)


def no_credit():
    """The account is empty: for OpenAI a 429 that no waiting heals, for Anthropic a 400."""
    message = "You exceeded your current quota, please check your plan and billing details."
    theirs = Status(400, "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.")
    return Status(429, message, "insufficient_quota", "insufficient_quota", anthropic=theirs)


def context_overflow(limit=128000, asked=150000):
    message = f"This model's maximum context length is {limit} tokens. However, your messages resulted in {asked}"
    message += " tokens. Please reduce the length of the messages."
    theirs = Status(400, f"prompt is too long: {asked} tokens > {limit} maximum")
    return Status(400, message, "invalid_request_error", "context_length_exceeded", anthropic=theirs)


def overloaded():
    return Status(529, "Overloaded")


def server_error(code=500):
    ours = "The server had an error while processing your request."
    return Status(code, ours, anthropic=Status(code, "Internal server error"))


# ---- what was asked, and what it costs ----------------------------------------------------------------------------


@dataclass
class Request:
    """One call, from the moment it was read. `answer`, `usage` and `delivered` are filled in as they come to be."""

    number: int
    path: str
    headers: dict
    body: dict
    at: float
    answer: Answer | None = None
    said: Say | None = None  # what the model generated
    usage: dict = field(default_factory=NOTHING.copy)
    delivered: bool = False
    state: str = "open"  # "sent": the end of the reply is under way; "done"

    @property
    def protocol(self):
        return PATHS[self.path]

    @property
    def model(self):
        return self.body.get("model", "")

    @property
    def messages(self):
        return self.body.get("messages", [])

    @property
    def streamed(self):
        return bool(self.body.get("stream"))

    @property
    def limit(self):
        return self.body.get("max_completion_tokens") or self.body.get("max_tokens")

    @property
    def texts(self):
        """The text of each message, the system's first; Anthropic has the system beside the messages."""
        system = [self.body["system"]] if self.body.get("system") else []
        contents = system + [message.get("content") or "" for message in self.messages]
        return [c if isinstance(c, str) else "".join(part.get("text", "") for part in c) for c in contents]


def simple_count(text):
    return len(re.findall(r"\w+|[^\w\s]", text))


def filler(size):
    line = "All work and no play makes Jack a dull boy.\n"
    return (line * (size // len(line) + 1))[:size]


def generated(request, answer, count):
    """The reply that the model generates for this answer, whatever then happens to it; and its bill."""
    if isinstance(answer, Say):
        said = answer
    elif isinstance(answer, Huge):
        said = Say(filler(answer.size), chunk=SLICE)
    else:
        said = Say(answer.text or filler(getattr(answer, "after", 0)))
    prompt = said.prompt_tokens
    if prompt is None:
        prompt = sum(map(count, request.texts)) + 3 * len(request.texts)
    completion = said.completion_tokens
    if completion is None:
        completion = count(said.reasoning) + count(said.text)
    if said.obey_limit and request.limit and completion > request.limit:
        text = shortened(said.text, request.limit - count(said.reasoning), count)
        said = replace(said, text=text, finish="length")
        completion = count(said.reasoning) + count(said.text)
    cached = min(said.cached, prompt)
    written = min(said.cache_written, prompt - cached) if request.protocol == "anthropic" else 0
    return said, {"prompt": prompt, "completion": completion, "cached": cached, "cache_written": written}


def shortened(text, limit, count):
    """The longest beginning of the text that counts no more than the limit."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(text[:middle]) <= limit else (low, middle - 1)
    return text[:low]


# ---- the two protocols: one reply as a whole, or in pieces ----------------------------------------------------------


def sse(data, event=""):
    return (f"event: {event}\n" if event else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


class OpenAI:
    """One reply in the words of OpenAI's chat completions."""

    def __init__(self, request, said, count):
        self.request, self.said, self.usage, self.count = request, said, request.usage, count
        options = request.body.get("stream_options") or {}
        self.tells_usage = bool(said.usage and (not request.streamed or options.get("include_usage")))

    def frame(self, kind, choices):
        head = {
            "id": f"chatcmpl-{self.request.number}",
            "object": kind,
            "created": CREATED,
            "model": self.request.model,
        }
        return head | {"choices": choices}

    def bill(self):
        return {
            "prompt_tokens": self.usage["prompt"],
            "completion_tokens": self.usage["completion"],
            "total_tokens": self.usage["prompt"] + self.usage["completion"],
            "prompt_tokens_details": {"cached_tokens": self.usage["cached"]},
            "completion_tokens_details": {"reasoning_tokens": self.count(self.said.reasoning)},
        }

    def whole(self):
        message = {"role": "assistant", "content": self.said.text}
        if self.said.reasoning:
            message["reasoning_content"] = self.said.reasoning
        choice = {"index": 0, "message": message, "finish_reason": self.said.finish}
        return self.frame("chat.completion", [choice]) | ({"usage": self.bill()} if self.tells_usage else {})

    def piece(self, delta, finish=None):
        return sse(self.frame("chat.completion.chunk", [{"index": 0, "delta": delta, "finish_reason": finish}]))

    def opening(self):
        thought = self.piece({"reasoning_content": self.said.reasoning}) if self.said.reasoning else ""
        return self.piece({"role": "assistant", "content": ""}) + thought

    def delta(self, text):
        return self.piece({"content": text})

    def closing(self):
        bill = sse(self.frame("chat.completion.chunk", []) | {"usage": self.bill()}) if self.tells_usage else ""
        return self.piece({}, self.said.finish) + bill + sse("[DONE]")

    @staticmethod
    def error(status):
        kind = status.type or ("server_error" if status.code >= 500 else "invalid_request_error")
        return {"error": {"message": status.message, "type": kind, "param": None, "code": status.error_code or None}}

    def error_piece(self, status):
        return sse(self.error(status))


class Anthropic:
    """One reply in the words of Anthropic's messages."""

    STOPS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
    TYPES = {
        400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
        413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error",
    }  # fmt: skip

    def __init__(self, request, said, count):
        self.request, self.said, self.usage, self.tells_usage = request, said, request.usage, said.usage

    def bill(self, **changes):
        if not self.tells_usage:
            return {}
        told = {
            "input_tokens": self.usage["prompt"] - self.usage["cached"] - self.usage["cache_written"],
            "cache_creation_input_tokens": self.usage["cache_written"],
            "cache_read_input_tokens": self.usage["cached"],
            "output_tokens": self.usage["completion"],
        }
        return {"usage": told | changes}

    def frame(self, content, stop=None, **usage):
        head = {"id": f"msg_{self.request.number}", "type": "message", "role": "assistant", "model": self.request.model}
        return head | {"content": content, "stop_reason": stop, "stop_sequence": None} | self.bill(**usage)

    def stop(self):
        return self.STOPS.get(self.said.finish, self.said.finish)

    def whole(self):
        thought = {"type": "thinking", "thinking": self.said.reasoning, "signature": SIGNATURE}
        content = [thought] if self.said.reasoning else []
        return self.frame([*content, {"type": "text", "text": self.said.text}], self.stop())

    @staticmethod
    def piece(kind, **fields):
        return sse({"type": kind, **fields}, kind)

    def text(self, kind, **fields):
        return self.piece(f"content_block_{kind}", index=1 if self.said.reasoning else 0, **fields)

    def thought(self, kind, **fields):
        return self.piece(f"content_block_{kind}", index=0, **fields)

    def opening(self):
        start = self.piece("message_start", message=self.frame([], output_tokens=1))
        if self.said.reasoning:
            start += self.thought("start", content_block={"type": "thinking", "thinking": "", "signature": ""})
            start += self.thought("delta", delta={"type": "thinking_delta", "thinking": self.said.reasoning})
            start += self.thought("delta", delta={"type": "signature_delta", "signature": SIGNATURE})
            start += self.thought("stop")
        return start + self.text("start", content_block={"type": "text", "text": ""})

    def delta(self, text):
        return self.text("delta", delta={"type": "text_delta", "text": text})

    def closing(self):
        stop = {"stop_reason": self.stop(), "stop_sequence": None}
        return self.text("stop") + self.piece("message_delta", delta=stop, **self.bill()) + self.piece("message_stop")

    @classmethod
    def error(cls, status):
        kind = status.type or cls.TYPES.get(status.code, "api_error")
        return {"type": "error", "error": {"type": kind, "message": status.message}}

    def error_piece(self, status):
        return sse(self.error(status), "error")


PROTOCOLS = {"openai": OpenAI, "anthropic": Anthropic}


# ---- the wire -----------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    """One connection, one call."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def do_GET(self):
        models = [{"id": "test", "object": "model", "created": CREATED, "owned_by": "fake"}]
        if self.path.split("?")[0] not in ("/v1/models", "/models"):
            return self.send(404, {"error": {"message": "no such path"}})
        return self.send(200, {"object": "list", "data": models})

    def do_POST(self):
        self.close_connection = True
        path, fake = self.path.split("?")[0], self.server.fake
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            if path not in PATHS or not isinstance(body.get("messages"), list):
                raise ValueError(f"fake_llm knows no such call: POST {path}")
        except ValueError as problem:
            refused = {"error": {"message": str(problem), "type": "invalid_request_error"}}
            return self.send(400 if path in PATHS else 404, refused)
        headers = {name.lower(): value for name, value in self.headers.items()}
        call, answer = fake.received(path, headers, body)
        try:
            return self.perform(call, answer)
        finally:
            fake.settled(call)

    def perform(self, call, answer):
        wire = PROTOCOLS[call.protocol]
        if isinstance(answer, Status):
            status = answer.anthropic if answer.anthropic and call.protocol == "anthropic" else answer
            return self.send(status.code, wire.error(status), headers=status.headers)
        if isinstance(answer, Garbage):
            return self.send(200, answer.body.encode(), answer.content_type)
        wire = wire(call, call.said, self.server.fake.count)
        if isinstance(answer, Hang) and not (call.streamed and answer.after):
            return self.wait_until_gone()
        if isinstance(answer, Cut) and not answer.text:
            return self.cut(answer, wire)
        return self.stream(call, answer, wire) if call.streamed else self.say(call, answer, wire)

    def say(self, call, answer, wire):
        body = json.dumps(wire.whole()).encode()
        self.head(200, "application/json", {"content-length": str(len(body))})
        if isinstance(answer, Cut):
            self.wfile.write(body[: len(body) // 2])
            return self.cut(answer, wire)
        return self.end(call, wire, body)

    def stream(self, call, answer, wire):
        self.head(200, "text/event-stream", {"transfer-encoding": "chunked", "cache-control": "no-cache"})
        self.wfile.write(framed(wire.opening()))
        broken = isinstance(answer, Hang | Cut)
        text = wire.said.text[: answer.after] if broken else wire.said.text
        for start in range(0, len(text), wire.said.chunk):
            self.expect_client(wire.said.pause)
            self.wfile.write(framed(wire.delta(text[start : start + wire.said.chunk])))
        if isinstance(answer, Hang):
            return self.wait_until_gone()
        if isinstance(answer, Cut):
            return self.cut(answer, wire)
        self.expect_client(wire.said.pause)
        return self.end(call, wire, framed(wire.closing()) + framed(""))

    def send(self, code, body, content_type="application/json", headers=()):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.head(code, content_type, {**dict(headers), "content-length": str(len(body))})
        self.wfile.write(body)

    def head(self, code, content_type, headers):
        self.send_response(code)
        for name, value in {"content-type": content_type, "connection": "close", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def expect_client(self, seconds):
        """Pause; a client that went away meanwhile ends the reply."""
        readable, _, _ = select.select([self.connection], [], [], seconds)
        if readable and not self.connection.recv(1, socket.MSG_PEEK):
            raise BrokenPipeError("the client went away")

    def wait_until_gone(self):
        while self.connection.recv(SLICE):
            pass

    def cut(self, answer, wire):
        if answer.error:
            self.wfile.write(framed(wire.error_piece(answer.error)) + framed(""))
        elif answer.quiet:
            self.wfile.write(framed(""))
        elif answer.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def end(self, call, wire, data):
        """Send the end of a reply. The client has it if it then closes an intact connection on which nothing is unread."""
        self.server.fake.ending(call, wire.tells_usage)
        try:
            self.connection.sendall(data)
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(PATIENCE)
            with suppress(TimeoutError):
                self.wait_until_gone()
            if self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                call.delivered = False
        except OSError:
            call.delivered = False


def framed(text):
    """One chunk of a chunked body; an empty one ends the body."""
    data = text.encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


class Listener(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Threads that die with the program, and sockets that can all be shut at once."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, fake, port):
        self.fake, self.connections, self.changed = fake, set(), threading.Condition()
        super().__init__(("127.0.0.1", port), Handler)

    def process_request(self, request, client_address):
        with self.changed:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        with self.changed:
            super().shutdown_request(request)
            self.connections.discard(request)
            self.changed.notify_all()

    def handle_error(self, request, client_address):
        problem = sys.exc_info()[1]
        if not isinstance(problem, OSError) and problem not in self.fake.problems:  # a client may go away at any time
            self.fake.problems.append(problem)

    def shut_all(self):
        with self.changed:
            for connection in self.connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.changed.wait_for(lambda: not self.connections, PATIENCE)


# ---- the server ---------------------------------------------------------------------------------------------------


class FakeLLM:
    """Serves while its `with` block runs. An error inside a script's function is raised when the block ends.

    `script` is a list of answers in the order of the requests, or a function of the Request. After the end of a list
    the last answer is given again (`repeat`), or a 500 that is counted in `overrun`.
    """

    def __init__(self, script, count=simple_count, repeat=False, port=0, note=lambda fake: None):
        self.script = script if callable(script) else list(script)
        self.count, self.repeat, self.note = count, repeat, note
        self.requests, self.overrun, self.problems = [], 0, []
        self.changed = threading.Condition()
        self.listener = Listener(self, port)
        self.thread = threading.Thread(target=self.listener.serve_forever, args=(0.02,), daemon=True)
        self.anthropic_url = f"http://127.0.0.1:{self.listener.server_address[1]}"
        self.openai_url = f"{self.anthropic_url}/v1"

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.listener.shutdown()
        self.thread.join()
        self.listener.shut_all()
        self.listener.server_close()
        if self.problems and kind is None:
            raise self.problems[0]

    def received(self, path, headers, body):
        with self.changed:
            call = Request(len(self.requests) + 1, path, headers, body, time.monotonic())
            self.requests.append(call)
            if not callable(self.script):
                self.book(call, self.next_in_list(call.number))
            self.changed.notify_all()
        if callable(self.script):
            self.book(call, self.asked(call))
        self.noted()
        return call, call.answer

    def asked(self, call):
        """What a script's function answers; not under the lock, for it may wait for another request."""
        try:
            return self.script(call)
        except Exception as problem:
            self.problems.append(problem)
            raise

    def book(self, call, answer):
        call.answer = answer
        if not isinstance(answer, Status | Garbage):
            call.said, call.usage = generated(call, answer, self.count)

    def next_in_list(self, number):
        if number <= len(self.script):
            return self.script[number - 1]
        if self.repeat and self.script:
            return self.script[-1]
        self.overrun += 1
        return Status(
            500, f"fake_llm: request {number} has no answer; the script has {len(self.script)}", "script_ended"
        )

    def ending(self, call, tells_usage):
        with self.changed:
            call.state, call.delivered = "sent", tells_usage
        self.noted()

    def settled(self, call):
        with self.changed:
            call.state = "done"
            self.changed.notify_all()
        self.noted()

    def noted(self):
        with self.changed:
            self.note(self)

    def wait_for(self, number, timeout=10):
        """The requests, once so many have arrived."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.requests) >= number, timeout):
                raise TimeoutError(f"{len(self.requests)} of {number} requests arrived in {timeout} s")
            return list(self.requests)

    def total(self, delivered):
        with self.changed:
            self.changed.wait_for(lambda: all(call.state != "sent" for call in self.requests), GLANCE)
            return summed(call.usage for call in self.requests if call.delivered is delivered)

    @property
    def delivered(self):
        return self.total(True)

    @property
    def undelivered(self):
        return self.total(False)


def summed(usages):
    usages = list(usages)
    return {name: sum(usage[name] for usage in usages) for name in NOTHING}


# ---- as a program -------------------------------------------------------------------------------------------------

KINDS = {
    "say": (Say, "text"), "status": (Status, "code"), "cut": (Cut, "text"), "garbage": (Garbage, "body"),
    "huge": (Huge, "size"), "hang": (Hang, ""),
}  # fmt: skip


def parsed(answer):
    """An answer from its JSON: {"say": "Hello.", "pause": 1}, {"status": 429, "message": "Wait."}, {"hang": true} …"""
    name = next(name for name in KINDS if name in answer)
    kind, first = KINDS[name]
    rest = {key: value for key, value in answer.items() if key != name}
    return kind(**rest, **({first: answer[name]} if first else {}))


def write_ledger(fake, path):
    names = ("number", "path", "model", "state", "delivered", "usage")
    told = {"requests": [{name: getattr(call, name) for name in names} for call in fake.requests]}
    told["delivered"] = summed(call.usage for call in fake.requests if call.delivered)
    told["undelivered"] = summed(call.usage for call in fake.requests if not call.delivered)
    Path(f"{path}.new").write_text(json.dumps({**told, "overrun": fake.overrun}))
    os.replace(f"{path}.new", path)


def main():
    options = argparse.ArgumentParser(description="A fake LLM server.")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--script", required=True)
    options.add_argument("--ledger")
    options.add_argument("--repeat", action="store_true")
    given = options.parse_args()
    script = [parsed(answer) for answer in json.loads(Path(given.script).read_text())]
    note = (lambda fake: write_ledger(fake, given.ledger)) if given.ledger else (lambda fake: None)
    with FakeLLM(script, repeat=given.repeat, port=given.port, note=note) as server:
        print(server.anthropic_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
