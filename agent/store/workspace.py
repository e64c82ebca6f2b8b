"""The study's git repository. Commits are built beside the working tree; the tree follows them file by file.

So a crash leaves either the old tree, the new one, or a mixture of the two, and never a half-written file; and whatever
is in neither is a person's edit, which is kept. Every change is one commit on `main`, which only grows.
git is called as a program with the user's configuration, hooks and GIT_* variables out of reach, and with its folders
named explicitly: an outer repository is never read or written.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.core.errors import InfrastructureError, InputProblem
from agent.core.redact import without
from agent.core.template import OUTPUTS
from agent.core.text import printable
from agent.store import files

MAIN = "refs/heads/main"
TOOL = ("ai-scientist", "ai-scientist@localhost")
_NOT_OURS = ("*~", "*.swp", "*.pyc", "*.pyo")  # droppings of editors and interpreters
_BUILT = ("latex/paper.pdf",)  # made anew at will, and in no commit
_LARGEST_EXTRA = 64_000_000  # a new file larger than this is data, not somebody's edit
_LINK = b"\0link"  # after a link's target: no text ends like that
_REMEMBERED = 1_000_000  # bytes of a blob that is kept in memory
_SAFE = ("-c", "safe.directory=*", "-c", "core.fsync=committed,loose-object", "-c", "core.quotePath=false",
         "-c", f"core.hooksPath={os.devnull}")  # fmt: skip
_EXCLUDE = "/.study/\n__pycache__/\n*.pyc\n*.pt\n*.pth\n*.npy\n*.npz\n*.safetensors\n*.ckpt\n*.bin\n*.h5\n*.pkl\n/latex/paper.pdf\n"


@dataclass(frozen=True)
class Drift:
    """How the working tree differs from a commit: new content by path, None where the file is gone."""

    changes: dict[str, bytes | None]

    @property
    def files(self) -> tuple[str, ...]:
        """The names as they can be stored and shown; a name on disk need not be text."""
        return tuple(printable(name) for name in sorted(self.changes))

    @property
    def links(self) -> tuple[str, ...]:
        return tuple(printable(n) for n, content in sorted(self.changes.items()) if content and content.endswith(_LINK))


class Workspace:
    def __init__(self, root: Path) -> None:
        self.root = root.absolute()  # git is started inside it
        self._trees: dict[str, dict[str, str]] = {}  # by commit; neither trees nor blobs ever change
        self._blobs: dict[str, bytes] = {}
        self.patience = 3.0  # seconds that a lock of another git is waited for

    @staticmethod
    def create(root: Path, content: Mapping[str, bytes], message: str, at: float) -> tuple[Workspace, str]:
        """A new repository with one commit, and the tree that belongs to it."""
        workspace = Workspace(root)
        root.mkdir(parents=True, exist_ok=True)
        _call(["git", "init", "-q", "-b", "main", "--template=", "."], "init", root)
        files.write(root / ".git" / "info" / "exclude", _EXCLUDE)
        workspace._git("config", "core.fileMode", "false")  # what begins with #! is executable, nothing else
        head = workspace.commit("", dict(content), message, at)
        workspace._follow("", head, {})
        return workspace, head

    # --- commits ---------------------------------------------------------------------------------------------------

    def commit(
        self, parent: str, changes: Mapping[str, bytes | None], message: str, at: float, author: tuple[str, str] = TOOL
    ) -> str:
        """A commit object: not yet on `main`, not yet in the tree, and without any key of the environment.

        The same arguments give the same commit.
        """
        who = f"{_plain(author[0])} <{_plain(author[1])}> {int(at)} +0000"
        text = without(message, os.environ).encode("utf-8", "replace")
        parts = [
            f"commit refs/ai-scientist/last\nmark :1\nauthor {who}\ncommitter {who}\ndata {len(text)}\n".encode(),
            text,
            b"\n",
        ]
        parts.append(f"from {parent}\n".encode() if parent else b"")
        for path, content in sorted(changes.items()):
            if content is None:
                parts.append(b"D " + _quoted(path) + b"\n")
            else:
                content = without(content, os.environ)  # noqa: PLW2901
                mode = b"100755" if content.startswith(b"#!") else b"100644"
                parts += [b"M " + mode + b" inline " + _quoted(path) + b"\ndata %d\n" % len(content), content, b"\n"]
        self._wait_for_locks()
        out = self._git(
            "fast-import", "--quiet", "--done", "--force", stdin=b"".join([*parts, b"\nget-mark :1\ndone\n"])
        )
        return out.decode().strip()

    def tree(self, commit: str) -> dict[str, str]:
        """Path → blob of a commit."""
        if not commit:
            return {}
        if commit not in self._trees:
            rows = (
                self._git("ls-tree", "-r", "-z", "--full-tree", commit).decode("utf-8", "surrogateescape").split("\0")
            )
            self._trees[commit] = {row.split("\t", 1)[1]: row.split("\t", 1)[0].split()[2] for row in rows if row}
        return self._trees[commit]

    def read(self, commit: str, paths: Iterable[str] | None = None) -> dict[str, bytes]:
        """Contents at a commit, of all files or of those named that exist."""
        tree = self.tree(commit)
        wanted = [p for p in (tree if paths is None else paths) if p in tree]
        self._fetch(sorted({tree[p] for p in wanted} - self._blobs.keys()))
        contents = {path: self._blobs[tree[path]] for path in wanted}
        self._blobs = {blob: content for blob, content in self._blobs.items() if len(content) <= _REMEMBERED}
        return contents

    def _fetch(self, blobs: Sequence[str]) -> None:
        if not blobs:
            return
        out = self._git("cat-file", "--batch", stdin="".join(f"{blob}\n" for blob in blobs).encode())
        at = 0
        for blob in blobs:
            header = out.index(b"\n", at)
            size = int(out[at:header].split()[2])
            self._blobs[blob] = out[header + 1 : header + 1 + size]
            at = header + 1 + size + 1

    # --- the working tree ------------------------------------------------------------------------------------------

    def drift(self, head: str, previous: str = "") -> Drift:
        """What in the tree is neither in `head` nor, where the tree has yet to follow, in `previous`."""
        now, before = self.tree(head), self.tree(previous)
        changes: dict[str, bytes | None] = {}
        for path in {*now, *before}:
            content = self._content(path)
            found = _blob(content) if content is not None else None
            if found != now.get(path) and not (previous and found == before.get(path)):
                changes[path] = content
        known = {*now, *before}
        changes |= {path: self._content(path) for path in self._extra(known) if self._size(path) <= _LARGEST_EXTRA}
        return Drift(changes)

    def strays(self, head: str) -> list[str]:
        """Files of any size that are neither in `head` nor outputs."""
        return self._extra(set(self.tree(head)))

    def settle(self, previous: str, head: str, tags: Mapping[str, str]) -> Drift:
        """Make tree, `main` and tags follow `head`. A file that a person changed is left as it is and reported."""
        conflict = self.drift(head, previous)
        if not conflict.changes:
            self._follow(previous, head, tags)
        return conflict

    def _follow(self, previous: str, head: str, tags: Mapping[str, str]) -> None:
        now, before = self.tree(head), self.tree(previous)
        contents = self.read(
            head, [p for p, blob in now.items() if before.get(p) != blob or not (self.root / p).exists()]
        )
        for path in before.keys() - now.keys():
            (self.root / path).unlink(missing_ok=True)
            self._prune((self.root / path).parent)
        for path, content in contents.items():
            self._write(path, content)
        self._point(previous, head, tags)

    def _write(self, path: str, content: bytes) -> None:
        try:
            files.write(self.root / path, content, self._staging)
            if content.startswith(b"#!"):
                (self.root / path).chmod(0o755)
        except OSError as error:
            raise InfrastructureError(
                f"cannot write {self.root / path}: {error.strerror}", "Mend that, then `resume`."
            ) from None

    def _prune(self, folder: Path) -> None:
        """Remove folders that hold nothing any more: a file may have to take their place."""
        while folder != self.root:
            shutil.rmtree(folder / "__pycache__", ignore_errors=True)
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def restore(self, head: str, paths: Iterable[str], aside: Path) -> None:
        """Put files back as they are in `head`; what was there instead goes to `aside`."""
        known = self.read(head, paths)
        for path in paths:
            target = self.root / path
            if target.exists() or target.is_symlink():
                (aside / path).parent.mkdir(parents=True, exist_ok=True)
                target.replace(aside / path)
            if path in known:
                self._write(path, known[path])

    def keep(self, head: str, drift: Drift, at: float, number: int) -> str:
        """A person's version as a commit under refs/people/, so that nothing can lose it."""
        saved = self.commit(head, drift.changes, f"By hand: {', '.join(drift.files)}", at, self.identity())
        self._wait_for_locks()
        self._git("update-ref", f"refs/people/{number}", saved)
        return saved

    def identity(self) -> tuple[str, str]:
        """The user's own git identity, for what a person did: as git itself would find it, the environment included."""
        places = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_PREFIX")
        environment = {key: value for key, value in os.environ.items() if key not in places}
        told = subprocess.run(
            ["git", "var", "GIT_AUTHOR_IDENT"], cwd=self.root, capture_output=True, env=environment
        ).stdout.decode("utf-8", "replace")
        name, _, rest = told.partition(" <")
        user = os.environ.get("USER") or "user"
        return name or user, rest.partition(">")[0] or f"{user}@localhost"

    def diff(self, old: str, new: str, paths: Iterable[str] = ()) -> str:
        return self._git("diff", "--no-color", "--no-ext-diff", old, new, "--", *paths).decode("utf-8", "replace")

    @property
    def _staging(self) -> Path:
        return self.root / ".git" / "staging"

    # --- inside ----------------------------------------------------------------------------------------------------

    def _content(self, path: str) -> bytes | None:
        """None: no file of that name. A pipe, socket or device counts as an empty file: it must not be read."""
        target = self.root / path
        try:
            mode = target.lstat().st_mode
            if stat.S_ISLNK(mode):
                return os.fsencode(target.readlink()) + _LINK
            if stat.S_ISDIR(mode):
                return None
            return target.read_bytes() if stat.S_ISREG(mode) else b""
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InfrastructureError(f"cannot read {target}: {error.strerror}", "Mend that, then `resume`.") from None

    def _size(self, path: str) -> int:
        try:
            return (self.root / path).lstat().st_size
        except OSError:
            return 0

    def _extra(self, known: set[str]) -> list[str]:
        """Files that no commit has and that are no outputs: a person's new file, or something a run left behind."""
        found: list[str] = []
        stack = [self.root]
        while stack:
            for entry in sorted(stack.pop().iterdir()):
                name = entry.relative_to(self.root).as_posix()
                if entry.name.startswith(".") or any(Path(name).match(p) for p in OUTPUTS if "/" not in name):
                    continue
                if entry.is_dir() and not entry.is_symlink():
                    if entry.name != "__pycache__":
                        stack.append(entry)
                elif name not in known and name not in _BUILT and not any(entry.match(p) for p in _NOT_OURS):
                    found.append(name)
        return found

    def _point(self, previous: str, head: str, tags: Mapping[str, str]) -> None:
        lines = [f"update {MAIN} {head}", *(f"update refs/tags/{tag} {commit}" for tag, commit in tags.items())]
        self._wait_for_locks()
        self._keep_other_commits(previous, head)
        self._git("update-ref", "--stdin", stdin=("\n".join(lines) + "\n").encode())
        if (self.root / ".git" / "HEAD").read_text() != f"ref: {MAIN}\n":
            self._git("symbolic-ref", "HEAD", MAIN)
        self._git("reset", "-q", check=False)  # the index, for people who look with `git status`

    def _keep_other_commits(self, previous: str, head: str) -> None:
        """Commits that a person made stay reachable when `main` moves on without them, or HEAD goes back to it."""
        known = {previous, head, MAIN, "HEAD"}  # rev-parse repeats a name that does not exist
        for there in set(self._git("rev-parse", MAIN, "HEAD", check=False).decode().split()) - known:
            self._git("update-ref", f"refs/people/commit-{there[:12]}", there)

    def _wait_for_locks(self) -> None:
        """A lock file left by a git that was killed: wait a little in case it lives, then remove it."""
        git = self.root / ".git"
        until = time.monotonic() + self.patience
        while left := [
            p for p in (git / "index.lock", git / "HEAD.lock", *(git / "refs").rglob("*.lock")) if p.exists()
        ]:
            if time.monotonic() > until:
                for path in left:
                    path.unlink(missing_ok=True)
            time.sleep(0.05)

    def _git(self, *arguments: str, stdin: bytes = b"", check: bool = True) -> bytes:
        where = [f"--git-dir={self.root / '.git'}", f"--work-tree={self.root}"]
        return _call(["git", *where, *_SAFE, *arguments], arguments[0], self.root, stdin, check)


