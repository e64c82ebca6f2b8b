"""The command line of the macOS tier: sandbox-exec with a profile made from what a command may reach. Pure.

NOT TESTED: written from documentation (sandbox-exec(1), sandbox(7), published profiles of the system's own services),
never run on a Mac. `tiers` tries it by a real start, as every tier, and says in its line that it is not tested.

A profile is a list of rules in a Lisp; of several that fit, the last one decides. Everything is denied first. Files are
refused by name: what is not named can neither be read nor written, but a stat of it may tell that it is there. There are
no namespaces: other processes are seen (not signalled), and loopback is the machine's own, so it is denied, too.
sandbox-exec is declared deprecated by Apple, and is still what there is without an app bundle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

PROGRAM = "/usr/bin/sandbox-exec"
# The dynamic linker's cache, frameworks, programs, time zones, certificates.
SYSTEM = (
    "/System", "/usr", "/bin", "/sbin", "/Library/Apple", "/Library/Frameworks", "/Library/Developer", "/opt",
    "/private/var/db/dyld", "/private/var/db/timezone", "/private/etc/localtime", "/private/etc/ssl",
)  # fmt: skip
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")


@dataclass(frozen=True)
class Walls:
    """What a command gets. Resolved paths: the system compares what links lead to (/tmp is /private/tmp)."""

    readable: tuple[str, ...]
    hidden: tuple[str, ...]
    writable: tuple[str, ...]
    network: bool


def command_line(walls: Walls, argv: Sequence[str]) -> tuple[str, ...]:
    return (PROGRAM, "-p", profile(walls), *argv)


def profile(walls: Walls) -> str:
    return "\n".join(_rules(walls)) + "\n"


def _rules(walls: Walls) -> Iterator[str]:
    yield "(version 1)"
    yield "(deny default)"
    yield '(import "system.sb")'  # what every program needs to start, by Apple's own account
    yield "(allow process-fork process-exec)"
    yield "(allow signal (target same-sandbox))"
    yield "(allow sysctl-read)"
    yield "(allow ipc-posix-sem ipc-posix-shm)"  # locks and shared tensors of multiprocessing
    yield '(allow file-read-metadata (literal "/"))'
    yield _files("allow file-read* file-map-executable", SYSTEM)
    yield _files("allow file-read* file-map-executable", walls.readable)
    yield _files("deny file-read* file-write*", walls.hidden)
    yield _files("allow file-read* file-write*", walls.writable)
    yield _files("allow file-read* file-write-data file-ioctl", DEVICES, "literal")
    if walls.network:
        yield "(allow network* system-socket)"
    else:
        yield "(deny network*)"
        yield _files("allow network*", walls.writable, "subpath")  # Unix sockets in its own folders


def _files(rule: str, paths: Sequence[str], how: str = "subpath") -> str:
    """One rule for several paths; nothing for none: a rule without a path would be about every path."""
    return f"({rule} {' '.join(f'({how} {quoted(path)})' for path in paths)})" if paths else ""


def quoted(path: str) -> str:
    """As a text of the profile's language. ValueError for what it has no way to write."""
    if any(ord(character) < 32 or 0xD800 <= ord(character) < 0xE000 for character in path):
        raise ValueError(f"a path with control characters cannot be named in a sandbox profile: {path!r}")
    return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'
