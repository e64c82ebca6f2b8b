"""Which system calls a sandboxed command may not make: tables, and the seccomp program made of them.

`program` gives a classic BPF filter (an array of struct sock_filter) for prctl(PR_SET_SECCOMP) or `bwrap --seccomp`.
It is a list of what is refused. Everything else passes: training uses hundreds of calls, and a list of what is allowed
breaks at every new version of libc, torch or the CUDA driver. What Landlock or a namespace contains is not repeated;
refused is what reaches around them or what widens the kernel's attack surface for nothing that training needs.

* EPERM is the answer to "you may not". ENOSYS is the answer where programs try the new call first and have an older
  one to fall back on: clone3 (its flags lie in memory, where no filter sees them; clone's do not), io_uring (it would
  do what the filter refuses, unseen), and every call younger than this table: nobody has judged it.
* Another architecture's calls (32-bit ones on x86-64) have other numbers: the process is killed. x32 is "too young".

Limits: a filter sees numbers and registers, not memory: no path, no socket address. It does not say which file a chmod
is for, which Unix socket a connect goes to, or which process a signal is for. x86-64 and aarch64 only.
Standard library only, and little of it: guard.py loads this file by its path, without the package.
"""

from __future__ import annotations

import errno
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself costs milliseconds at every start of a command
    from collections.abc import Iterable
    from typing import Literal

    Sockets = Literal["none", "unix", "all"]
    Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand

MACHINES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
YOUNGEST = 469  # file_setattr, Linux 6.17; from 424 on all architectures count alike

# Refused whatever the arguments: name: (number on x86_64, on aarch64; None where there is no such call).
REFUSED: dict[str, tuple[int | None, int | None]] = {
    # other processes: their memory, descriptors and secrets
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),  # of oneself madvise does the same
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    # parts of the kernel with a history of holes
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "fanotify_init": (300, 262),  # also tells who opens what, outside
    "modify_ldt": (154, None),
    "uselib": (134, None),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    # another view of the files
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    # the machine: a capability guards each; should one be left, this is the second lock
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "vhangup": (153, 58),
    "iopl": (172, None),
    "ioperm": (173, None),
}

# Answered "this kernel does not have it": see the top.
ABSENT: dict[str, tuple[int | None, int | None]] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}

# Refused or not by their arguments: the blocks below say how.
JUDGED: dict[str, tuple[int | None, int | None]] = {
    "clone": (56, 220),
    "unshare": (272, 97),
    "ioctl": (16, 29),
    "personality": (135, 92),
    "prlimit64": (302, 261),
    "socket": (41, 198),
    "socketpair": (53, 199),
}

# Only where Landlock does not know truncation (ABI 1 and 2). creat and O_WRONLY | O_TRUNC need the right to write.
TRUNCATION: dict[str, tuple[int | None, int | None]] = {
    "truncate": (76, 45),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
}

NEW_NAMESPACES = 0x7E020000  # cgroup, uts, ipc, user, pid, net; mount
NEW_TIME_NAMESPACE = 0x80  # unshare only: in clone these bits are the signal at the child's end
TIOCSTI, TIOCLINUX = 0x5412, 0x541C  # typing into the terminal as if the person did
QUERY_PERSONALITY = 0xFFFFFFFF
AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16
NETLINK_ROUTE = 0
O_TRUNC, ACCESS_MODE = 0o1000, 0o3

LOAD, AND, IF_EQUAL, IF_GREATER, IF_BITS, RETURN = 0x20, 0x54, 0x15, 0x25, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
EPERM, ENOSYS = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS


def program(machine: str, sockets: Sockets, *, guard_truncation: bool = False) -> bytes:
    """The filter for os.uname().machine. ValueError if there is none for it, or for no such mode of `sockets`.

    "none": Unix socket pairs only · "unix": Unix sockets too (torch's DataLoader workers need them) · "all": also the
    internet families and NETLINK_ROUTE (which getifaddrs asks), but no other family: raw packets, vsock, crypto.
    `guard_truncation` refuses to empty a file without having opened it for writing, which old Landlock overlooks.
    """
    if machine not in MACHINES:
        raise ValueError(f"there is no seccomp filter for the architecture '{machine}'")
    if sockets not in ("none", "unix", "all"):
        raise ValueError(f"sockets may be none, unix or all, not '{sockets}'")
    blocks = {
        **dict.fromkeys(ABSENT, _answer(ENOSYS)),
        **dict.fromkeys(REFUSED, _answer(EPERM)),
        "clone": _unless_bits(0, NEW_NAMESPACES),
        "unshare": _unless_bits(0, NEW_NAMESPACES | NEW_TIME_NAMESPACE),
        "ioctl": _unless_one_of(1, (TIOCSTI, TIOCLINUX)),
        "personality": _only_one_of(0, (0, QUERY_PERSONALITY)),
        "prlimit64": _own_limits(),
        "socket": {"none": _answer(EPERM), "unix": _only_one_of(0, (AF_UNIX,)), "all": _internet()}[sockets],
        "socketpair": _only_one_of(0, (AF_UNIX,)),
    }
    if guard_truncation:
        blocks |= {
            "truncate": _answer(EPERM),
            "open": _unless_emptied(1),
            "openat": _unless_emptied(2),
            "openat2": _answer(ENOSYS),  # its flags lie in memory; openat does nearly the same
        }
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _joined(machine, blocks))


