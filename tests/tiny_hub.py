"""A hub on this machine's loopback: one model with some files, over HTTP or HTTPS, as the hub's own library asks for it.

And one data set, `tiny/data`, as the library `datasets` asks for it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import ssl
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REVISION = "c0ffee" * 6 + "beef"
FILES = {"config.json": b'{"size": "tiny"}', "weights.bin": bytes(range(256)) * 2000}
DATA = {"README.md": b"---\nlicense: mit\n---\nTwo rows.\n", "train.csv": b"x,y\n1,2\n3,4\n"}


def data_set(path: str) -> tuple[int, bytes]:
    """What the hub says of its data set."""
    if path.startswith("/datasets/tiny/data/resolve/"):
        name = path.split("/", 6)[6]
        return (200, DATA[name]) if name in DATA else (404, b"no such file")
    if "/tree/" in path:
        below = path.partition("/tree/")[2].partition("/")[2]
        rows = [{"type": "file", "oid": "0" * 40, "size": len(DATA[n]), "path": n} for n in DATA if n.startswith(below)]
        return (200, json.dumps(rows).encode()) if rows else (404, b"no such folder")
    about = {"id": "tiny/data", "sha": REVISION, "tags": [], "siblings": [{"rfilename": name} for name in DATA]}
    return 200, json.dumps(about).encode()


@dataclass
class Hub:
    port: int
    secure: bool
    certificate: str = ""
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    failing: int = 0  # so many answers are errors of the server

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self.secure else ''}://localhost:{self.port}"


@functools.cache
def certificate() -> tuple[str, str]:
    """(certificate, key) for localhost, made once for all tests of a process."""
    folder = Path(tempfile.mkdtemp(prefix="tiny-hub-"))
    names = "subjectAltName=DNS:localhost,DNS:hub.test,DNS:other.test"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", names, "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return str(folder / "cert.pem"), str(folder / "key.pem")


@contextlib.contextmanager
def running(secure: bool = True) -> Iterator[Hub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            hub.asked.append(f"{self.command} {self.path}")
            hub.tokens.append(self.headers.get("Authorization", ""))
            if hub.failing > 0:
                hub.failing -= 1
                return self.answer(503, b"later")
            path = self.path.split("?")[0]
            if path.startswith(("/datasets/tiny/data/", "/api/datasets/tiny/data")):
                return self.answer(*data_set(path))
            *_, name = path.split("/")
            if self.path.startswith("/api/models/tiny/model"):
                rows = [{"rfilename": name} for name in FILES]
                about = {"id": "tiny/model", "modelId": "tiny/model", "sha": REVISION, "siblings": rows}
                return self.answer(200, json.dumps(about).encode())
            if self.path.startswith("/tiny/model/resolve/") and name in FILES:
                return self.answer(200, FILES[name])
            return self.answer(404, b"no such thing")

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", REVISION)
            if status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:  # clients that go away are part of the tests
            pass

    server = Server(("127.0.0.1", 0), Handler)
    hub = Hub(server.server_address[1], secure)
    if secure:
        hub.certificate, key = certificate()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(hub.certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
