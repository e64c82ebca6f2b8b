"""The way out of a sandbox for `network = "hub"`: a proxy outside of it that makes tunnels to the hub and nothing else.

A process of its own beside the reaper. Through one end of a socket pair it is given, by doorway.py inside, a socket that
listens on the sandbox's loopback; the reaper holds the other end, so the proxy ends when the reaper does, and thus with
the launcher. What is let through is decided in core.hub. Names are resolved here, once, and what was looked at is what
is connected to. Each request is written to network.log in the attempt's folder: a line when it is decided, and one with
the bytes when a tunnel ends.
A client can only harm itself: the number of its tunnels, the time for its request and its first message, silence, and
the log are bounded.
Limits: it connects directly, never through another proxy. It has the user's rights, but no key in its environment. It
does not count as the job's memory or processes.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.core.hub import LONGEST_HEAD, LONGEST_HELLO, Allowed, Refused, Target, may_connect, named_in, target_of

LOG = "network.log"
LONGEST_LOG = 1_000_000
PIECE = 64 * 1024
LAST_WORDS = 1.0  # seconds for the log, when the job has ended
REASONS = {400: "Bad Request", 403: "Forbidden", 405: "Method Not Allowed", 408: "Request Timeout",
           431: "Request Header Fields Too Large", 502: "Bad Gateway"}  # fmt: skip

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True)
class Bounds:
    tunnels: int = 64  # at once; further clients wait
    speech: float = 10.0  # seconds for the request, and again for the first message
    connecting: float = 15.0
    idle: float = 120.0  # seconds in which nothing goes either way


def open_hub(attempt: Path, allowed: Allowed) -> tuple[Callable[[], None], int]:
    """Start the proxy; how to wait for its end when the job has ended, and the descriptor that doors are handed to."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.setsid()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # it goes when the job has gone
                signal.signal(number, signal.SIG_IGN)
            os.closerange(3, ours.fileno())
            os.closerange(ours.fileno() + 1, os.sysconf("SC_OPEN_MAX"))  # the attempt's lock among them
            Proxy(allowed, attempt / LOG).serve(ours)
            status = 0
        except BaseException:  # noqa: BLE001  the caller's stack belongs to the launcher
            traceback.print_exc()
        finally:
            os._exit(status)
    ours.close()
    return functools.partial(_wait_for, process), theirs.detach()


def _wait_for(process: int) -> None:
    """Let the proxy write its last lines: it has no more to do. Whoever calls kills what does not end."""
    deadline = time.monotonic() + LAST_WORDS
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(process, os.WNOHANG)[0] == 0 and time.monotonic() < deadline:
            time.sleep(0.005)


