"""The way out of a sandbox to the hub: the proxy by itself, with rude clients, and a job in bubblewrap that goes through."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.core.hub import HUB, Allowed
from agent.core.job import Command, Job, Limits, Outcome, Reach
from agent.runners import folder, tiers
from agent.runners.hub import Bounds, Proxy
from agent.runners.inspect import fingerprint
from agent.runners.local import LocalRunner
from agent.runners.sandbox import NO_HUB, PROXY_PORT
from tests import tiny_hub
from tests.runners.attempts import ended, kill, launcher_of, survivors, until

HERE = {"hub.test": ["127.0.0.1"], "other.test": ["127.0.0.1"], "inside.test": ["10.1.2.3"], "both.test": ["3.165.1.1", "127.0.0.1"],
        "nowhere.test": []}  # fmt: skip


def resolve(host: str, port: int) -> list[str]:
    if host not in HERE:
        raise socket.gaierror(-2, "no such name")
    return HERE[host]


class Way:
    """A proxy in a thread of this process, and clients of it."""

    def __init__(self, log: Path, allowed: Allowed, bounds: Bounds) -> None:
        self.log = log
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = self.door.getsockname()[1]
        self.proxy = Proxy(allowed, log, resolve, bounds)
        threading.Thread(target=self.proxy.answer_at, args=(self.door,), daemon=True).start()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), 5)

    def say(self, data: bytes) -> bytes:
        """All that is answered."""
        with self.connect() as client:
            client.sendall(data)
            return everything(client)

    def tunnel(self, place: str) -> socket.socket:
        client = self.connect()
        client.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = client.recv(1000)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        return client

    def secured(self, client: socket.socket, name: str) -> ssl.SSLSocket:
        return ssl.create_default_context(cafile=tiny_hub.certificate()[0]).wrap_socket(client, server_hostname=name)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []


def everything(client: socket.socket) -> bytes:
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while data := client.recv(65536):
            said += data
    return said


@pytest.fixture
def way(tmp_path: Path) -> Iterator[Callable[..., Way]]:
    made: list[Way] = []

    def make(port: int = 443, private: bool = True, **bounds: Any) -> Way:
        names = ("test",)
        made.append(Way(tmp_path / f"log-{len(made)}", Allowed(names, port, private), Bounds(**bounds)))
        return made[-1]

    yield make
    for one in made:
        with contextlib.suppress(OSError):
            one.door.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def hub() -> Iterator[tiny_hub.Hub]:
    with tiny_hub.running() as found:
        yield found


# --- by itself -----------------------------------------------------------------------------------------------------------


def test_a_tunnel_carries_https_both_ways_and_the_log_says_how_much(way, hub):
    here = way(hub.port)
    with here.secured(here.tunnel(f"hub.test:{hub.port}"), "hub.test") as client:
        client.sendall(b"GET /tiny/model/resolve/main/weights.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        said = everything(client)
    assert said.endswith(tiny_hub.FILES["weights.bin"])
    opened, closed = until(lambda: len(here.lines()) == 2 and here.lines())
    assert opened["answer"] == "allowed" and opened["asked"] == f"CONNECT hub.test:{hub.port} HTTP/1.1"
    assert closed["received"] > len(tiny_hub.FILES["weights.bin"]) and 200 < closed["sent"] < 5000


@pytest.mark.parametrize(
    ("request_", "status", "said"),
    [
        (b"CONNECT evil.org:443 HTTP/1.1\r\n\r\n", 403, "none of the hosts that are allowed"),
        (b"CONNECT hub.test:80 HTTP/1.1\r\n\r\n", 403, "port 80 is refused"),
        (b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n", 403, "none of the hosts"),
        (b"GET / HTTP/1.1\r\nHost: hub.test\r\n\r\n", 405, "only CONNECT"),
        (b"GET http://hub.test/ HTTP/1.1\r\n\r\n", 405, "only CONNECT"),
        (b"\x00\x01\x02\r\n\r\n", 400, "no request of HTTP"),
        (b"CONNECT absent.test:443 HTTP/1.1\r\n\r\n", 502, "cannot be resolved"),
        (b"CONNECT nowhere.test:443 HTTP/1.1\r\n\r\n", 403, "no address"),
        (b"CONNECT inside.test:443 HTTP/1.1\r\n\r\n", 403, "is at 10.1.2.3, which is not on the open Internet"),
        (b"CONNECT both.test:443 HTTP/1.1\r\n\r\n", 403, "is at 127.0.0.1"),
        (b"CONNECT hub.test:443 HTTP/1.1\r\n" + b"A: b\r\n" * 2000 + b"\r\n", 431, "at most"),
        (b"C" * 100_000, 431, "at most"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence_and_is_in_the_log(way, request_, status, said):
    here = way(private=False)
    answer = here.say(request_)
    if status != 431:  # what it had not read was thrown away, and perhaps its answer with it
        assert answer.startswith(b"HTTP/1.1 %d " % status) and said.encode() in answer
    line = until(here.lines)[-1]
    assert line["answer"].startswith("refused: ") and said in line["answer"]


@pytest.mark.parametrize(
    ("spoken", "said"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", "is not TLS"),
        (b"SSH-2.0-x\r\n", "is not TLS"),
        (b"\x16\x03\x01\x00\x04abcd", "cannot be read"),
    ],
)
def test_a_tunnel_is_for_tls_only(way, hub, spoken, said):
    here = way(hub.port)
    with here.tunnel(f"hub.test:{hub.port}") as client:
        client.sendall(spoken)
        assert everything(client) == b""
    assert said in until(here.lines)[-1]["answer"]
    assert hub.asked == []


def test_a_tunnel_to_one_host_is_not_used_for_another_at_the_same_address(way, hub):
    """As with a provider whose addresses serve everybody's files."""
    here = way(hub.port)
    with pytest.raises((ssl.SSLError, OSError)):
        here.secured(here.tunnel(f"hub.test:{hub.port}"), "other.test")
    assert "names another server, 'other.test'" in until(here.lines)[-1]["answer"]


