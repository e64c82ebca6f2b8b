"""Sixteen questions about a token of Python code that can be answered by reading the line so far: probing tasks.

`label(words)` → one whole number per token; bit i is the answer to TASKS[i]. Answers come from simple rules, not from a
parser: a quote inside a comment counts as none, a triple quote as three.
"""

from __future__ import annotations

from dataclasses import dataclass

TASKS = (
    "comment", "parenthesis", "deep_indent", "string", "letters", "capital", "def_line", "import_line", "return_line",
    "if_line", "class_line", "assigned", "keyword_argument", "after_self", "self_line", "line_end",
)  # fmt: skip


@dataclass
class _Line:
    text: str = ""
    indent: int = 0
    blank: bool = True
    comment: bool = False
    string: bool = False


def label(words: list[str]) -> list[int]:
    """`words`: the texts of one sequence's tokens, the first of which is the mark of its beginning."""
    line, depth, labels = _Line(), 0, [0]
    for position in range(1, len(words)):
        for character in words[position]:
            if character == "\n":
                line = _Line()
                continue
            line.text += character
            line.blank = line.blank and character == " "
            line.indent += line.blank
            depth = max(0, depth + _read(line, character))
        following = words[position + 1] if position + 1 < len(words) else ""
        answers = _answers(words[position], line, depth, following)
        labels.append(sum(1 << bit for bit, answer in enumerate(answers) if answer))
    return labels


def _read(line: _Line, character: str) -> int:
    """How many brackets this character opens (or closes, if negative)."""
    if line.comment:
        return 0
    if character in "\"'":
        line.string = not line.string
    elif not line.string:
        line.comment = character == "#"
        return (character in "([{") - (character in ")]}")
    return 0


def _answers(word: str, line: _Line, depth: int, following: str) -> tuple[bool, ...]:
    code = line.text.strip()
    return (
        line.comment,
        depth > 0,
        line.indent >= 8,
        line.string,
        word[:1].isalpha(),
        word.strip()[:1].isupper(),
        code.startswith("def "),
        code.startswith(("import ", "from ")),
        code.startswith(("return", "raise")),
        code.startswith(("if ", "elif ")),
        code.startswith("class "),
        " = " in code and depth == 0 and not line.comment,
        "=" in code and depth > 0 and not line.string,
        "self." in code[-6:],
        code.startswith("self."),
        following.startswith("\n"),
    )
