"""The seccomp program: its verdicts by a small interpreter of BPF, its numbers by the headers, its effect by real calls."""

from __future__ import annotations

import errno
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.runners import syscalls
from agent.runners.syscalls import ABSENT, JUDGED, MACHINES, REFUSED, TRUNCATION, YOUNGEST, numbers, program

EPERM, ENOSYS = f"errno {errno.EPERM}", f"errno {errno.ENOSYS}"
HEADERS = {
    "x86_64": ["/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"],
    "aarch64": ["/usr/include/asm-generic/unistd.h"],
}
here = pytest.mark.skipif(os.uname().machine not in MACHINES, reason="no filter for this machine")


def verdict(code: bytes, architecture: int, number: int, arguments: tuple[int, ...]) -> str:
    """What the kernel would answer: a machine with one register, which only jumps forwards."""
    padded = [value & (1 << 64) - 1 for value in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, architecture, 0, *padded)
    at, register = 0, 0
    while True:
        operation, if_true, if_false, operand = struct.unpack_from("=HBBI", code, 8 * at)
        at += 1
        match operation:
            case 0x20:
                (register,) = struct.unpack_from("=I", data, operand)
            case 0x54:
                register &= operand
            case 0x15:
                at += if_true if register == operand else if_false
            case 0x25:
                at += if_true if register > operand else if_false
            case 0x45:
                at += if_true if register & operand else if_false
            case 0x06:
                action, value = operand & 0xFFFF0000, operand & 0xFFFF
                return {0x7FFF0000: "allow", 0x80000000: "kill", 0x00050000: f"errno {value}"}[action]
            case other:
                raise AssertionError(f"no such operation: {other:#x}")


def expected(machine: str, sockets: str, name: str, arguments: tuple[int, ...], truncation: bool) -> str:
    """The same in other words."""
    a, b, c = (value & 0xFFFFFFFF for value in arguments[:3])
    if name in ABSENT or (truncation and name == "openat2"):
        return ENOSYS
    if name in REFUSED:
        return EPERM
    match name:
        case "clone":
            fine = not a & 0x7E020000
        case "unshare":
            fine = not a & 0x7E020080
        case "ioctl":
            fine = b not in (0x5412, 0x541C)
        case "personality":
            fine = a in (0, 0xFFFFFFFF)
        case "prlimit64":
            fine = a == 0 or arguments[2] == 0
        case "socketpair":
            fine = a == 1
        case "socket":
            families = {"none": (), "unix": (1,), "all": (1, 2, 10)}[sockets]
            fine = a in families or (sockets == "all" and a == 16 and c == 0)
        case "truncate":
            fine = not truncation
        case "open" | "openat":
            flags = b if name == "open" else c
            fine = not (truncation and flags & os.O_TRUNC and flags & 3 not in (os.O_WRONLY, os.O_RDWR))
        case _:
            fine = True
    return "allow" if fine else EPERM


interesting = st.sampled_from(
    [0, 1, 2, 3, 10, 16, 17, 38, 40, 0x11, 0x80, 0x200, 0x201, 0x202, 0x203, 0x241, 0x5401, 0x5412, 0x541C, 0xFFFFFFFF]
    + [1 << bit for bit in range(64)]
    + [0x5412 | 1 << 32, 0x00020000, 0x10000000, (1 << 64) - 1]
)
values = interesting | st.integers(0, (1 << 64) - 1)


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from(list(MACHINES)),
    st.sampled_from(["none", "unix", "all"]),
    st.booleans(),
    st.sampled_from([*REFUSED, *ABSENT, *JUDGED, *TRUNCATION, *JUDGED, *JUDGED]),
    st.tuples(values, values, values),
)
@example("x86_64", "all", False, "socket", (16, 3, 0))
@example("x86_64", "all", False, "socket", (16, 3, 15))
@example("x86_64", "none", False, "prlimit64", (1, 0, 1 << 32))
@example("aarch64", "none", True, "openat", (0, 0, 0x203))
def test_every_named_call_gets_the_verdict_that_the_tables_say(
    machine: str, sockets: syscalls.Sockets, truncation: bool, name: str, arguments: tuple[int, ...]
) -> None:
    if name in numbers(machine):
        code = program(machine, sockets, guard_truncation=truncation)
        wanted = expected(machine, sockets, name, arguments, truncation)
        assert verdict(code, MACHINES[machine], numbers(machine)[name], arguments) == wanted


