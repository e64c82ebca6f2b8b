"""A throw-away machine: namespaces, and an overlay over every disk, so that a hostile program can do its worst.

Whatever is written anywhere lands in a small tmpfs and vanishes with the process; what was written can be listed. The
network is a loopback that also has an address of the outside; nothing leaves it. Needs root.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import resource
import shutil
import socket
import stat
import struct
import sys
from pathlib import Path

OUTSIDE = "198.51.100.1"  # TEST-NET-2: documentation only, never a real machine's
HUB = "44.128.0.1"  # a network for tests, too (AMPRNet), but one that software takes for the open Internet
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--net", "--ipc", "--uts", "--cgroup")
SIZE = "size=500m,mode=755"
VIRTUAL = ("/proc", "/sys", "/dev", "/run")
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
MS_REC, MS_PRIVATE, MS_RDONLY, MNT_DETACH, PIVOT_ROOT = 1 << 14, 1 << 18, 1, 2, {"x86_64": 155, "aarch64": 41}
LIBC = ctypes.CDLL(None, use_errno=True)

Snapshot = dict[str, tuple[object, ...]]


def mount(source: str, target: str, kind: str, flags: int = 0, options: str = "") -> None:
    names = [text.encode() for text in (source, target, kind)]
    if LIBC.mount(*names, ctypes.c_ulong(flags), options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f"mount {kind} on {target}: {os.strerror(ctypes.get_errno())}")


class Machine:
    """Made in a process that unshare has started; from then on `/` is the throw-away one."""

    def __init__(self, scratch: str) -> None:
        mount("none", "/", "", MS_REC | MS_PRIVATE)
        mount("hostile", scratch, "tmpfs", 0, SIZE)
        self.layers: list[
            tuple[str, int, int]
        ] = []  # mount point; descriptors of what was there, of all that was written
        root = f"{scratch}/root"
        for number, point in enumerate(["/", *_other_disks()]):
            upper, work = f"{scratch}/upper{number}", f"{scratch}/work{number}"
            for folder in (upper, work, root):
                os.makedirs(folder, exist_ok=True)
            shutil.copystat(point, upper)
            os.chown(upper, os.stat(point).st_uid, os.stat(point).st_gid)
            lower = os.open(point, os.O_RDONLY | os.O_DIRECTORY)
            mount("overlay", root + point, "overlay", 0, f"lowerdir={point},upperdir={upper},workdir={work}")
            self.layers.append((point, lower, os.open(upper, os.O_RDONLY | os.O_DIRECTORY)))
        _virtual(root)
        os.chdir(root)
        if LIBC.syscall(PIVOT_ROOT[os.uname().machine], b".", b".") != 0:
            raise OSError(ctypes.get_errno(), "pivot_root")
        LIBC.umount2(b".", MNT_DETACH)
        os.chdir("/")
        socket.sethostname("throwaway")
        _network()
        resource.setrlimit(resource.RLIMIT_NOFILE, (20_000, 20_000))
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def snapshot(self) -> Snapshot:
        """Everything that was ever written on this machine, shared memory and name included."""
        found: Snapshot = {"the machine's name": (os.uname().nodename,)}
        for point, lower, upper in self.layers:
            for path, folders, files, folder in os.fwalk(".", dir_fd=upper, follow_symlinks=False):
                for name in [*folders, *files]:
                    relative = os.path.normpath(f"{path}/{name}")
                    if not _only_passed(relative, lower, upper):
                        found[os.path.join(point, relative)] = _entry(name, folder)
        for name in os.listdir("/dev/shm"):
            found[f"/dev/shm/{name}"] = (os.path.getsize(f"/dev/shm/{name}"),)
        return found


def open_ways(*paths: str) -> None:
    """Let everybody pass the folders above `paths`: an interpreter may lie below a closed home."""
    for path in paths:
        for folder in [*Path(path).parents]:
            mode = folder.stat().st_mode
            if not mode & 0o001:
                folder.chmod(stat.S_IMODE(mode) | 0o011)


def _only_passed(path: str, lower: int, upper: int) -> bool:
    """A folder that is in the upper layer because something below it is."""
    try:
        was, is_ = os.stat(path, dir_fd=lower), os.stat(path, dir_fd=upper, follow_symlinks=False)
    except OSError:
        return False
    return stat.S_ISDIR(is_.st_mode) and (was.st_mode, was.st_uid) == (is_.st_mode, is_.st_uid)


def _entry(name: str, folder: int) -> tuple[object, ...]:
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    content = ""
    if stat.S_ISDIR(status.st_mode):
        return (status.st_mode, status.st_uid)  # what changes in a folder is seen at its entries
    if stat.S_ISREG(status.st_mode) and status.st_size < 1_000_000:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
        content = hashlib.sha256(os.read(descriptor, 1_000_000)).hexdigest()
        os.close(descriptor)
    return (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, content)


def _other_disks() -> list[str]:
    """Mount points of real file systems: the overlay of / does not show what is mounted below it."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        point, kind = fields.split()[4], rest.split()[0]
        special = point == "/" or any(point == name or point.startswith(name + "/") for name in VIRTUAL)
        if not special and kind in ("ext4", "ext3", "xfs", "btrfs", "overlay", "zfs", "f2fs") and os.path.isdir(point):
            found.append(point)
    return sorted(set(found), key=len)


def _virtual(root: str) -> None:
    for name in ("proc", "sys", "dev", "run", "tmp", "var/tmp"):
        os.makedirs(f"{root}/{name}", exist_ok=True)
    os.chmod(f"{root}/tmp", 0o1777)
    os.chmod(f"{root}/var/tmp", 0o1777)
    mount("proc", f"{root}/proc", "proc")
    mount("sysfs", f"{root}/sys", "sysfs", MS_RDONLY)
    mount("dev", f"{root}/dev", "tmpfs", 0, "size=1m,mode=755")
    for name, minor in NODES.items():
        os.mknod(f"{root}/dev/{name}", stat.S_IFCHR, os.makedev(1, minor))
        os.chmod(f"{root}/dev/{name}", 0o666)
    os.mknod(f"{root}/dev/tty", stat.S_IFCHR, os.makedev(5, 0))
    os.chmod(f"{root}/dev/tty", 0o666)
    for name in ("pts", "shm"):
        os.mkdir(f"{root}/dev/{name}")
    mount("devpts", f"{root}/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620")
    mount("shm", f"{root}/dev/shm", "tmpfs", 0, "size=400m,mode=1777")
    for name, target in {"ptmx": "pts/ptmx", "fd": "/proc/self/fd", "stdin": "/proc/self/fd/0"}.items():
        os.symlink(target, f"{root}/dev/{name}")


def _network() -> None:
    """Bring the loopback up, with two more addresses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        up = struct.pack("16sH14x", b"lo", 0x49)  # IFF_UP | IFF_LOOPBACK | IFF_RUNNING
        fcntl.ioctl(control, 0x8914, up)  # SIOCSIFFLAGS
        for name, place in ((b"lo:1", OUTSIDE), (b"lo:2", HUB)):
            address = struct.pack("16sHH4s8x", name, socket.AF_INET, 0, socket.inet_aton(place))
            fcntl.ioctl(control, 0x8916, address)  # SIOCSIFADDR


if __name__ == "__main__":
    print(Machine(sys.argv[1]).snapshot())
