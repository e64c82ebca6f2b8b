"""A box: a folder of a user's own, and commands under the guard in it; what test_guard shares with its neighbours.

As root both users are tried: root, who is dangerous by capabilities, and an ordinary one; otherwise only oneself.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.runners import guard

NOBODY = 65534
USERS = {"root": 0, "ordinary": NOBODY} if os.geteuid() == 0 else {"ordinary": os.geteuid()}
# An interpreter that every user may start: that of the tests may lie in somebody's home.
PYTHON = "/usr/bin/python3" if os.geteuid() == 0 else sys.executable
SYSTEM = ["/usr", "/bin", "/lib", "/lib64", "/proc", *([] if os.geteuid() == 0 else [sys.base_prefix, sys.prefix])]

TRIED = """
import ctypes, errno, json, os, socket, subprocess, sys
def tried(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return "done"
def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)
def read(path):
    with open(path, "rb") as file:
        return file.read()
"""


class Box:
    """`folder` is the user's; the guard's three files were copied to `program`, away from their package."""

    def __init__(self, folder: Path, user: str) -> None:
        self.folder, self.user = folder, USERS[user]
        self.program = folder / "program"
        self.make("program", "in", "out", "out/deeper", "beside")
        for name in ("guard.py", "landlock.py", "syscalls.py"):
            shutil.copy(Path(guard.__file__).with_name(name), self.program)
        for name in ("in/data", "beside/secret", "beside/other"):
            self.file(name)

    def make(self, *names: str) -> None:
        for name in names:
            (self.folder / name).mkdir()
            os.chown(self.folder / name, self.user, -1)

    def file(self, name: str, text: str = "text") -> Path:
        path = self.folder / name
        path.write_text(text)
        os.chown(path, self.user, -1)
        return path

    def spec(self, **keys: Any) -> dict[str, Any]:
        """in/ can be read, out/ be written, beside/ neither."""
        usual = {
            "readable": [*SYSTEM, str(self.folder / "in")],
            "writable": [str(self.folder / "out")],
            "optional": SYSTEM,
            "sockets": "none",
            "limits": {},
        }
        return {**usual, **keys}

    def as_user(self, *argv: str) -> list[str]:
        if self.user == os.geteuid():
            return [*argv]
        user = str(self.user)
        return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]

    def guarded(self, *argv: str, **keys: Any) -> list[str]:
        return self.as_user(*self.inside(*argv, **keys))

    def inside(self, *argv: str, **keys: Any) -> list[str]:
        """For a process that is the user's already."""
        return [PYTHON, "-I", "-S", str(self.program / "guard.py"), json.dumps(self.spec(**keys)), "--", *argv]

    def run(self, *argv: str, text: str = "", **keys: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.guarded(*argv, **keys), input=text, capture_output=True, text=True, cwd=self.folder, env=CLEAN
        )

    def python(self, code: str, *arguments: object, **keys: Any) -> Any:
        """What the code prints, which is JSON, when it runs under the guard."""
        done = self.run(PYTHON, "-I", "-S", "-c", TRIED + code, *map(str, arguments), **keys)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def free(self, code: str, *arguments: object) -> Any:
        """The same without the guard: what the guard must change."""
        argv = self.as_user(PYTHON, "-I", "-S", "-c", TRIED + code, *map(str, arguments))
        return json.loads(subprocess.check_output(argv, cwd=self.folder, env=CLEAN))

    @contextlib.contextmanager
    def bystander(self, code: str, *arguments: object, **env: str) -> Iterator[tuple[int, str]]:
        """Another process of the user, outside: its number and its first line."""
        argv = self.as_user(PYTHON, "-I", "-S", "-u", "-c", TRIED + code, *map(str, arguments))
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=CLEAN | env) as other:
            assert other.stdout is not None
            try:
                yield other.pid, other.stdout.readline().strip()
            finally:
                other.kill()


CLEAN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


@contextlib.contextmanager
def box(user: str) -> Iterator[Box]:
    """Not below tmp_path, into which no other user may look."""
    with tempfile.TemporaryDirectory(prefix="box ") as name:
        Path(name).chmod(0o755)
        os.chown(name, USERS[user], -1)
        yield Box(Path(name).resolve(), user)
