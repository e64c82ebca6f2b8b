"""Servers and a terminal that no experiment may reach; each notes when the proof arrives."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import socket
import struct
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from tests.hostile.machine import HUB, OUTSIDE

DOCKER = "/run/docker.sock"
HOSTS = f"""
127.0.0.1 localhost rebound.huggingface.co
{HUB} huggingface.co cdn.hf.co
{OUTSIDE} evilhuggingface.co huggingface.co.example.org
"""


class Canaries:
    """Everything listens when this exists; `reached` holds the names of those that were."""

    def __init__(self, proof: str, user: int) -> None:
        self.proof, self.reached = proof.encode(), set[str]()
        self.agent_socket = f"/tmp/ssh-{proof}/agent.1"
        Path(self.agent_socket).parent.mkdir()
        self.tcp, self.udp, self.offered, self.daemon = _free_ports()
        for name in (DOCKER, self.agent_socket, "\0hostile-abstract"):
            self._streams(f"unix {name}", socket.AF_UNIX, name)
            if not name.startswith("\0"):
                os.chown(name, user, user)
        os.chown(Path(self.agent_socket).parent, user, user)
        self._streams("tcp", socket.AF_INET, ("0.0.0.0", self.tcp))
        self._streams("https", socket.AF_INET, ("0.0.0.0", 443))
        Path("/etc/hosts").write_text(HOSTS)
        self._streams("tcp6", socket.AF_INET6, ("::1", self.tcp))
        for address in ("127.0.0.1", OUTSIDE):
            self._datagrams(f"udp {address}", (address, self.udp))
        self._datagrams("name server", (OUTSIDE, 53))
        Path("/etc/resolv.conf").unlink(missing_ok=True)
        Path("/etc/resolv.conf").write_text(f"nameserver {OUTSIDE}\noptions timeout:1 attempts:1\n")
        self.terminal = self._terminal(user)
        self._thread(self._visit)

    def _thread(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _note(self, name: str, data: bytes) -> None:
        if self.proof in data:
            self.reached.add(name)

    def _streams(self, name: str, family: int, address: str | tuple[str, int]) -> None:
        server = socket.socket(family, socket.SOCK_STREAM)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(8)

        def serve() -> None:
            while True:
                client, _ = server.accept()
                client.settimeout(2)
                with contextlib.suppress(OSError), client:
                    seen = b""
                    while self.proof not in seen and (data := client.recv(1000)):
                        seen += data
                        self._note(name, seen)

        self._thread(serve)

    def _datagrams(self, name: str, address: tuple[str, int]) -> None:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(address)

        def serve() -> None:
            while True:
                data, client = server.recvfrom(1000)
                self._note(name, data)
                if address[1] == 53:  # "no such name"
                    server.sendto(data[:2] + struct.pack(">H", 0x8183) + data[4:], client)

        self._thread(serve)

    def _terminal(self, user: int) -> str:
        """The user's: what is written arrives at the master, what is typed at the slave."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        os.chown(os.ttyname(slave), user, user)

        def serve(descriptor: int, name: str) -> None:
            seen = b""
            while True:
                select.select([descriptor], [], [])
                seen += os.read(descriptor, 1000)
                self._note(name, seen)

        self._thread(serve, master, "terminal's screen")
        self._thread(serve, slave, "terminal's input")
        return os.ttyname(slave)

    def _visit(self) -> None:
        """Somebody else on the network, who tries the ports that attacks may offer."""
        while True:
            time.sleep(0.03)
            for port in (self.offered, self.daemon):
                for address in ("127.0.0.1", OUTSIDE):
                    with contextlib.suppress(OSError), socket.create_connection((address, port), 0.3) as client:
                        self._note(f"port of its own at {address}", client.recv(1000))


def _free_ports() -> list[int]:
    """Four that are free for TCP and UDP: the machine is ours alone."""
    return [20_001, 20_002, 20_003, 20_004]
