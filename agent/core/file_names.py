"""Which file a line of a reply names, and which names are never accepted.

A name may be decorated (`**experiment.py**`, `### File: plot.py`, `# experiment.py`), start with `./`, or carry the
study folder in front. Any other name that is not an editable file stays as it was written, so that the edit is refused
by that name: a frozen `harness/plot.py` must never be taken for `plot.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

LONGEST_NAME = 400  # a longer line names no file
TOKEN = re.compile(r"[\w.~+@/\\-]*[\w]")
EXTENSION = re.compile(r"\.[A-Za-z]\w{0,9}$")
IN_A_SENTENCE = re.compile(  # where `torch.nn` and `e.g` are words
    r"\.(?:bib|c|cfg|cpp|csv|cu|h|html|ini|ipynb|js|json|jsonl|md|py|pyi|rst|sh|tex|toml|tsv|txt|xml|yaml|yml)$"
)
WELL_KNOWN = ("Makefile", "Dockerfile", "LICENSE", "README")
FILLER = re.compile(
    r"\d+|and|block|changes?|code|contents?|create|edit|file|filename|for|full|here|in|modify|name|new|now|path|python|py"
    r"|replace|search|the|this|title|to|updated?",
    re.IGNORECASE,
)
# What may stand before an editable name: a results folder, the stamp of a study, git's sides of a diff.
STUDY_PREFIX = re.compile(r"^(?:(?:results/)?\d{8}_\d{6}[^/]*|results/[^/]+|study|workspace|a|b)/")


def resolve(token: str, files: Iterable[str]) -> str:
    """The editable file that is meant, or the name as written."""
    known = set(files)
    plain = "/".join(part for part in token.split("/") if part != ".") if not token.startswith("/") else token
    within = plain if ".." in plain.split("/") else STUDY_PREFIX.sub("", plain, count=1)
    for candidate in (token, plain, token.strip("_"), within):
        if candidate in known:
            return candidate
    return plain


def named(line: str, files: Sequence[str]) -> tuple[str, bool] | None:
    """(file, is the line nothing but that name). None when the line names no file, or more than one."""
    if len(line) > LONGEST_NAME:
        return None
    undecorated = line.strip(" \t#*`'\":")
    if undecorated in files:
        return undecorated, True
    tokens = [match.group() for match in TOKEN.finditer(line)]
    only = len(tokens) == 1 or _filler(tokens)
    names = {resolve(token, files) for token in tokens if _is_path(token, files, only)}
    if len(names) != 1:
        return None
    others = [token for token in tokens if not _is_path(token, files, only)]
    return names.pop(), all(FILLER.fullmatch(other) for other in others)


def _filler(tokens: Sequence[str]) -> bool:
    return sum(not FILLER.fullmatch(token) for token in tokens) <= 1


def _is_path(token: str, files: Sequence[str], only: bool) -> bool:
    """On a line of its own anything with an extension or a slash; in a sentence only what is surely a file."""
    if resolve(token, files) in files or token in WELL_KNOWN or IN_A_SENTENCE.search(token):
        return True
    return only and ("/" in token or "\\" in token or bool(EXTENSION.search(token)))


def unsafe(name: str) -> str:
    """Why this name is refused whatever is editable; empty if it is not."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\", "~")) or re.match(r"[A-Za-z]:", name):
        return "it is an absolute path; names are relative to the study folder"
    if ".." in parts:
        return "it points outside the study folder"
    if any(part.casefold().rstrip(" .") == ".git" for part in parts):
        return "git's own files are never edited"
    if "\\" in name or "" in parts or any(ord(character) < 32 for character in name):
        return "it is not a plain relative path"
    return ""


def globbed(name: str, patterns: Iterable[str]) -> bool:
    """`*` and `?` stay inside one folder, `**/` stands for any folders."""
    return any(re.fullmatch(_expression(pattern), name) for pattern in patterns)


def _expression(pattern: str) -> str:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wild = {"**/": r"(?:[^/]+/)*", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return "".join(wild.get(piece, re.escape(piece)) for piece in pieces)


def similar(name: str, files: Iterable[str]) -> str:
    """The editable name that looks most like this one, or nothing."""
    by_lower = {known.lower(): known for known in files}
    close = difflib.get_close_matches(name.lower()[-200:], by_lower, n=1, cutoff=0.6)
    same_last = [known for known in by_lower.values() if known.rsplit("/", 1)[-1] == name.rsplit("/", 1)[-1]]
    return same_last[0] if len(same_last) == 1 else by_lower[close[0]] if close else ""