def test_clients_that_say_nothing_or_too_slowly_are_sent_away(way, hub):
    here = way(hub.port, speech=0.3)
    began = time.monotonic()
    with here.connect() as silent, here.connect() as slow, here.tunnel(f"hub.test:{hub.port}") as mute:
        for byte in b"CONNECT hub.t":
            with contextlib.suppress(OSError):
                slow.sendall(bytes([byte]))
            time.sleep(0.05)
        assert b" 408 " in everything(silent) and b" 408 " in everything(slow) and everything(mute) == b""
    assert time.monotonic() - began < 3
    assert sum("0.3 s" in line["answer"] for line in here.lines()) == 2


def test_a_tunnel_in_which_nothing_goes_either_way_ends(way, hub):
    here = way(hub.port, idle=0.3)
    with here.secured(here.tunnel(f"hub.test:{hub.port}"), "hub.test") as client:
        began = time.monotonic()
        with contextlib.suppress(ssl.SSLError):
            assert client.recv(10) == b""
    assert 0.2 < time.monotonic() - began < 3


def test_a_slow_stream_one_way_keeps_a_tunnel_open(way):
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = way(server.getsockname()[1], idle=0.3)
        heard: list[bytes] = []

        def trickle() -> None:
            end, _ = server.accept()
            with end:
                heard.append(end.recv(5000))
                for _ in range(6):
                    time.sleep(0.1)
                    end.sendall(b"x")

        thread = threading.Thread(target=trickle)
        thread.start()
        outgoing = ssl.MemoryBIO()
        first = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="hub.test")
        with pytest.raises(ssl.SSLWantReadError):
            first.do_handshake()
        with here.tunnel(f"hub.test:{server.getsockname()[1]}") as client:
            client.sendall(outgoing.read())
            assert everything(client) == b"xxxxxx"
        thread.join()


def test_more_clients_than_there_are_tunnels_wait_for_their_turn(way):
    here = way(tunnels=2, speech=0.5)
    with here.connect(), here.connect(), here.connect() as third:
        began = time.monotonic()
        third.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert b" 405 " in everything(third)
        assert time.monotonic() - began > 0.3


def test_the_log_does_not_grow_for_ever(way):
    here = way()
    here.proxy.room = 1000
    for _ in range(30):
        here.say(b"GET / HTTP/1.1\r\n\r\n")
    assert here.log.stat().st_size < 1200
    assert here.lines()[-1]["answer"] == "further requests are not written down"


# --- from a sandbox ------------------------------------------------------------------------------------------------------


@pytest.fixture
def boxed(tmp_path: Path) -> Callable[..., tuple[Path, Outcome | None]]:
    found = tiers.probe("bwrap")
    if not found.works:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(found.said)
    work = tmp_path / "work"
    work.mkdir()

    def run(
        *argv: str, wait: bool = True, allowed: Allowed = HUB, env: dict[str, str] | None = None, **more: Any
    ) -> Any:
        readable = (str(work), *fingerprint((sys.executable,)).folders, str(Path(tiny_hub.certificate()[0]).parent))
        attempt = tmp_path / "attempts" / str(len(list(tmp_path.glob("attempts/*"))))
        command = Command("experiment", argv, reach=Reach((), readable))
        job = Job((command, command) if more.pop("twice", False) else (command,), str(work), env or {}, 30.0,
                  sandbox=more.pop("sandbox", "bwrap"), network="hub", hub=allowed, limits=Limits(**more))  # fmt: skip
        folder.write_job(attempt, job)
        LocalRunner().start(attempt)
        return attempt, ended(attempt, 60) if wait else None

    return run


def python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def log_of(attempt: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (attempt / "network.log").read_text().splitlines()]


CLIENTS = """
import os, httpx, requests
from huggingface_hub import hf_hub_download, snapshot_download
where = os.environ["HF_ENDPOINT"] + "/tiny/model/resolve/main/config.json"
print(httpx.get(where).text, requests.get(where).text)
print(len(open(hf_hub_download("tiny/model", "weights.bin"), "rb").read()))
print(sorted(os.listdir(snapshot_download("tiny/model"))))
"""