@settings(deadline=None)
@given(st.sampled_from(list(MACHINES)), st.integers(0, (1 << 32) - 1) | st.integers(0, 520))
@example("x86_64", 0x40000000)  # x32: read
@example("x86_64", 0xFFFFFFFF)
@example("x86_64", YOUNGEST)
@example("x86_64", YOUNGEST + 1)
def test_calls_that_no_table_names_pass_unless_they_are_younger_than_the_table(machine: str, number: int) -> None:
    if number not in numbers(machine).values():
        wanted = "allow" if number <= YOUNGEST else ENOSYS
        assert verdict(program(machine, "unix"), MACHINES[machine], number, ()) == wanted


@settings(deadline=None)
@given(st.sampled_from(list(MACHINES)), st.integers(0, (1 << 32) - 1), st.integers(0, 500))
@example("x86_64", 0x40000003, 1)  # 32-bit calls of the same machine
@example("aarch64", 0x40000028, 1)
def test_calls_of_another_architecture_kill(machine: str, architecture: int, number: int) -> None:
    if architecture != MACHINES[machine]:
        assert verdict(program(machine, "all"), architecture, number, ()) == "kill"


def test_nothing_falls_off_the_table_unseen() -> None:
    """Taking one of these off is a decision: docs/decisions/0012."""
    assert sorted({**REFUSED, **ABSENT}) == sorted(
        """
        ptrace process_vm_readv process_vm_writev process_madvise process_mrelease pidfd_getfd kcmp
        keyctl add_key request_key bpf perf_event_open userfaultfd fanotify_init modify_ldt uselib lookup_dcookie
        nfsservctl mount umount2 pivot_root chroot move_mount open_tree open_tree_attr fsopen fsconfig fsmount fspick
        mount_setattr setns open_by_handle_at kexec_load kexec_file_load init_module finit_module delete_module reboot
        swapon swapoff acct settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname quotactl
        quotactl_fd syslog vhangup iopl ioperm clone3 io_uring_setup io_uring_enter io_uring_register
        """.split()  # noqa: SIM905  sixty strings, one by one, read worse
    )


@pytest.mark.parametrize("machine", MACHINES)
def test_no_call_has_two_names(machine: str) -> None:
    known = numbers(machine)
    assert len(set(known.values())) == len(known)


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernel_headers(machine: str) -> None:
    """As far as the headers are installed and old enough to name them."""
    for header in filter(Path.exists, map(Path, HEADERS[machine])):
        found = {name: int(number) for name, number in re.findall(r"__NR(?:3264)?_(\w+)\s+(\d+)\b", header.read_text())}
        for name, row in {**REFUSED, **ABSENT, **JUDGED, **TRUNCATION}.items():
            number = row[list(MACHINES).index(machine)]
            assert found.get(name) == number or (name not in found and (number is None or number > 450)), name


def test_an_unknown_machine_or_mode_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValueError, match="no seccomp filter for the architecture 'riscv64'"):
        program("riscv64", "none")
    with pytest.raises(ValueError, match="not 'some'"):
        program("x86_64", "some")  # type: ignore[arg-type]


def test_the_program_fits_into_the_kernel() -> None:
    for machine in MACHINES:
        code = program(machine, "all", guard_truncation=True)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096
        assert struct.unpack_from("=H", code, len(code) - 8) == (0x06,)


UNDER_THE_FILTER = """
import ctypes, json, os, sys
code, calls = bytes.fromhex(sys.argv[1]), json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
if code:
    buffer = ctypes.create_string_buffer(code, len(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, ctypes.addressof(buffer))), 0, 0) == 0
answers = {}
for name, number, arguments in calls:
    ctypes.set_errno(0)
    result = libc.syscall(*[ctypes.c_long(value) for value in (number, *arguments)])
    answers[name] = ctypes.get_errno() if result == -1 else 0
print(json.dumps(answers))
"""