def addresses_of(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class Proxy:
    def __init__(
        self, allowed: Allowed, log: Path, resolve: Resolve = addresses_of, bounds: Bounds | None = None
    ) -> None:
        self.allowed, self.resolve, self.bounds = allowed, resolve, bounds or Bounds()
        self.log, self.room, self.writing = log, LONGEST_LOG, threading.Lock()
        self.free = threading.Semaphore(self.bounds.tunnels)
        self.clients: set[threading.Thread] = set()

    def serve(self, doors: socket.socket) -> None:
        """Until nobody is left who could hand over a door."""
        while True:
            message, descriptors, *_ = socket.recv_fds(doors, 1, 4)
            if not message:
                break
            for descriptor in descriptors:
                self._start(self.answer_at, socket.socket(fileno=descriptor))
        deadline = time.monotonic() + LAST_WORDS / 2
        for client in [*self.clients]:
            client.join(max(0.0, deadline - time.monotonic()))

    def _start(self, work: Callable[[socket.socket], None], end: socket.socket) -> None:
        threading.Thread(target=work, args=(end,), daemon=True).start()

    def answer_at(self, door: socket.socket) -> None:
        """For as long as the proxy lives. What it was given may be no door at all: then this ends at once."""
        with door, contextlib.suppress(OSError):
            while self.free.acquire():
                self._start(self._answer, door.accept()[0])

    def _answer(self, client: socket.socket) -> None:
        self.clients.add(threading.current_thread())
        try:
            with client, contextlib.suppress(OSError):
                self._converse(client)
        finally:
            self.clients.discard(threading.current_thread())
            self.free.release()

    def _converse(self, client: socket.socket) -> None:
        spoken = _head(client, self.bounds.speech)
        if isinstance(spoken, Refused):
            return self._refuse(client, "", spoken)
        head, rest = spoken
        asked = head.split(b"\r\n", 1)[0].decode("latin-1")
        target = target_of(head, self.allowed)
        if isinstance(target, Refused):
            return self._refuse(client, asked, target)
        server = self._connect(target)
        if isinstance(server, Refused):
            return self._refuse(client, asked, server)
        with server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            hello = _hello(client, rest, target.host, self.bounds.speech)
            if isinstance(hello, Refused):
                return self._note(asked, answer=f"refused: {hello.why}")
            self._note(asked, answer="allowed")
            tunnel = Tunnel(client, server, self.bounds.idle)
            tunnel.run(hello)
            return self._note(asked, sent=tunnel.sent, received=tunnel.received, seconds=round(tunnel.seconds, 3))

    def _connect(self, target: Target) -> socket.socket | Refused:
        try:
            addresses = self.resolve(target.host, target.port)
        except OSError as problem:
            return Refused(502, f"{target.host} cannot be resolved: {problem.strerror}")
        wrong = [address for address in addresses if not may_connect(address, self.allowed)]
        if wrong or not addresses:
            return Refused(
                403, f"{target.host} is at {', '.join(wrong) or 'no address'}, which is not on the open Internet"
            )
        why: OSError | None = None
        for address in addresses:
            try:
                return socket.create_connection((address, target.port), self.bounds.connecting)
            except OSError as problem:
                why = problem
        return Refused(502, f"{target.host} does not answer: {why}")

    def _refuse(self, client: socket.socket, asked: str, refused: Refused) -> None:
        self._note(asked, answer=f"refused: {refused.why}")
        text = f"ai-scientist: {refused.why}\n".encode()
        head = f"HTTP/1.1 {refused.status} {REASONS[refused.status]}\r\nContent-Type: text/plain\r\n"
        client.sendall(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)

    def _note(self, asked: str, **more: object) -> None:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = json.dumps({"at": at, "asked": asked[:200], **more}).encode() + b"\n"
        with self.writing, contextlib.suppress(OSError):
            if self.room > 0:
                self.room -= len(line)
                with self.log.open("ab", 0) as file:
                    file.write(line if self.room > 0 else b'{"answer": "further requests are not written down"}\n')


class Tunnel:
    """Bytes both ways until both ends have ended, one breaks, or neither says anything for `idle` seconds."""

    def __init__(self, client: socket.socket, server: socket.socket, idle: float) -> None:
        self.client, self.server, self.idle = client, server, idle
        self.sent = self.received = 0
        self.began = self.moved = time.monotonic()

    @property
    def seconds(self) -> float:
        return self.moved - self.began

    def run(self, first: bytes) -> None:
        for end in (self.client, self.server):
            end.settimeout(self.idle)
        back = threading.Thread(target=self._pump, args=(self.server, self.client, self._came), daemon=True)
        back.start()
        self._pump(self.client, self.server, self._went, first)
        back.join()

    def _went(self, count: int) -> None:
        self.sent += count

    def _came(self, count: int) -> None:
        self.received += count

    def _pump(
        self, source: socket.socket, target: socket.socket, count: Callable[[int], None], data: bytes = b""
    ) -> None:
        try:
            while data or (data := self._read(source)):
                target.sendall(data)
                count(len(data))
                self.moved, data = time.monotonic(), b""
            target.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, target):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _read(self, source: socket.socket) -> bytes:
        while True:
            try:
                return source.recv(PIECE)
            except TimeoutError:  # of this direction; the other may be busy
                if time.monotonic() - self.moved >= self.idle:
                    raise


def _head(client: socket.socket, seconds: float) -> tuple[bytes, bytes] | Refused:
    """The request, up to and with its empty line, and what came after it."""
    said, deadline = b"", time.monotonic() + seconds
    while b"\r\n\r\n" not in said:
        if len(said) >= LONGEST_HEAD:
            return Refused(431, f"a request has at most {LONGEST_HEAD} bytes")
        if not (data := _more(client, deadline, LONGEST_HEAD - len(said))):
            return Refused(408, f"no request within {seconds:g} s") if data is None else Refused(400, "no request")
        said += data
    head, _, rest = said.partition(b"\r\n\r\n")
    return head + b"\r\n\r\n", rest


def _hello(client: socket.socket, said: bytes, host: str, seconds: float) -> bytes | Refused:
    """The first message of TLS, if it is one and names the host that was asked for."""
    deadline = time.monotonic() + seconds
    while (name := named_in(said)) is None:
        if not (data := _more(client, deadline, LONGEST_HELLO)):
            return Refused(408, "no whole first message of TLS came")
        said += data
    if isinstance(name, Refused):
        return name
    return said if name == host else Refused(403, f"the first message of TLS names another server, {name[:100]!r}")


def _more(client: socket.socket, deadline: float, most: int) -> bytes | None:
    """None when the time is over, b"" at the end."""
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    client.settimeout(left)
    try:
        return client.recv(most)
    except TimeoutError:
        return None