def _call(argv: Sequence[str], name: str, root: Path, stdin: bytes = b"", check: bool = True) -> bytes:
    try:
        done = subprocess.run(
            argv, input=stdin, capture_output=True, env=_environment(), cwd=root,
            start_new_session=True,  # Ctrl-C is for us, not for a git in the middle of a write
        )  # fmt: skip
    except FileNotFoundError:
        raise InputProblem("git is not installed", "Install git and start again.") from None
    if check and done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = next((line for line in said if line.startswith(("fatal:", "error:"))), said[-1] if said else "")
        raise InfrastructureError(
            f"git {name} failed: {reason or done.returncode}", f"Look at {root / '.git'}; then `resume`."
        )
    return done.stdout


def _without_git() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}


def _environment() -> dict[str, str]:
    quiet = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_CONFIG_NOSYSTEM": "1",
             "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}  # fmt: skip
    return {**_without_git(), **quiet}


def _blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _quoted(path: str) -> bytes:
    if path.startswith("/") or any(part in ("", ".", "..") or part.lower() == ".git" for part in path.split("/")):
        raise InfrastructureError(f"{printable(path)} is no name for a file of a study")
    quoted = '"' + path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return quoted.encode("utf-8", "surrogateescape")


def _plain(text: str) -> str:
    return "".join(c for c in text if c not in "<>\n\0").strip() or "unknown"
