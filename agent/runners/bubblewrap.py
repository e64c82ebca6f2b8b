"""The command line of the first tier: bubblewrap. Pure; paths that need not exist are bound with `-try`.

The command sees an empty file system into which are put, read-only: the system's folders, what it may read, and over
them, writable, what it may write. So what is not named is not there: no home, no other study, no socket of a service.
It has namespaces of its own: processes, network (with a loopback of its own), users, IPC, host name. It has no
capability, no way to make another user namespace, no terminal to type into; as root it is shown as nobody.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/sys")
# Of /etc only what programs need to start: its other files hold password hashes, keys of the host, tokens of services.
ETC = tuple(
    f"/etc/{name}"
    for name in (
        "alternatives", "fonts", "group", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "mime.types",
        "nsswitch.conf", "OpenCL", "passwd", "ssl/certs", "ssl/openssl.cnf", "texmf", "timezone", "vulkan",
    )
)  # fmt: skip
GPUS = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/dri", "/dev/kfd")
NOBODY = "65534"
SHORT_TEMPORARY = "/tmp/t"
_SMALL = 64 * 1024**2  # bytes of /tmp beside TMPDIR, for programs that insist


@dataclass(frozen=True)
class Walls:
    """What a command gets. Paths are absolute; later ones may lie inside earlier ones."""

    readable: tuple[str, ...]
    hidden_folders: tuple[str, ...]
    hidden_files: tuple[str, ...]
    writable: tuple[str, ...]
    temporary: str  # the folder that TMPDIR is, whatever its name inside
    shared_memory: int  # bytes of /dev/shm
    gpus: tuple[str, ...]
    network: bool


def command_line(program: str, walls: Walls, cwd: str, argv: Sequence[str]) -> tuple[str, ...]:
    return (program, *_namespaces(walls), *_files(walls), "--chdir", cwd, "--", *argv)


def _namespaces(walls: Walls) -> Iterator[str]:
    yield from (
        "--unshare-user",
        "--disable-userns",
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    )
    if not walls.network:
        yield "--unshare-net"
    yield from ("--uid", NOBODY, "--gid", NOBODY, "--hostname", "sandbox", "--cap-drop", "ALL")
    yield from ("--new-session", "--die-with-parent")
    yield from ("--seccomp", "{seccomp}")  # the number of a descriptor, known when it is started


def _files(walls: Walls) -> Iterator[str]:
    for path in (*SYSTEM, *ETC):
        yield from ("--ro-bind-try", path, path)
    yield from ("--proc", "/proc", "--dev", "/dev", "--size", str(walls.shared_memory), "--tmpfs", "/dev/shm")
    for path in walls.gpus:
        yield from ("--dev-bind-try", path, path)
    yield from ("--size", str(_SMALL), "--tmpfs", "/tmp")
    for path in by_depth(walls.readable):
        yield from ("--ro-bind", path, path)
    for path in by_depth(walls.hidden_folders):
        yield from ("--tmpfs", path)
    for path in walls.hidden_files:
        yield from ("--ro-bind", "/dev/null", path)
    for path in by_depth(walls.writable):
        yield from ("--bind", path, path)
    yield from ("--bind", walls.temporary, SHORT_TEMPORARY)
    for path in by_depth(walls.hidden_folders):
        yield from ("--remount-ro", path)
    yield from ("--remount-ro", "/")


def by_depth(paths: Sequence[str]) -> list[str]:
    """Parents before what lies in them: the later mount covers the earlier one."""
    return sorted(dict.fromkeys(paths), key=lambda path: (len(PurePosixPath(path).parts), path))
