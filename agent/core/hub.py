"""What `network = "hub"` lets through: which hosts, which addresses, and whether a connection is what it says it is.

A client asks a proxy for a tunnel, `CONNECT name:443`, and then speaks TLS through it. Three things are looked at: the
name that is asked for, the addresses that it turns out to have, and the name in the first message of TLS. The last
matters because the hub's files lie with a provider whose addresses serve everybody: only that name tells whose they are.
Limits: what goes through the tunnel is encrypted and not seen. So an experiment that brings its own token can upload to
the hub, and a name below the hub's (`my-secret.hf.co`) reaches the hub's name servers.
Standard library only: the launcher reads this, and must start fast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

LONGEST_HEAD = 8192  # bytes of a request
LONGEST_HELLO = 16 * 1024 + 5  # one record of TLS

_REQUEST = re.compile(r"([A-Z]{1,20}) (\S{1,1000}) HTTP/1\.[01]")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}:[^\x00-\x08\x0a-\x1f\x7f]*")
_PLACE = re.compile(
    r"((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)\.?:([0-9]{1,5})"
)


@dataclass(frozen=True)
class Allowed:
    """Hosts with these names, or with names below them, at one port."""

    names: tuple[str, ...] = ("huggingface.co", "hf.co")
    port: int = 443
    private: bool = False  # also at addresses that are not the open Internet's, for a mirror in one's own network

    @staticmethod
    def from_json(data: dict[str, Any]) -> Allowed:
        return Allowed(**{**data, "names": tuple(data["names"])})


HUB = Allowed()


@dataclass(frozen=True)
class Refused:
    status: int  # of HTTP
    why: str


@dataclass(frozen=True)
class Target:
    host: str
    port: int


def target_of(head: bytes, allowed: Allowed) -> Target | Refused:
    """`head` is a request up to and with its empty line."""
    first, *headers = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    request = _REQUEST.fullmatch(first)
    if request is None or not all(_HEADER.fullmatch(header) for header in headers):
        return Refused(400, "this is no request of HTTP/1.1")
    if request[1] != "CONNECT":
        return Refused(405, f"{request[1]} is refused: only CONNECT, for HTTPS")
    place = _PLACE.fullmatch(request[2].lower())
    if place is None or len(place[1]) > 253:
        return Refused(400, "CONNECT wants a name and a port, and nothing else")
    host, port = place[1], int(place[2])
    if not any(host == name or host.endswith(f".{name}") for name in allowed.names):
        return Refused(403, f"{host} is none of the hosts that are allowed: {', '.join(allowed.names)}")
    if port != allowed.port:
        return Refused(403, f"port {port} is refused: only {allowed.port}")
    return Target(host, port)


def may_connect(address: str, allowed: Allowed) -> bool:
    """Whether what a name was resolved to is on the open Internet, and so nothing of this machine or its network."""
    import ipaddress

    found = ipaddress.ip_address(address.partition("%")[0])
    if allowed.private:
        return True
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo and found.teredo[1]) or _translated(found.packed)
        if inner:
            return inner.is_global and not inner.is_multicast
        return found.is_global and found in ipaddress.IPv6Network("2000::/3")  # all that is given out to anybody
    return found.is_global and not found.is_multicast


def _translated(packed: bytes) -> Any:
    """The IPv4 address that a gateway to IPv4 (NAT64) would connect to."""
    import ipaddress

    return ipaddress.IPv4Address(packed[12:]) if packed[:12] == bytes.fromhex("0064ff9b") + bytes(8) else None


def named_in(hello: bytes) -> str | Refused | None:
    """The server's name in the beginning of a TLS connection; None: there has to be more of it."""
    if hello[:1] not in (b"", b"\x16") or hello[1:2] not in (b"", b"\x03"):
        return Refused(403, "what came through the tunnel is not TLS")
    if len(hello) < 5:
        return None
    record = hello[5 : 5 + int.from_bytes(hello[3:5], "big")]
    if len(record) < int.from_bytes(hello[3:5], "big"):
        return None
    try:
        return _name(_Reader(record))
    except ValueError:
        return Refused(403, "the first message of TLS cannot be read")


def _name(record: _Reader) -> str | Refused:
    if record.number(1) != 1:
        raise ValueError
    message = record.part(3)
    message.take(2 + 32)
    for size in (1, 2, 1):  # session, ciphers, compression
        message.part(size)
    name: str | Refused = Refused(403, "the first message of TLS names no server")
    extensions = message.part(2)
    while extensions.data:
        kind, content = extensions.number(2), extensions.part(2)
        if kind == 0xFE0D:
            return Refused(403, "the first message of TLS hides the server's name")
        if kind == 0:
            entries = content.part(2)
            if entries.number(1) != 0:
                raise ValueError
            name = entries.part(2).data.decode("ascii").lower()
    return name


class _Reader:
    """Takes bytes from the front; ValueError where there are too few."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def take(self, count: int) -> bytes:
        if len(self.data) < count:
            raise ValueError
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def part(self, size: int) -> _Reader:
        """What follows its own length, which is a number of `size` bytes."""
        return _Reader(self.take(self.number(size)))