def numbers(machine: str) -> dict[str, int]:
    """Every call that a table names, as far as `machine` has it."""
    column = list(MACHINES).index(machine)
    rows = {**REFUSED, **ABSENT, **JUDGED, **TRUNCATION}
    return {name: number for name, row in rows.items() if (number := row[column]) is not None}


def _joined(machine: str, blocks: dict[str, list[Instruction]]) -> list[Instruction]:
    """Each block ends with a RETURN on every way through it, so that blocks only need to be skipped."""
    whole = [
        (LOAD, 0, 0, ARCHITECTURE),
        (IF_EQUAL, 1, 0, MACHINES[machine]),
        (RETURN, 0, 0, KILL),
        (LOAD, 0, 0, NUMBER),
        (IF_GREATER, 0, 1, YOUNGEST),  # x32 calls carry bit 30
        (RETURN, 0, 0, ENOSYS),
    ]
    known = numbers(machine)
    for name, block in blocks.items():
        if name in known:
            whole += [(IF_EQUAL, 0, len(block), known[name]), *block]
    return [*whole, (RETURN, 0, 0, ALLOW)]


def _answer(verdict: int) -> list[Instruction]:
    return [(RETURN, 0, 0, verdict)]


def _low(argument: int) -> Instruction:
    """Load the low half of an argument (both machines are little-endian): all that the kernel takes of an int."""
    return (LOAD, 0, 0, ARGUMENTS + 8 * argument)


def _high(argument: int) -> Instruction:
    return (LOAD, 0, 0, ARGUMENTS + 8 * argument + 4)


def _unless_bits(argument: int, bits: int) -> list[Instruction]:
    return [_low(argument), (IF_BITS, 0, 1, bits), *_answer(EPERM), *_answer(ALLOW)]


def _only_one_of(argument: int, values: Iterable[int]) -> list[Instruction]:
    tests = [instruction for value in values for instruction in [(IF_EQUAL, 0, 1, value), *_answer(ALLOW)]]
    return [_low(argument), *tests, *_answer(EPERM)]


def _unless_one_of(argument: int, values: Iterable[int]) -> list[Instruction]:
    tests = [instruction for value in values for instruction in [(IF_EQUAL, 0, 1, value), *_answer(EPERM)]]
    return [_low(argument), *tests, *_answer(ALLOW)]


def _internet() -> list[Instruction]:
    route = [_low(2), (IF_EQUAL, 0, 1, NETLINK_ROUTE), *_answer(ALLOW), *_answer(EPERM)]
    return [*_only_one_of(0, (AF_UNIX, AF_INET, AF_INET6))[:-1], (IF_EQUAL, 0, len(route), AF_NETLINK), *route,
            *_answer(EPERM)]  # fmt: skip


def _own_limits() -> list[Instruction]:
    """Reading any process's limits, or setting one's own by pid 0: with a pid, one could set those of one's jailer."""
    allow = _answer(ALLOW)
    return [_low(0), (IF_EQUAL, 0, 1, 0), *allow,
            _low(2), (IF_EQUAL, 0, 3, 0), _high(2), (IF_EQUAL, 0, 1, 0), *allow,
            *_answer(EPERM)]  # fmt: skip


def _unless_emptied(flags: int) -> list[Instruction]:
    """O_TRUNC opened neither for writing (1) nor for both (2): read-only, or the undocumented access mode 3."""
    refused = [(IF_EQUAL, 0, 1, O_TRUNC), *_answer(EPERM), (IF_EQUAL, 0, 1, O_TRUNC | ACCESS_MODE), *_answer(EPERM)]
    return [_low(flags), (AND, 0, 0, O_TRUNC | ACCESS_MODE), *refused, *_answer(ALLOW)]
