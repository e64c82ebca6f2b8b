"""LaTeX read well enough to audit it: what a reader of the paper will see, and where each piece of it stands.

`read(source)` gives the text that is printed (comments, arguments that are names or lengths, definitions and the
preamble are not; the title is), the commands with their arguments, the headings, and what is not closed or not escaped.
Each character of the text knows its place in the source, so that everything can be reported with its line.

Not a TeX: macros are not expanded (what a paper defines itself is hidden where it is defined, and its use reads like
any unknown command: its name is dropped, its arguments are read), catcodes never change, conditionals are not followed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agent.core import latex_names as names
from agent.core.latex_paper import BREAK, FACT, Fault, Heading, Paper, Use


def read(source: str) -> Paper:
    reader = _Reader(source)
    reader.run()
    return reader.paper()


@dataclass
class _Reader:
    source: str
    at: int = 0
    out: list[tuple[str, int]] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    environments: list[tuple[str, int]] = field(default_factory=list)
    closed: list[tuple[str, int, int]] = field(default_factory=list)
    groups: list[tuple[int, int]] = field(
        default_factory=list
    )  # where a brace was opened, and how many environments were
    math: tuple[str, int] | None = None  # what closes it, and where it was opened
    braces: list[tuple[int, int]] = field(default_factory=list)
    maths: list[tuple[int, int]] = field(default_factory=list)
    body: int = -1
    title: tuple[int, int] = (0, 0)

    def run(self) -> None:
        while self.at < len(self.source):
            if self.source.startswith("\\end{document}", self.at):
                break
            self.step(self.source[self.at])
        self.end_math()
        for name, at in self.environments:
            if name != "document":
                self.fault("environment", at, f"\\begin{{{name}}} is never closed", f"add \\end{{{name}}}")
        self.close_groups(0)

    def paper(self) -> Paper:
        start = max(self.body, 0)
        shown = [(c, at) for c, at in self.out if at >= start or self.title[0] <= at < self.title[1]]
        return Paper(
            self.source,
            "".join(c for c, _ in shown),
            tuple(at for _, at in shown),
            tuple(self.uses),
            tuple(self.headings),
            tuple((begin, end) for name, begin, end in self.closed if name == "abstract"),
            tuple((begin, end) for _, begin, end in self.closed),
            tuple(sorted((f for f in self.faults if f.at >= start or f.kind == "brace"), key=lambda f: f.at)),
            self.title,
            (0, *(m.end() for m in re.finditer("\n", self.source))),
            tuple(self.braces),
            tuple(self.maths),
            self.body,
        )

    # ---- one piece at a time

    def step(self, char: str) -> None:
        if char == "\\":
            self.command()
        elif char == "%":
            self.comment()
        elif char == "$":
            self.dollar()
        elif char == "{":
            self.groups.append((self.at, len(self.environments)))
            self.at += 1
        elif char == "}":
            self.close_group()
        elif char == "\n" and (blank := _BLANK.match(self.source, self.at)):
            self.end_math()
            self.show("\n\n", blank.end() - self.at)
        else:
            self.check(char)
            self.show({"~": " ", "&": BREAK}.get(char, char), 1)

    def show(self, text: str, length: int) -> None:
        self.out += [(char, self.at) for char in text]
        self.at += length

    def check(self, char: str) -> None:
        """Characters that LaTeX takes for its own."""
        if char in "_^" and not self.math:
            self.fault(
                "symbol", self.at, f"{char} outside of math", f"write \\{char}" if char == "_" else "write $…^{…}$"
            )
        elif char == "#" or (char == "&" and not any(name in names.ALIGNED for name, _ in self.environments)):
            self.fault("symbol", self.at, f"unescaped {char}", f"write \\{char}")

    def comment(self) -> None:
        end = self.source.find("\n", self.at)
        end = len(self.source) if end < 0 else end
        if _NUMBER_BEFORE.search(self.source, max(0, self.at - 4), self.at):
            self.fault("symbol", self.at, "unescaped %: the rest of the line is not printed", "write \\%")
            self.show("%", 0)
        self.at = end if self.source[: self.at].rpartition("\n")[2].strip() else min(len(self.source), end + 1)

    def dollar(self) -> None:
        mark = "$$" if self.source.startswith("$$", self.at) and (not self.math or self.math[0] == "$$") else "$"
        if self.math and self.math[0] in ("$", "$$"):
            self.leave_math(self.at + len(mark))
        elif not self.math:
            self.math = (mark, self.at)
        self.at += len(mark)

    def leave_math(self, end: int) -> None:
        if self.math:
            self.maths.append((self.math[1], end))
            self.math = None

    def end_math(self) -> None:
        if self.math:
            closing, at = self.math
            if (
                not closing.startswith("\\end") or closing in self.source[self.at :]
            ):  # else it is told of the environment
                self.fault(
                    "math", at, "math that is opened here is not closed in its paragraph", f"close it with {closing}"
                )
            self.groups = [group for group in self.groups if group[0] < at]
            self.leave_math(self.at)

    def close_group(self) -> None:
        if self.groups:
            self.braces.append((self.groups.pop()[0], self.at + 1))
        else:
            self.fault("brace", self.at, "a } that closes nothing", "take it away, or open it with {")
        self.at += 1

    def close_groups(self, depth: int) -> None:
        """Those that were opened inside of an environment that ends: reported, and forgotten."""
        for at, inside in self.groups:
            if inside > depth or depth == 0:
                self.fault("brace", at, "a { that is never closed", "close it with }")
                self.braces.append((at, len(self.source)))
        self.groups = [group for group in self.groups if depth and group[1] <= depth]

    def fault(self, kind: str, at: int, what: str, fix: str) -> None:
        self.faults.append(Fault(kind, at, what, fix))

    # ---- commands

    def command(self) -> None:
        found = _COMMAND.match(self.source, self.at)
        assert found
        name, start = found.group(1), self.at
        if name in ("begin", "end"):
            self.environment(name, found.end())
        elif name in ("verb", "lstinline"):
            self.verbatim(found.end())
        elif name in ("(", "["):
            self.math, self.at = ("\\)" if name == "(" else "\\]", start), found.end()
        elif name in (")", "]"):
            self.leave_math(found.end())
            self.at = found.end()
        elif name in names.SHOWN:
            self.show(names.SHOWN[name], found.end() - start)
            self.at = self.skip_length(self.at) if name == "\\" else self.at
        elif name in names.DEFINITIONS:
            self.at = self.definition(found.end())
        else:
            self.named(name, start, found.end())

    def named(self, name: str, start: int, end: int) -> None:
        modes = names.modes(name)
        arguments = []
        end = self.skip_star(end)
        if modes or not self.math or name == "sqrt":
            end = end if name in names.SHOWN_OPTION else self.skip_options(end)
        for _ in modes.rstrip("s"):
            group = self.group(end, _RAW if name in names.RAW else None)
            if group is None:
                break
            arguments.append(group)
            end = self.skip_options(group[0] + len(group[1]) + 1)
        self.uses.append(Use(name, start, tuple(arguments), end))
        self.show(
            FACT if names.is_fact(name) else BREAK if name in names.BREAKS else "" if self.math else " ", end - start
        )
        if name in names.HEADINGS and (titled := self.group(end)):
            self.headings.append(Heading(name, start, titled[1]))
        if name == "title" and (titled := self.group(end)):
            self.title = (titled[0], titled[0] + len(titled[1]))

    def environment(self, word: str, end: int) -> None:
        group = self.group(end)
        if group is None:
            self.at = end
            return
        name, start = group[1].strip(), self.at
        after = group[0] + len(group[1]) + 1
        self.show(BREAK, 0)
        if word == "end":
            self.leave(name, start, after)
        else:
            self.enter(name, start, after)

    def enter(self, name: str, start: int, after: int) -> None:
        if name in names.VERBATIM:
            end = self.source.find(f"\\end{{{name}}}", after)
            if end < 0:
                self.fault("environment", start, f"\\begin{{{name}}} is never closed", f"add \\end{{{name}}}")
            self.at = len(self.source) if end < 0 else end + len(f"\\end{{{name}}}")
            return
        self.environments.append((name, start))
        if name == "document":
            self.body = after
        if name in names.MATH:
            self.math = (f"\\end{{{name}}}", start)
        after = self.skip_options(after)
        for _ in range(names.ENVIRONMENTS.get(name.rstrip("*"), 0) + (name in ("tabular*", "tabularx*"))):
            if group := self.group(after):
                after = self.skip_options(group[0] + len(group[1]) + 1)
        self.at = after

    def leave(self, name: str, start: int, after: int) -> None:
        if self.math and self.math[0] == f"\\end{{{name}}}":
            self.leave_math(after)
        elif name not in names.ALIGNED:
            self.end_math()
        self.at = after
        opened = [known for known, _ in self.environments]
        if name not in opened:
            top = opened[-1] if opened else ""
            beside = "" if top in ("", "document", "abstract") else f" (open is {top})"
            self.fault(
                "environment", start, f"\\end{{{name}}} closes nothing that is open{beside}", "match \\begin and \\end"
            )
            if beside:
                self.environments.pop()
            return
        while True:
            top, at = self.environments.pop()
            self.close_groups(len(self.environments) + 1) if self.environments else None
            self.closed.append((top, at, after))
            if top == name:
                return
            self.fault(
                "environment", at, f"\\begin{{{top}}} is not closed before \\end{{{name}}}", f"add \\end{{{top}}}"
            )

    def verbatim(self, end: int) -> None:
        end = self.skip_star(end)
        mark = {"{": "}"}.get(self.source[end : end + 1], self.source[end : end + 1])
        closing = self.source.find(mark, end + 1) if mark else -1
        self.show(" ", (closing + 1 if closing > 0 else end) - self.at)

    def definition(self, end: int) -> int:
        r"""Behind \newcommand{\x}[1]{…} or \def\x#1{…}: nothing of it is printed here."""
        end = self.skip_star(end)
        if name := _DEFINED.match(self.source, end):
            end = name.end()
        opening = self.source.find("{", end)
        group = self.group(opening) if opening >= 0 else None
        return group[0] + len(group[1]) + 1 if group else end

    # ---- arguments

    def group(self, at: int, braces: re.Pattern[str] | None = None) -> tuple[int, str] | None:
        """The balanced {…} at a place: where its text begins, and the text."""
        while at < len(self.source) and self.source[at] in " \n\t":
            at += 1
        if self.source[at : at + 1] != "{":
            return None
        depth = 0
        for found in (braces or _BRACES).finditer(self.source, at):
            depth += {"{": 1, "}": -1}.get(found.group(), 0)
            if depth == 0:
                return at + 1, self.source[at + 1 : found.start()]
            if depth > _DEEPEST:
                return None
        return None

    def skip_star(self, at: int) -> int:
        return at + 1 if self.source.startswith("*", at) else at

    def skip_options(self, at: int) -> int:
        while found := _OPTION.match(self.source, at):
            at = found.end()
        return at

    def skip_length(self, at: int) -> int:
        found = _LENGTH.match(self.source, self.skip_star(at))
        return found.end() if found else self.skip_star(at)


_DEEPEST = 100  # braces in braces; what is deeper is nobody's paper
_COMMAND = re.compile(r"\\([A-Za-z@]+|.|$)", re.DOTALL)
_BRACES = re.compile(r"\\.|(?<!\\)%[^\n]*|[{}]", re.DOTALL)
_RAW = re.compile(r"\\[{}]|[{}]")  # where % is a character
_OPTION = re.compile(r"\[(?:[^\[\]{}]|\{[^{}]*\})*\]")
_LENGTH = re.compile(r"\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\]")
_BLANK = re.compile(r"\n[ \t]*\n\s*")
_NUMBER_BEFORE = re.compile(r"[0-9]\$?$")
_DEFINED = re.compile(r"\s*(?:\{?\s*\\[A-Za-z@]+\s*\}?|\{\w+\*?\})")