def answers(code: bytes, calls: list[tuple[str, int, list[int]]]) -> dict[str, int]:
    """errno of each real call, 0 for success, of a process that keeps the capabilities of the tests."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", UNDER_THE_FILTER, code.hex(), json.dumps(calls)],
        capture_output=True, text=True, check=True, start_new_session=True,  # or vhangup could end the test's terminal
    )  # fmt: skip
    return dict(json.loads(done.stdout))


@here
def test_the_kernel_refuses_each_call_of_the_table() -> None:
    """With arguments that do no harm; unfiltered, root gets another answer, so that it is the filter which refuses."""
    known = numbers(os.uname().machine)
    calls = [(name, known[name], [-1] * 6) for name in (*REFUSED, *ABSENT) if name in known]
    filtered = answers(program(os.uname().machine, "all"), calls)
    assert {name for name, answer in filtered.items() if answer == errno.ENOSYS} == ABSENT.keys() & known.keys()
    assert {name for name, answer in filtered.items() if answer == errno.EPERM} == REFUSED.keys() & known.keys()
    if os.geteuid() == 0:
        assert errno.EPERM not in answers(b"", calls).values()


@here
def test_the_kernel_judges_calls_by_their_arguments() -> None:
    known = numbers(os.uname().machine)
    rows = [
        ("unshare a user namespace", "unshare", [0x10000000], errno.EPERM),
        ("unshare the time", "unshare", [0x80], errno.EPERM),
        ("unshare the descriptors", "unshare", [0x400], 0),
        ("clone into a network", "clone", [0x40000000 | 17, 0, 0, 0, 0], errno.EPERM),
        ("type for the person", "ioctl", [0, 0x5412, 0], errno.EPERM),
        ("type, with high bits", "ioctl", [0, 0x5412 | 1 << 32, 0], errno.EPERM),
        ("the console's magic", "ioctl", [0, 0x541C, 0], errno.EPERM),
        ("an ioctl that nobody minds", "ioctl", [-1, 0x5413, 0], errno.EBADF),
        ("which personality", "personality", [0xFFFFFFFF], 0),
        ("predictable addresses", "personality", [0x0040000], errno.EPERM),
        ("limits of init", "prlimit64", [1, 7, -1, 0], errno.EPERM),
        ("limits of oneself", "prlimit64", [0, 7, -1, 0], errno.EFAULT),
        ("limits of oneself, read", "prlimit64", [os.getpid(), 7, 0, 0], 0),
        ("a pair of Unix sockets", "socketpair", [1, 1, 0, -1], errno.EFAULT),
        ("a pair of others", "socketpair", [30, 1, 0, -1], errno.EPERM),
    ]
    found = answers(program(os.uname().machine, "none"), [(label, known[name], call) for label, name, call, _ in rows])
    assert found == {label: wanted for label, _, _, wanted in rows}


@here
@pytest.mark.parametrize(
    ("sockets", "families"), [("none", set()), ("unix", {"unix"}), ("all", {"unix", "inet", "inet6", "route"})]
)
def test_the_kernel_gives_only_the_sockets_of_the_mode(sockets: syscalls.Sockets, families: set[str]) -> None:
    number = numbers(os.uname().machine)["socket"]
    rows = {"unix": (1, 1, 0), "inet": (2, 1, 0), "inet6": (10, 2, 0), "route": (16, 3, 0), "uevents": (16, 3, 15),
            "packets": (17, 3, 0), "crypto": (38, 5, 0), "vsock": (40, 1, 0)}  # fmt: skip
    found = answers(program(os.uname().machine, sockets), [(name, number, [*row]) for name, row in rows.items()])
    assert {name for name, answer in found.items() if answer != errno.EPERM} == families


@here
def test_ordinary_work_passes_even_in_the_narrowest_mode() -> None:
    """What one may meet in any library: processes, threads, shared memory, events, random numbers, affinity."""
    work = (
        "import ctypes, os, sys, threading, subprocess, mmap, select, resource, socket, multiprocessing as m, time\n"
        "t = threading.Thread(target=print, args=('thread',)); t.start(); t.join()\n"
        "print(subprocess.run(['true']).returncode, os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)[1])\n"
        "os.memfd_create('x'); select.epoll(); os.pidfd_open(os.getpid()); os.getrandom(4); mmap.mmap(-1, 4096)\n"
        "os.sched_setaffinity(0, os.sched_getaffinity(0)); resource.getrusage(0); os.nice(0); socket.socketpair()\n"
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.openpty(); time.clock_gettime(1)\n"
        "q = m.get_context('fork').SimpleQueue(); m.get_context('fork').Process(target=q.put, args=(5,)).start()\n"
        "print(q.get())\n"
    )
    loaded = UNDER_THE_FILTER + f"\nexec({work!r})\n"
    code = program(os.uname().machine, "none").hex()
    done = subprocess.run([sys.executable, "-I", "-S", "-c", loaded, code, "[]"], capture_output=True, text=True)
    assert (done.stdout.split(), done.stderr) == (["{}", "thread", "0", "0", "5"], "")
