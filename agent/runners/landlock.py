"""Landlock: a process limits, for itself and all that it starts, which files it may touch. Nothing takes that back.

Landlock is a list of what is allowed: a right given for a folder holds for all below it, and nothing below can be
taken out again. Hence `rules` expands a readable folder that has hidden entries into its other entries.
The kernel's version of Landlock is its ABI, from 1 (Linux 5.13) on; `not_covered` says what each leaves open.

Limits: only what is asked of the kernel by opening, making, moving and removing files is checked. Whatever the ABI, a
path may be walked, and stat, chmod, chown, utime and setxattr work on every file for which the user has the right.
Standard library only, and little of it: guard.py loads this file by its path, without the package.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rule = tuple[str, int]

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
MAKE_CHAR, MAKE_BLOCK = 1 << 6, 1 << 11
TRUNCATE, IOCTL_DEV, RESOLVE_UNIX = 1 << 14, 1 << 15, 1 << 16
# What each ABI adds: refer (move and link between folders), truncate, ioctl on devices, connect to a Unix socket's path.
ADDED = {1: (1 << 13) - 1, 2: 1 << 13, 3: TRUNCATE, 5: IOCTL_DEV, 9: RESOLVE_UNIX}
NETWORK_SINCE, SCOPES_SINCE = 4, 6
BIND_AND_CONNECT_TCP = 0b11
ABSTRACT_SOCKETS, SIGNALS = 0b01, 0b10

READ = EXECUTE | READ_FILE | READ_DIR
DEVICE = READ_FILE | WRITE_FILE | READ_DIR | IOCTL_DEV
WRITE = ((1 << 15) - 1) & ~(MAKE_CHAR | MAKE_BLOCK)
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the others make sense for folders only

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # on all architectures
VERSION_FLAG = 1
PATH_BENEATH = 1


def abi() -> int:
    """This kernel's; 0 where there is no Landlock."""
    try:
        return call(CREATE_RULESET, None, 0, VERSION_FLAG)
    except OSError:
        return 0


def why_not() -> str:
    """One sentence on why `abi` is 0, and what to do; "" if it is not."""
    if not sys.platform.startswith("linux"):
        return "Landlock is a part of Linux; this is another system"
    try:
        call(CREATE_RULESET, None, 0, VERSION_FLAG)
    except OSError as problem:
        if problem.errno == errno.EOPNOTSUPP:
            return (
                "Landlock is built into this kernel but not enabled; add it to the kernel's command line: "
                "lsm=landlock, followed by what /sys/kernel/security/lsm shows now"
            )
        if problem.errno == errno.ENOSYS:
            return (
                f"this kernel ({os.uname().release}) has no Landlock: it needs Linux 5.13 or later, built with "
                "CONFIG_SECURITY_LANDLOCK; or a container's seccomp profile hides it"
            )
        return f"Landlock is refused here ({problem.strerror}); a container's seccomp profile may forbid it"
    return ""


def rules(
    readable: Sequence[str], writable: Sequence[str], devices: Sequence[str], hidden: Sequence[str]
) -> list[Rule]:
    """What to allow, for resolved paths. A longer path wins: what is named below a hidden one is visible.

    ValueError for a hidden path that cannot be hidden, because it is, or lies below, something writable, or is itself
    to be readable.
    """
    for path in hidden:
        for other in (*writable, *devices):
            if path == other or is_below(path, other):
                raise ValueError(f"{path} cannot be hidden: {other} is writable")
        if path in readable:
            raise ValueError(f"{path} is to be readable and hidden")
    visible = [rule for path in readable for rule in _visible(path, hidden)]
    return [*visible, *((path, WRITE) for path in writable), *((path, DEVICE) for path in devices)]


def _visible(path: str, hidden: Sequence[str]) -> Iterator[Rule]:
    """`path` as it is, or, if it has something hidden, each of its present entries without that.

    Such a folder may be listed, or Python could import nothing from it; so names below it are no secret, hidden ones
    included. What appears in it later cannot be read. Links are left out: what they point to decides.
    """
    inside = [other for other in hidden if is_below(other, path)]
    if not inside:
        yield path, READ
        return
    yield path, READ_DIR
    with os.scandir(path) as entries:
        names = [entry.path for entry in entries if not entry.is_symlink() and entry.path not in hidden]
    for name in sorted(names):
        yield from _visible(name, inside)


def is_below(path: str, folder: str) -> bool:
    return path.startswith(folder.rstrip("/") + "/") and path != folder


def restrict(allowed: Sequence[Rule], version: int, *, network: bool) -> None:
    """Allow this process `allowed` and nothing else of files; without `network` no TCP; no signals to outside.

    Wants no_new_privs. An entry that vanished since `rules` saw it is skipped. OSError if the kernel refuses.
    """
    handled = handled_files(version)
    ruleset = _ruleset(handled, version, network)
    try:
        for path, rights in allowed:
            _allow(ruleset, path, rights & handled)
        call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def handled_files(version: int) -> int:
    return sum(bits for since, bits in ADDED.items() if version >= since)


def _ruleset(handled: int, version: int, network: bool) -> int:
    tcp = BIND_AND_CONNECT_TCP if version >= NETWORK_SINCE and not network else 0
    size = 8 if version < NETWORK_SINCE else 16 if version < SCOPES_SINCE else 24
    for scopes in (ABSTRACT_SOCKETS | SIGNALS, ABSTRACT_SOCKETS):
        attributes = struct.pack("=QQQ", handled, tcp, scopes if version >= SCOPES_SINCE else 0)
        try:
            return call(CREATE_RULESET, attributes, size, 0)
        except OSError as problem:  # Red Hat's kernel 5.14 says ABI 6 and has no scope for signals
            if problem.errno != errno.EINVAL or version < SCOPES_SINCE or scopes == ABSTRACT_SOCKETS:
                raise
    raise AssertionError("unreachable")


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_A_FILE
        if rights:
            call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, path) from None
    finally:
        os.close(descriptor)


def call(number: int, *arguments: int | bytes | None) -> int:
    """A system call that libc may not know. OSError as usual."""
    libc = ctypes.CDLL(None, use_errno=True)
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(libc.syscall(ctypes.c_long(number), *wide))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


# Since which ABI something is contained; None: by none.
GAPS: tuple[tuple[int | None, str], ...] = (
    (2, "moving or linking files between folders is refused even where both are writable"),
    (5, "ioctl on every device file that the user may open"),
    (6, "signals to other processes of the user, and abstract Unix sockets"),
    (9, "connecting to the Unix sockets of other programs of the user, where Unix sockets are allowed at all"),
    (None, "seeing that a file exists and how large it is, by its name"),
    (None, "chmod, chown, utime and setxattr on the user's own files, wherever they are"),
    (None, "priority, processor affinity and command lines of the user's other processes"),
    (
        None,
        "System V and POSIX message queues, semaphores and shared memory of the user, /dev/shm where it is writable",
    ),
    (None, "flock on files that may be read, inotify on any that the user may read"),
)


def not_covered(version: int) -> tuple[str, ...]:
    """What this ABI, with the seccomp filter beside it, leaves open: phrases for docs/security.md."""
    return tuple(gap for since, gap in GAPS if since is None or version < since)
