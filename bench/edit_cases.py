"""Perturbed replies with a known right answer: what an applier of edits is measured on.

A *kind* takes a file, a correct edit of it and the other editable files, and writes the reply of a coder that got the
edit right but something else wrong (or right). It also says what must come of it: the changed files, or a refusal that
changes nothing. A kind that makes no sense for this edit (tabs, where nothing is indented) returns None.

What is right, where one could argue:
    indentation, tabs    the file's own: the replacement is shifted like the SEARCH was, tabs become the file's spaces
    line endings         the file's own, line by line
    trailing blanks      those that only the reply has are dropped; the file's own stay on lines that are kept
    elision              the elided lines stay as they are
    wrong file           a refusal, also when the text is found in another editable file
    already applied      a refusal, also when SEARCH is still there because REPLACE contains it
The kinds below the line "not frozen" were added after the applier was written; those above were fixed before.
"""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edit:
    """Whole lines of a file and what is to stand there instead."""

    search: str
    replace: str


@dataclass(frozen=True)
class Case:
    reply: str
    files: Mapping[str, str]  # the editable files before
    expected: Mapping[str, str] | None  # the changed files after; None: a refusal, nothing changed
    creatable: tuple[str, ...] = field(default=())


Kind = Callable[[str, str, Edit, Mapping[str, str], random.Random], "Case | None"]
KINDS: dict[str, Kind] = {}


def kind(function: Kind) -> Kind:
    KINDS[function.__name__] = function
    return function


# ---- correct edits -------------------------------------------------------------------------------------------------

MARKER_LIKE = re.compile(r"^\s*(<{3,}|={5,}|>{3,}|```|~~~)|^\s*\.\.\.\s*$")


def bare(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.split("\n"))


def places(text: str, search: str) -> int:
    """How often the lines of `search` occur in `text`, whatever the blanks around them."""
    lines, wanted = bare(text), bare(search.rstrip("\n"))
    return sum(lines[i : i + len(wanted)] == wanted for i in range(len(lines) - len(wanted) + 1))


def draw_edit(text: str, rng: random.Random, others: Mapping[str, str] | None = None) -> Edit:
    """A correct edit at a random place that is unique even for a reader who does not look at blanks."""
    lines = text.split("\n")
    for _ in range(2000):
        length = rng.choice((1, 1, 2, 3, 4, 5, 6, 8, 12))
        start = rng.randrange(max(1, len(lines) - length))
        chosen = lines[start : start + length]
        if not usable(chosen):
            continue
        search = "\n".join(chosen) + "\n"
        if text.count(search) != 1 or places(text, search) != 1:
            continue
        if any(places(other, search) for other in (others or {}).values()):
            continue
        replace = "\n".join(changed(chosen, rng)) + "\n"
        if places(text, replace) == 0:
            return Edit(search, replace)
    raise ValueError("no unique place in this text")


def usable(lines: list[str]) -> bool:
    solid = [line for line in lines if len(line.strip()) >= 8]
    clean = not any(MARKER_LIKE.match(line) or "\t" in line or line != line.rstrip() for line in lines)
    return bool(solid) and clean and bool(lines[0].strip()) and bool(lines[-1].strip())


def changed(lines: list[str], rng: random.Random) -> list[str]:
    at = rng.choice([i for i, line in enumerate(lines) if line.strip()])
    indent = lines[at][: len(lines[at]) - len(lines[at].lstrip())]
    label = f"value_{rng.randrange(10**6)}"
    how = rng.choice(("rewrite", "append", "prepend", "wrap", "drop", "comment"))
    if how == "drop" and len(lines) > 2 and at not in (0, len(lines) - 1):
        return [*lines[:at], *lines[at + 1 :]]
    if how == "append":
        return [*lines[: at + 1], f"{indent}{label} = {rng.randrange(100)}", *lines[at + 1 :]]
    if how == "prepend":
        return [*lines[:at], f"{indent}{label} = compute(", f"{indent}    1, 2", f"{indent})", *lines[at:]]
    if how == "wrap":
        return [*lines[:at], f"{indent}if {label}:", "    " + lines[at], *lines[at + 1 :]]
    if how == "comment":
        return [*lines[:at], lines[at] + f"  # {label}", *lines[at + 1 :]]
    return [*lines[:at], f"{indent}{label} = rewritten({rng.randrange(100)})", *lines[at + 1 :]]


