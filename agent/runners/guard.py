"""Starts a command under Landlock and seccomp: `python -I -S guard.py SPEC_JSON -- PROGRAM [ARGUMENT ...]`.

SPEC_JSON is an object; paths are absolute, everything but `sockets` and `limits` may be left out:

    writable  all but making device nodes; may be no link         sockets   "none", "unix" or "all": see syscalls.py
    readable  files and folders: read and execute                 limits    {"processes": n, "open_files": n,
    hidden    below readable ones: cannot be opened                          "file_bytes": n, "address_space": n};
    devices   read, write, ioctl; skipped where there is none                null or missing: as it is
    optional  those of the above that may be missing              abi       behave as under an older Landlock (tests)

/dev/null, zero, full, random and urandom are always there; what is named nowhere cannot be opened. The command gets this
process: its number, folder, environment, standard streams, exit code and signals are untouched. Other descriptors are
closed, SIGPIPE and SIGXFSZ act as usual, and it writes no core file. It has no capability (root neither: with one, a
process reads keys from others' memory) and can get none.
Exit code 125 and one line, "guard: ...", if any of this fails: nothing ever starts half protected.
Limits: landlock.not_covered lists what stays open. `processes` counts all processes of the user and does not bind root.
Standard library only, and nothing of this package: it must start fast, wherever it lies.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

HERE = os.path.realpath(__file__)

TYPE_CHECKING = False
if TYPE_CHECKING or __package__:
    from agent.runners import landlock, syscalls
else:  # this folder is not on the path, and must not be: it has an inspect.py
    from importlib.machinery import SourceFileLoader

    def _sibling(name: str) -> object:
        module = type(sys)(name)
        SourceFileLoader(name, f"{HERE.rpartition('/')[0]}/{name}.py").exec_module(module)
        return module

    landlock, syscalls = _sibling("landlock"), _sibling("syscalls")

if TYPE_CHECKING:
    from typing import Any

EXIT_CODE = 125
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
LIMITS = {"processes": "NPROC", "open_files": "NOFILE", "file_bytes": "FSIZE", "address_space": "AS"}
KEYS = {"writable", "readable", "hidden", "devices", "optional", "sockets", "limits", "abi"}

CLOSE_RANGE, CAPGET, CAPSET = 436, {"x86_64": 125, "aarch64": 90}, {"x86_64": 126, "aarch64": 91}
CLOEXEC = 4
SET_SECCOMP, FILTER = 22, 2
CAPBSET_READ, CAPBSET_DROP, SET_SECUREBITS, SET_NO_NEW_PRIVS, CAP_AMBIENT, CLEAR_ALL = 23, 24, 28, 38, 47, 4
SECUREBITS = 0xEF  # root is nobody special, setuid changes nothing, none is kept or raised; and all that locked
CAPABILITIES_3 = struct.pack("=Ii", 0x20080522, 0)  # version, this process
SETPCAP = 1 << 8


def main(arguments: list[str]) -> int:
    """Becomes the command. Returns only on failure."""
    try:
        if len(arguments) < 3 or arguments[1] != "--":
            raise ValueError("usage: guard.py SPEC_JSON -- PROGRAM [ARGUMENT ...]")
        program = found(arguments[2])
        protect(parsed(arguments[0]))
        os.execv(program, arguments[2:])
    except Exception as problem:  # noqa: BLE001  whatever it is, nothing starts
        line = " ".join(f"{type(problem).__name__}: {problem}".split())
        os.write(2, f"guard: {line}\n".encode(errors="backslashreplace"))
    return EXIT_CODE


def parsed(text: str) -> Any:
    """json.loads, by its own C half alone where that will do: the other brings `re` and `enum`, half of our start."""
    try:
        from _json import make_scanner

        value, end = make_scanner(_Plain)(text, 0)  # type: ignore[arg-type]  # any object with these attributes
        if end == len(text):
            return value
    except (ImportError, StopIteration, ValueError):
        pass
    import json

    return json.loads(text)


class _Plain:
    strict, object_hook, object_pairs_hook = True, None, None
    parse_float, parse_int, parse_constant = float, int, float


def found(name: str) -> str:
    """The file of a program, as the shell finds it."""
    if "/" in name:
        return name
    for folder in os.get_exec_path():
        if os.access(path := f"{folder or '.'}/{name}", os.X_OK):
            return path
    raise FileNotFoundError(f"there is no program '{name}'")


def protect(spec: dict[str, Any]) -> None:
    """All of it, on this process, in an order in which each step still has the rights that it needs."""
    unknown = spec.keys() - KEYS
    if unknown:
        raise ValueError(f"unknown keys in the specification: {', '.join(sorted(unknown))}")
    version = min(landlock.abi(), spec.get("abi", 99))
    if version < 1:
        raise ValueError(landlock.why_not() or "no Landlock asked for")
    network = spec["sockets"] == "all"
    seccomp = syscalls.program(os.uname().machine, spec["sockets"], guard_truncation=version < 3)
    allowed = allowed_by(spec)
    landlock.call(CLOSE_RANGE, 3, 0x7FFFFFFF, CLOEXEC)
    prctl(SET_NO_NEW_PRIVS, 1)
    drop_capabilities()
    restore_signals()
    set_limits(spec["limits"])
    landlock.restrict(allowed, version, network=network)  # from here on not even Python's own modules can be imported
    install(seccomp)


def allowed_by(spec: dict[str, Any]) -> list[tuple[str, int]]:
    optional = set(spec.get("optional", ()))

    def resolved(key: str) -> list[str]:
        return [path for name in spec.get(key, ()) if (path := _resolve(name, name in optional))]

    devices = [path for name in (*DEVICES, *spec.get("devices", ())) if (path := _resolve(name, True))]
    hidden = [os.path.realpath(_absolute(name)) for name in spec.get("hidden", ())]
    for name in spec.get("writable", ()):
        target = os.path.realpath(name)
        if target != os.path.normpath(name):  # an earlier command may have laid the link, to anywhere
            raise ValueError(f"{name} is to be writable, but is or goes through a link; say {target} if that is meant")
    return landlock.rules(resolved("readable"), resolved("writable"), devices, hidden)


def _resolve(name: str, optional: bool) -> str:
    try:
        return os.path.realpath(_absolute(name), strict=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError) as problem:
        if optional:
            return ""
        raise OSError(problem.errno, problem.strerror, name) from None


def _absolute(name: str) -> str:
    if not name.startswith("/"):
        raise ValueError(f"'{name}' is not an absolute path")
    return name


def drop_capabilities() -> None:
    """None left in any set, and, where that can be said (it needs CAP_SETPCAP), none to be had again.

    Without CAP_SETPCAP no_new_privs keeps an exec from giving any back.
    """
    _, permitted, _ = capabilities()
    prctl(CAP_AMBIENT, CLEAR_ALL)
    if permitted & SETPCAP:
        prctl(SET_SECUREBITS, SECUREBITS)
        number = 0
        while ctypes.CDLL(None).prctl(CAPBSET_READ, number, 0, 0, 0) >= 0:
            prctl(CAPBSET_DROP, number)
            number += 1
    landlock.call(CAPSET[os.uname().machine], CAPABILITIES_3, bytes(24))
    if any(capabilities()):
        raise OSError("the capabilities could not be dropped")


def capabilities() -> tuple[int, int, int]:
    """Effective, permitted, inheritable."""
    buffer = ctypes.create_string_buffer(24)
    header = ctypes.create_string_buffer(CAPABILITIES_3, 8)
    number = CAPGET[os.uname().machine]
    if ctypes.CDLL(None, use_errno=True).syscall(number, header, buffer) != 0:
        raise OSError(ctypes.get_errno(), "the capabilities cannot be read")
    low, high = struct.unpack("=III", buffer.raw[:12]), struct.unpack("=III", buffer.raw[12:])
    effective, permitted, inheritable = (a | b << 32 for a, b in zip(low, high, strict=True))
    return effective, permitted, inheritable


def restore_signals() -> None:
    """Python ignores these two, and what is ignored stays so in the command."""
    libc = ctypes.CDLL(None)
    for number in (13, 25):  # SIGPIPE, SIGXFSZ
        libc.signal(number, None)


def set_limits(limits: dict[str, int | None]) -> None:
    """Soft and hard alike, never above what holds already; no core files."""
    import resource

    if limits.keys() - LIMITS.keys():
        raise ValueError(f"unknown limits: {', '.join(sorted(limits.keys() - LIMITS.keys()))}")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for key, value in limits.items():
        if value is not None:
            which = getattr(resource, f"RLIMIT_{LIMITS[key]}")
            hard = resource.getrlimit(which)[1]
            most = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(which, (most, most))


def install(program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    filter_ = Program(len(program) // 8, ctypes.addressof(buffer))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_SECCOMP, FILTER, ctypes.byref(filter_), 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this kernel or container takes no seccomp filter")


def prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")


def abi() -> int:
    """The Landlock of this kernel; 0: none."""
    return landlock.abi()


def probe() -> tuple[bool, str]:
    """Does it work here? By a real start: a file that is allowed can be read, another cannot. If not: why, what to do."""
    import json
    import subprocess
    import tempfile

    if not sys.platform.startswith("linux") or landlock.abi() < 1:
        return False, landlock.why_not()
    system = ["/bin", "/usr", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/nix/store", "/gnu/store"]
    script = 'read -r line < "$1" || exit 3; { read -r line < "$2"; } 2> /dev/null && exit 4; exit 0'
    with tempfile.TemporaryDirectory(prefix="ai-scientist-probe-") as folder:
        names = [f"{folder}/{name}" for name in ("allowed", "forbidden")]
        for name in names:
            with open(name, "w", encoding="ascii") as file:  # noqa: PTH123  this file does without pathlib
                file.write("a line\n")
        spec = {"readable": [*system, names[0]], "optional": system, "sockets": "none", "limits": {}}
        command = [sys.executable, "-I", "-S", HERE, json.dumps(spec), "--"]
        done = subprocess.run(
            [*command, "/bin/sh", "-c", script, "sh", *names], capture_output=True, text=True, errors="replace"
        )
    if done.returncode == 0:
        return True, f"Landlock ABI {landlock.abi()} and seccomp"
    if done.returncode == 4:
        return False, "a command under Landlock could read what it must not; do not rely on it on this machine"
    said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[0].removeprefix("guard: ")
    return False, f"a command under Landlock and seccomp did not start here: {said}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
