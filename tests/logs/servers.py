"""A hub on this machine's loopback that misbehaves in one way."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.tiny_hub import certificate

SHA = "a1b2c3d4" * 5
ERRORS = {
    "gated": (403, "GatedRepo", "Access to this resource is restricted and you are not in the authorized list."),
    "unauthorized": (401, "", "Invalid credentials in Authorization header"),
    "no-repo": (404, "RepoNotFound", "Repository not found"),
    "private": (401, "RepoNotFound", "Repository not found"),
    "no-revision": (404, "RevisionNotFound", "Invalid rev id: v9"),
    "no-file": (404, "EntryNotFound", "Entry not found"),
    "forbidden": (403, "", "Forbidden"),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    way = ""

    def do_GET(self) -> None:
        way = self.way
        if way == "hang":
            time.sleep(60)
        elif way == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            for stream in (self.rfile, self.wfile, self.connection):  # only the last one closes the connection
                stream.close()
            self.close_connection = True
        elif way == "close":
            self.close_connection = True
        elif way in ERRORS:
            status, code, said = ERRORS[way]
            self.answer(status, said.encode(), {"X-Error-Code": code, "X-Error-Message": said} if code else {})
        elif way.startswith("status:"):
            self.answer(int(way[7:]), b"<html>later</html>", {"Retry-After": "1"})
        elif way == "truncated" and self.command == "GET" and "/resolve/" in self.path:
            self.answer(200, b"x" * 400, {"ETag": '"abc"', "X-Repo-Commit": SHA}, length=1000)
            self.close_connection = True
        elif way == "chunks" and "/resolve/" in self.path:
            self.chunked()
        elif way == "stall" and self.command == "GET" and "/resolve/" in self.path:
            self.answer(200, b"x" * 400, {"ETag": '"abc"', "X-Repo-Commit": SHA}, length=1000)
            self.wfile.flush()
            time.sleep(60)
        else:
            body = json.dumps({"id": "deepling/tiny-corpus", "sha": SHA, "siblings": []}).encode()
            size = 1000 if "/resolve/" in self.path else len(body)
            self.answer(200, body, {"ETag": '"abc"', "X-Repo-Commit": SHA}, length=size)

    do_HEAD = do_POST = do_CONNECT = do_GET

    def chunked(self) -> None:
        self.send_response(200)
        for name, value in {"ETag": '"abc"', "X-Repo-Commit": SHA, "Transfer-Encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"190\r\n" + b"x" * 200)
        self.close_connection = True

    def answer(self, status: int, body: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def misbehaving(way: str) -> Iterator[str]:
    """Gives its address. `refused`: nobody listens there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    if way == "refused":
        yield f"http://127.0.0.1:{free}"
        return
    handler = type("Misbehaving", (Handler,), {"way": way})
    server = Server(("127.0.0.1", 0), handler)
    scheme = "http"
    if way == "self-signed":
        context, scheme = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "https"
        context.load_cert_chain(*certificate())
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    if way == "tls-eof":
        scheme = "https"  # TLS is spoken to a server that answers something else, or hangs up
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"{scheme}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