# ---- replies -------------------------------------------------------------------------------------------------------


def block(search: str, replace: str, marks: int = 7) -> str:
    return f"{'<' * marks} SEARCH\n{search}{'=' * marks}\n{replace}{'>' * marks} REPLACE\n"


def fenced(name: str, body: str, language: str = "python", fence: str = "```") -> str:
    return f"{name}\n{fence}{language}\n{body}{fence}\n"


def answer(name: str, edit: Edit, marks: int = 7) -> str:
    return "I change one thing.\n\n" + fenced(name, block(edit.search, edit.replace, marks)) + "\nThat is all.\n"


def done(name: str, text: str, edit: Edit) -> dict[str, str]:
    return {name: text.replace(edit.search, edit.replace, 1)}


def each_line(text: str, change: Callable[[str], str]) -> str:
    return "".join(change(line) + "\n" if line.strip() else line + "\n" for line in text.split("\n")[:-1])


def common_indent(edit: Edit) -> int:
    both = (edit.search + edit.replace).split("\n")
    return min(len(line) - len(line.lstrip()) for line in both if line.strip())


# ---- kinds, frozen before the applier was written ------------------------------------------------------------------


@kind
def clean(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit), {name: text, **others}, done(name, text, edit))


@kind
def trailing_blanks(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    blurred = each_line(edit.search, lambda line: line + rng.choice(("", " ", "  ", "\t")))
    return Case(answer(name, Edit(blurred, edit.replace)), {name: text, **others}, done(name, text, edit))


@kind
def dedented(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    shift = common_indent(edit)
    if not shift:
        return None
    cut = Edit(*(each_line(part, lambda line: line[shift:]) for part in (edit.search, edit.replace)))
    return Case(answer(name, cut), {name: text, **others}, done(name, text, edit))


@kind
def under_indented(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    if common_indent(edit) < 4:
        return None
    cut = Edit(*(each_line(part, lambda line: line[4:]) for part in (edit.search, edit.replace)))
    return Case(answer(name, cut), {name: text, **others}, done(name, text, edit))


@kind
def over_indented(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    pushed = Edit(*(textwrap.indent(part, "    ") for part in (edit.search, edit.replace)))
    return Case(answer(name, pushed), {name: text, **others}, done(name, text, edit))


@kind
def tabs(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The reply is indented with a tab for every four spaces; the file must keep its spaces."""

    def tabbed(line: str) -> str:
        depth = len(line) - len(line.lstrip(" "))
        return "\t" * (depth // 4) + " " * (depth % 4) + line[depth:]

    if not re.search(r"^    ", edit.search, re.MULTILINE):
        return None
    reply = answer(name, Edit(each_line(edit.search, tabbed), each_line(edit.replace, tabbed)))
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def crlf_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    expected = {key: value.replace("\n", "\r\n") for key, value in done(name, text, edit).items()}
    return Case(answer(name, edit), {name: text.replace("\n", "\r\n"), **others}, expected)


@kind
def crlf_reply(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit).replace("\n", "\r\n"), {name: text, **others}, done(name, text, edit))


@kind
def six_markers(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit, 6), {name: text, **others}, done(name, text, edit))


@kind
def eight_markers(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit, 8), {name: text, **others}, done(name, text, edit))


@kind
def no_file_name(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    reply = f"Here is the change.\n\n```python\n{block(edit.search, edit.replace)}```\n"
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def no_fence(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(f"{name}\n{block(edit.search, edit.replace)}", {name: text, **others}, done(name, text, edit))


@kind
def wrong_fence_language(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    language = rng.choice(("", "diff", "text", "bash", "json", "c++", "sh"))
    reply = fenced(name, block(edit.search, edit.replace), language)
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def empty_replace(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    gone = Edit(edit.search, "")
    return Case(answer(name, gone), {name: text, **others}, done(name, text, gone))


@kind
def elision(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """Some lines in the middle of a longer place are written as `...` on both sides."""
    lines = text.split("\n")
    start = rng.randrange(max(1, len(lines) - 12))
    region = lines[start : start + 12]
    head, tail = region[:2], region[-2:]
    if len(region) < 12 or not usable(head) or not usable(tail) or any(MARKER_LIKE.match(line) for line in region):
        return None
    if any(places(text, "\n".join(part)) != 1 for part in (head, tail)):
        return None
    if any(places(other, "\n".join(part)) for other in others.values() for part in (head, tail)):
        return None
    new_head, new_tail = changed(head, rng), changed(tail, rng)
    dots = head[0][: len(head[0]) - len(head[0].lstrip())] + "..."
    short = Edit(*("\n".join([*a, dots, *b, ""]) for a, b in ((head, tail), (new_head, new_tail))))
    after = [*lines[:start], *new_head, *region[2:-2], *new_tail, *lines[start + 12 :]]
    return Case(answer(name, short), {name: text, **others}, {name: "\n".join(after)})


@kind
def hallucinated_search(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    lines = edit.search.split("\n")[:-1]
    at = rng.choice([i for i, line in enumerate(lines) if line.strip()])
    words = re.findall(r"[A-Za-z_]{3,}", lines[at])
    lines[at] = lines[at].replace(rng.choice(words), "imagined", 1) if words else lines[at] + " + imagined"
    wrong = "\n".join(lines) + "\n"
    return Case(answer(name, Edit(wrong, edit.replace)), {name: text, **others}, None)


@kind
def second_block_bad(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    bad = block("imagined_line = nowhere(1)\n", "imagined_line = nowhere(2)\n")
    return Case(answer(name, edit) + "\n" + fenced(name, bad), {name: text, **others}, None)


@kind
def search_twice(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The SEARCH text stands in the file twice: nobody can know which is meant."""
    twice = text + ("" if text.endswith("\n") else "\n") + "\n\n" + edit.search
    return Case(answer(name, edit), {name: twice, **others}, None)


@kind
def already_applied(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit), {name: done(name, text, edit)[name], **others}, None)


@kind
def prose_between(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """Two good blocks with talk, a list and some other code between them."""
    try:
        second = draw_edit(text, rng, others)
    except ValueError:
        return None
    after = text.replace(edit.search, edit.replace, 1)
    if overlap(text, edit, second) or after.count(second.search) != 1 or places(after, second.search) != 1:
        return None
    talk = "\nNext:\n\n- loss = 2 < 3\n- it runs as\n\n```bash\npython experiment.py\n```\n\nThe other half:\n\n"
    reply = answer(name, edit) + talk + fenced(name, block(second.search, second.replace)) + "\nDone. 1 < 2 > 0 == 0\n"
    return Case(reply, {name: text, **others}, {name: after.replace(second.search, second.replace, 1)})


def overlap(text: str, one: Edit, two: Edit) -> bool:
    a, b = text.index(one.search), text.index(two.search)
    return a < b + len(two.search) and b < a + len(one.search)


@kind
def glued_marker(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """A line break beside a marker is lost, or a word follows it."""
    whole = block(edit.search, edit.replace)
    variants = (
        whole.replace("<<<<<<< SEARCH\n", "<<<<<<< SEARCH", 1),
        whole.replace(">>>>>>> REPLACE\n", ">>>>>>> REPLACE (end of the block)\n"),
        whole.replace("\n>>>>>>> REPLACE", ">>>>>>> REPLACE"),
        whole.replace("\n=======\n", "=======\n", 1),
        whole.replace("<<<<<<< SEARCH\n", "<<<<<<<SEARCH\n", 1),
    )
    return Case(fenced(name, rng.choice(variants)), {name: text, **others}, done(name, text, edit))


@kind
def decorated_file_name(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    forms = ("**{}**", "### File: `{}`", "{}:", "./{}", "`{}`", "# {}", "1. **{}**:", "File: {}", "<!-- {} -->")
    decorated = rng.choice(forms).format(name)
    return Case(fenced(decorated, block(edit.search, edit.replace)), {name: text, **others}, done(name, text, edit))


FORBIDDEN = ("../{}", "/srv/study/{}", "harness/{}", ".git/hooks/pre-commit", "harness/evaluate.py", "other_{}", "/{}")


@kind
def forbidden_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    wrong = rng.choice(FORBIDDEN).format(name)
    return Case(answer(wrong, edit), {name: text, **others}, None)


# ---- not frozen: added after the applier was written ---------------------------------------------------------------


@kind
def five_or_nine_markers(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    return Case(answer(name, edit, rng.choice((5, 9))), {name: text, **others}, done(name, text, edit))


@kind
def name_inside_the_fence(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    inside = rng.choice(("# {}\n", "{}\n", "// {}\n")).format(name)
    reply = "The change:\n\n```python\n" + inside + block(edit.search, edit.replace) + "```\n"
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def name_as_first_quoted_line(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    also = rng.choice(("", f"# {name}\n"))
    reply = "```python\n" + block(f"# {name}\n" + edit.search, also + edit.replace) + "```\n"
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def name_in_the_fence_line(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    line = rng.choice(("```python {}", "```{}", '```python title="{}"', "```python:{}")).format(name)
    return Case(f"{line}\n{block(edit.search, edit.replace)}```\n", {name: text, **others}, done(name, text, edit))


@kind
def name_carried_over(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """Two blocks in one fence, or in two, under one file name."""
    try:
        second = draw_edit(text, rng, others)
    except ValueError:
        return None
    after = text.replace(edit.search, edit.replace, 1)
    if overlap(text, edit, second) or places(after, second.search) != 1:
        return None
    between = rng.choice(("", "\n", "```\n\nand\n\n```python\n"))
    body = block(edit.search, edit.replace) + between + block(second.search, second.replace)
    return Case(fenced(name, body), {name: text, **others}, {name: after.replace(second.search, second.replace, 1)})


@kind
def study_folder_in_name(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    folder = rng.choice(("results/20261121_101500_idea/", "20261121_101500_idea/", "./results/20261121_101500_idea/"))
    return Case(answer(folder + name, edit), {name: text, **others}, done(name, text, edit))


@kind
def tilde_fence(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    reply = fenced(name, block(edit.search, edit.replace), "python", rng.choice(("~~~", "````", "~~~~")))
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def no_closing_fence(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    reply = f"{name}\n```python\n{block(edit.search, edit.replace)}"
    return Case(rng.choice((reply, reply[:-1])), {name: text, **others}, done(name, text, edit))


@kind
def whole_reply_fenced(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    reply = "```markdown\n" + answer(name, edit) + "```"
    return Case(reply, {name: text, **others}, done(name, text, edit))


@kind
def fence_inside_markers(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    inner = block(f"```python\n{edit.search}```\n", f"```python\n{edit.replace}```\n")
    return Case(f"{name}\n{inner}", {name: text, **others}, done(name, text, edit))


@kind
def blank_lines_around(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    head, tail = rng.choice((("\n", ""), ("", "\n"), ("\n", "\n"), ("\n\n\n\n", "\n\n\n\n")))
    padded = head + edit.search + tail
    if padded in text or text.startswith(padded.lstrip("\n")):
        return None
    both = rng.random() < 0.5
    new = head + edit.replace + tail if both else edit.replace
    return Case(answer(name, Edit(padded, new)), {name: text, **others}, done(name, text, edit))


@kind
def no_final_newline(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The edit is of the file's last lines, and the file does not end with a line break: it still does not."""
    short = text[: text.index(edit.search) + len(edit.search) - 1]
    after = short[: -len(edit.search) + 1] + edit.replace[:-1]
    return Case(answer(name, edit), {name: short, **others}, {name: after})


@kind
def unicode_text(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """Letters beyond ASCII, and characters that some libraries take for line breaks."""
    extra = "# λ → ∞, 漢字 \u2028 \x0c \x1e \x85 é 🙂\n"
    wide = Edit(edit.search + extra, edit.replace + extra.replace("é", "e\u0301"))
    before = text.replace(edit.search, wide.search, 1)
    return Case(answer(name, wide), {name: before, **others}, done(name, before, wide))


@kind
def mixed_line_endings(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """One line in three ends in CRLF; the edit changes one line in place, the others keep their endings."""
    lines = edit.search.split("\n")[:-1]
    at = rng.randrange(len(lines))
    edit = Edit(edit.search, "\n".join([*lines[:at], lines[at] + "  # touched", *lines[at + 1 :]]) + "\n")
    first = text[: text.index(edit.search)].count("\n")
    ends = ["\r\n" if rng.random() < 0.33 else "\n" for _ in range(text.count("\n") + 1)]
    before = "".join(line + end for line, end in zip(text.split("\n")[:-1], ends, strict=False))
    new = text.split("\n")[:-1]
    new[first + at] += "  # touched"
    after = "".join(line + end for line, end in zip(new, ends, strict=False))
    return Case(answer(name, edit), {name: before, **others}, {name: after})


@kind
def heading_in_content(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """A heading underlined with `=======` inside the quoted text: the block has several lines like its divider."""
    heading = '"""\nResults\n=======\n'
    before = text.replace(edit.search, heading + edit.search, 1)
    old, new = heading + edit.search, heading.replace("Results", "Outcome") + edit.replace
    edit = Edit(old, rng.choice((new, edit.replace, '"""\nResults\n-------\n' + edit.replace)))
    return Case(answer(name, edit), {name: before, **others}, done(name, before, edit))


@kind
def new_heading(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The heading is new, in a file that is no Python."""
    wide = Edit(edit.search, "Results\n=======\n\n" + edit.replace)
    return Case(answer("report.md", wide), {"report.md": text, **others}, done("report.md", text, wide))


@kind
def heading_hallucinated(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    """What is quoted above the heading's underline is there, what is quoted below it is not."""
    before = text.replace(edit.search, edit.search + "=======\n", 1)
    wrong = Edit(edit.search + "=======\nimagined = 1\n", edit.replace + "=======\nimagined = 2\n")
    return Case(answer(name, wrong), {name: before, **others}, None)


@kind
def conflict_in_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The coder resolves a merge conflict that stands in the file."""
    conflict = f"<<<<<<< HEAD\n{edit.search}=======\nother = 1\n>>>>>>> topic\n"
    before = text.replace(edit.search, conflict, 1)
    resolved = Edit(conflict, edit.replace)
    return Case(answer(name, resolved), {name: before, **others}, done(name, before, resolved))


@kind
def format_described_in_file(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    """The text itself holds a whole block, and nine-character markers tell the two apart."""
    example = block("old\n", "new\n")
    before = text.replace(edit.search, example + edit.search, 1)
    wide = Edit(example + edit.search, example.replace("new", "newer") + edit.replace)
    return Case(answer(name, wide, 9), {name: before, **others}, done(name, before, wide))


@kind
def block_inside_block(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The same, with markers that cannot be told apart: the inner block must not be taken for an edit."""
    before = edit.search + text
    wide = Edit(block(edit.search, "new\n"), edit.replace)
    return Case(answer(name, wide), {name: before, **others}, None)


@kind
def wrong_editable_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    if not others:
        return None
    return Case(answer(rng.choice(sorted(others)), edit), {name: text, **others}, None)


@kind
def replace_not_shifted(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """SEARCH lost its indentation, REPLACE did not: shifting both would indent the new lines too far."""
    shift = common_indent(edit)
    lines = [line for line in edit.replace.split("\n") if line.strip()]
    if shift < 4 or any(line.strip() in bare(edit.search) for line in lines):
        return None
    cut = Edit(each_line(edit.search, lambda line: line[shift:]), edit.replace)
    return Case(answer(name, cut), {name: text, **others}, None)


@kind
def replace_less_indented(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    """SEARCH is indented by eight too many, REPLACE has a line that cannot be moved so far back."""
    pushed = textwrap.indent(edit.search, "        ")
    new = pushed.split("\n")[0] + "  # first\n    back_out = 1\n"
    return Case(answer(name, Edit(pushed, new)), {name: text, **others}, None)


@kind
def elision_ambiguous(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """What follows the `...` stands twice after what precedes it."""
    before = text + "last_line = 0\n\nlast_line = 0\n"
    dotted = Edit(edit.search + "...\nlast_line = 0\n", edit.replace + "...\nlast_line = 1\n")
    return Case(answer(name, dotted), {name: before, **others}, None)


@kind
def elision_on_one_side(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    before = text + "middle_line = 0\nlast_line = 0\n"
    dotted = Edit(edit.search + "...\nlast_line = 0\n", edit.replace + "last_line = 1\n")
    return Case(answer(name, dotted), {name: before, **others}, None)


@kind
def rest_unchanged_in_replace(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    """REPLACE leaves out, in words, what SEARCH quotes in full."""
    comment = rng.choice(("# ... rest unchanged", "# ... existing code ...", "# ... (rest of the function)"))
    return Case(answer(name, Edit(edit.search, f"first = 1\n{comment}\n")), {name: text, **others}, None)


@kind
def unterminated(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The reply was cut off in the second of two blocks."""
    cut = block(edit.search, edit.replace).replace(">>>>>>> REPLACE\n", "")
    reply = fenced("notes.txt", block("", "A note.\n")) + f"\n{name}\n```python\n{cut}"
    return Case(reply, {"notes.txt": "", name: text}, None)


@kind
def same_block_twice(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    return Case(answer(name, edit) + answer(name, edit), {name: text, **others}, done(name, text, edit))


@kind
def insertion_already_applied(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    """SEARCH is still there, because the edit only added lines around it."""
    grown = Edit(edit.search, rng.choice(("{0}added_line = 1\n", "added_line = 1\n{0}")).format(edit.search))
    return Case(answer(name, grown), {name: done(name, text, grown)[name], **others}, None)


@kind
def tabs_in_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The file is indented with tabs, the reply with four blanks for each; the file must keep its tabs."""

    def tabbed(part: str) -> str:
        return re.sub(r"^(?: {4})+", lambda match: "\t" * (len(match[0]) // 4), part, flags=re.MULTILINE)

    if not re.search(r"^    ", edit.search, re.MULTILINE):
        return None
    return Case(answer(name, edit), {name: tabbed(text), **others}, {name: tabbed(done(name, text, edit)[name])})


@kind
def blanks_kept_by_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    """The file has trailing blanks, the reply has not; lines that are only quoted keep theirs."""
    lines = edit.search.split("\n")[:-1]
    before = text.replace(edit.search, "".join(line + "  \n" for line in lines), 1)
    added = Edit(edit.search, edit.search + "added_line = 1\n")
    after = text.replace(edit.search, "".join(line + "  \n" for line in lines) + "added_line = 1\n", 1)
    return Case(answer(name, added), {name: before, **others}, {name: after})


@kind
def dedented_with_blanks(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    shift = common_indent(edit)
    if not shift:
        return None
    search = each_line(edit.search, lambda line: line[shift:] + "  ")
    replace = each_line(edit.replace, lambda line: line[shift:])
    return Case(answer(name, Edit(search, replace)), {name: text, **others}, done(name, text, edit))


@kind
def line_cut_in_a_word(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    last = edit.search.split("\n")[-2]
    if not re.search(r"\w\w\w$", last):
        return None
    return Case(answer(name, Edit(edit.search[:-3] + "\n", edit.replace)), {name: text, **others}, None)


@kind
def two_files(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    note = "Nothing has been tried so far.\n"
    reply = answer(name, edit) + fenced("notes.txt", block(note, "Run 1 is next.\n"), "text")
    return Case(
        reply, {**others, name: text, "notes.txt": note}, {**done(name, text, edit), "notes.txt": "Run 1 is next.\n"}
    )


@kind
def new_file(name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random) -> Case | None:
    reply = answer(name, edit) + fenced("notes/run_1.txt", block("", edit.search), "text")
    expected = {**done(name, text, edit), "notes/run_1.txt": edit.search}
    return Case(reply, {name: text, **others}, expected, ("notes/*.txt",))


@kind
def new_file_not_allowed(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    wrong = rng.choice(("utils.py", "notes/deeper/run_1.txt", "../notes/run_1.txt", "notes/run_1.py", ".git/x.txt"))
    return Case(answer(wrong, Edit("", edit.search)), {name: text, **others}, None, ("notes/*.txt",))


@kind
def empty_search_on_a_file(
    name: str, text: str, edit: Edit, others: Mapping[str, str], rng: random.Random
) -> Case | None:
    return Case(answer(name, Edit("", edit.replace)), {name: text, **others}, None)