@pytest.mark.slow
def test_the_usual_clients_reach_the_hub_from_a_sandbox(boxed, hub):
    env = {"HF_ENDPOINT": hub.endpoint, "SSL_CERT_FILE": hub.certificate, "REQUESTS_CA_BUNDLE": hub.certificate}
    attempt, out = boxed(*python(CLIENTS), allowed=Allowed(("localhost",), hub.port, True), env=env)
    assert out.ok, (attempt / "stderr.log").read_text()[-3000:]
    said = (attempt / "stdout.log").read_text().splitlines()
    assert said == ['{"size": "tiny"} {"size": "tiny"}', "512000", "['config.json', 'weights.bin']"]
    assert all(line.get("answer", "allowed") == "allowed" for line in log_of(attempt))
    assert sum(line.get("received", 0) for line in log_of(attempt)) > 512_000
    assert out.sandbox.startswith(tiers.HUB_LINES["bwrap"])


DIRECT = """
import socket, sys
for address in [("127.0.0.1", PORT), ("192.0.2.1", 443)]:
    try:
        socket.create_connection(address, 2)
        print("connected")
    except OSError as problem:
        print(type(problem).__name__)
def ask(place):
    with socket.create_connection(("127.0.0.1", PROXY), 5) as client:
        client.sendall(f"CONNECT {place} HTTP/1.1\\r\\n\\r\\n".encode())
        print(client.recv(100).split()[1].decode())
for place in ("127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "0.0.0.0:PORT"):
    ask(place)
"""


@pytest.mark.parametrize("allowed", ["the hub", "a name that is this machine's"])
def test_nothing_but_the_hub_is_reached_not_directly_and_not_by_the_proxy(boxed, hub, allowed):
    code = DIRECT.replace("PORT", str(hub.port)).replace("PROXY", str(PROXY_PORT))
    attempt, out = boxed(*python(code), allowed=HUB if allowed == "the hub" else Allowed(("localhost",), hub.port))
    assert out.ok, (attempt / "stderr.log").read_text()
    said = (attempt / "stdout.log").read_text().split()
    assert said[:2] == ["ConnectionRefusedError", "OSError"] and said[2:] == ["403", "403", "400", "403"]
    if allowed != "the hub":
        assert "which is not on the open Internet" in log_of(attempt)[1]["answer"]
    assert hub.asked == []


def test_each_command_of_a_job_has_its_way_out_and_nothing_of_it_is_the_jobs(boxed):
    """One process is allowed, and it is the command; it has no descriptor that it did not open."""
    code = (
        f"import os, socket; socket.create_connection(('127.0.0.1', {PROXY_PORT}), 5).close();"
        "print(len(os.listdir('/proc/self/fd')), [n for n in os.listdir('/proc') if n.isdecimal()]);"
        "import signal; print(signal.getsignal(signal.SIGXFSZ).name)"
    )
    attempt, out = boxed("/usr/bin/python3", "-S", "-c", code, twice=True, processes=1)
    assert out.ok, out
    lines = (attempt / "stdout.log").read_text().splitlines()
    assert lines == ["4 ['1', '2']", "SIG_IGN"] * 2  # Python itself ignores it: see the next test
    attempt, out = boxed("/bin/sh", "-c", "grep SigIgn /proc/self/status")
    mine = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("SigIgn"))
    python = 1 << signal.SIGPIPE - 1 | 1 << signal.SIGXFSZ - 1
    inherited = int(mine.split()[1], 16) & ~python  # make, or a shell's background, ignores some
    assert int((attempt / "stdout.log").read_text().split()[1], 16) & ~inherited == 0


@pytest.mark.parametrize(
    ("code", "exit_code", "number"), [("exit 7", 7, None), ("kill -SEGV $$", None, 11), ("kill -9 $$", None, 9)]
)
def test_how_a_command_ends_is_told_as_without_a_way_out(boxed, code, exit_code, number):
    _, out = boxed("/bin/sh", "-c", code)
    assert (out.ending, out.exit_code, out.signal) == ("finished", exit_code, number)


@pytest.mark.parametrize("who", ["launcher", "reaper"])
def test_the_proxy_dies_with_the_launcher_and_with_the_reaper(boxed, who):
    attempt, _ = boxed("/bin/sh", "-c", "echo ready; sleep 60", wait=False)
    until(lambda: (attempt / "stdout.log").exists() and (attempt / "stdout.log").read_text())
    launcher = launcher_of(attempt)
    mine = until(lambda: processes_of(launcher))
    assert len(mine) == 2  # proxy and reaper
    kill(launcher if who == "launcher" else max(mine))
    until(lambda: not any(map(alive, [launcher, *mine])))
    assert ended(attempt).ending == "lost"
    assert survivors(attempt) == []


def test_a_job_that_wants_the_hub_does_not_start_under_landlock(boxed):
    _, out = boxed("/bin/true", sandbox="landlock")
    assert out.ending == "unstartable" and NO_HUB in out.detail


def processes_of(launcher: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{launcher}/task/{launcher}/children").read_text().split()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False
