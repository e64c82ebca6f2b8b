"""Of a change, what touches the evaluation surface: data, seeds, lengths, metrics. Shown apart from the rest of a diff.

A heuristic, and said to be one where it is shown: a changed line counts if a name on it (a variable, attribute, keyword,
function, or a short string such as a dictionary's key) has a word of the table below in it. A line that changes the
evaluation under harmless names is not found, and a harmless line with such a name is. What the harness measures is frozen
and carries its protocol; this is for a person's eye.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

WORDS: Mapping[str, tuple[str, ...]] = {
    "data": ("data", "dataset", "datasets", "split", "splits", "corpus", "heldout", "holdout", "validation", "valid", "val",
             "test", "train", "loader", "shuffle", "sample", "samples", "download", "load"),
    "seeds": ("seed", "seeds", "rng", "randomstate", "generator"),
    "lengths": ("length", "len", "tokens", "sequences", "epochs", "steps", "iterations", "iters", "rows", "budget", "batches",
                "context", "timeout"),
    "metrics": ("metric", "metrics", "score", "scores", "eval", "evaluate", "evaluation", "accuracy", "loss", "mse", "kl", "auc",
                "stderr", "stderrs", "means", "report", "results", "info", "protocol", "perplexity"),
}  # fmt: skip
_NOT_IT = frozenset({"len"})  # the built-in function is everywhere
_TOPIC = {word: topic for topic, words in WORDS.items() for word in words}
_KEY = re.compile(r"[A-Za-z_][\w.\-/]{0,40}")
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class Touch:
    topic: str
    file: str
    line: int  # of the new file for "+", of the old for "-"
    sign: str
    text: str


def surface(diff: str, old: Mapping[str, str], new: Mapping[str, str]) -> list[Touch]:
    """`old` and `new`: the texts of the changed Python files, by name. Others are not looked at."""
    topics = {"-": {n: topics_by_line(t) for n, t in old.items()}, "+": {n: topics_by_line(t) for n, t in new.items()}}
    found = []
    for file, sign, number, text in _changed(diff):
        for topic in topics[sign].get(file, {}).get(number, ()):
            found.append(Touch(topic, file, number, sign, text.strip()))
            break  # once is enough
    return found


def topics_by_line(source: str) -> dict[int, tuple[str, ...]]:
    """For each line that has names of the table, their topics. A file that does not parse is read word by word."""
    try:
        names = list(_names(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = (line.split("#")[0] for line in source.splitlines())
        names = [(n, word) for n, line in enumerate(lines, 1) for word in re.findall(r"[A-Za-z_]\w*", line)]
    found: dict[int, dict[str, None]] = {}
    for number, name in names:
        for topic in _topics(name):
            found.setdefault(number, {})[topic] = None
    return {number: tuple(topics) for number, topics in found.items()}


def _topics(name: str) -> Iterator[str]:
    if name in _NOT_IT:
        return
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name):
        if word.lower() in _TOPIC:
            yield _TOPIC[word.lower()]


def _names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        line = getattr(node, "end_lineno" if isinstance(node, ast.Attribute) else "lineno", 0) or 0
        if isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, (ast.arg, ast.keyword)) and node.arg:
            yield line, node.arg
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield line, node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _KEY.fullmatch(node.value):
            yield line, node.value
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from ((line, alias.name) for alias in node.names)


def _changed(diff: str) -> Iterator[tuple[str, str, int, str]]:
    """(file, sign, line number, text) of each changed line of a unified diff."""
    name, old, new = "", 0, 0
    old_left = new_left = 0  # lines that the hunk still has: a changed line may look like a header
    for line in diff.split("\n"):
        if old_left <= 0 and new_left <= 0:
            if line.startswith(("--- a/", "+++ b/")):
                name = line[6:].rstrip("\t")
            elif hunk := _HUNK.match(line):
                old, new = int(hunk[1]), int(hunk[2])
                old_left, new_left = _sizes(line)
            continue
        sign = line[:1]
        if sign in ("-", "+"):
            yield name, sign, old if sign == "-" else new, line[1:]
        if sign in ("-", " ", ""):
            old, old_left = old + 1, old_left - 1
        if sign in ("+", " ", ""):
            new, new_left = new + 1, new_left - 1


def _sizes(header: str) -> tuple[int, int]:
    sides = header.split("@@")[1].split()
    counts = [int(side.partition(",")[2] or 1) for side in sides]
    return counts[0], counts[1]


def told(touches: Iterable[Touch]) -> str:
    """For the terminal; nothing if nothing is touched."""
    rows = [f"  {t.topic:<8} {t.file}:{t.line}  {t.sign} {t.text[:100]}" for t in touches]
    head = "Evaluation surface: changed lines whose names speak of data, seeds, lengths or metrics (a heuristic)"
    return "\n".join([head, *rows]) if rows else ""
